"""Links in the metadata of assets: to what `web.files` serves beside the UI, from the same address."""

from urllib.parse import quote

import dagster as dg

FILES = "/files"
"""Where the guarded web server shows reports, library and buckets."""


def link(text: str, *parts: str) -> dg.MarkdownMetadataValue:
    """A link to a file or folder below `/files`, each part escaped."""
    return dg.MetadataValue.md(markdown_link(text, *parts))


def markdown_link(text: str, *parts: str) -> str:
    """The same, as text inside other Markdown."""
    address = "/".join([FILES, *(quote(part, safe="") for part in parts)])
    return f"[{text}]({address})"
