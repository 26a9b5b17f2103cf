"""Folders of photos in, curated per-person face sets out, as Dagster assets.

What changes the library is in `publishing`; what only reads it in `analysis`; the form of its files in `library`; SQL
in `registry`; mathematics that knows no face in `linkage`; what starts runs in `automation`; primitives for files in
`files`. `assets`, `resources`, `automation`, `cli`, `web`, `definitions` and `partitions` import Dagster, nothing else
does. All layers are in `docs/architecture.md` and, as contracts, in `pyproject.toml`.
"""

__version__ = "0.1.0"
