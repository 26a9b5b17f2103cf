"""Folders of photos in, curated per-person face sets out, as Dagster assets.

Layers, from the bottom up (an arrow means "may import"; nothing points the other way):

    definitions, sensors, schedules, jobs, cli -> assets -> resources -> domain packages -> errors, settings

The domain packages (`photos`, `faces`, `embedding`, `identities`, `export`, `library`, `reports`) know nothing of
Dagster. See `docs/architecture.md`.
"""

__version__ = "0.1.0"
