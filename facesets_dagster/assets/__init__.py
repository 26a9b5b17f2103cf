"""One module per asset; the body is a domain call plus metadata. The module's docstring of an asset is its UI text."""
