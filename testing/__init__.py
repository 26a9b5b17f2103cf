"""Fixtures that tests, benchmarks and scripts share: homes, fake models, a development server, readers of exports."""
