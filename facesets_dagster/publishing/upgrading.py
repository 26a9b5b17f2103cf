"""A home of an older release brought up to this one, at once and not with its next publication.

The registry becomes one of this release in a transaction, after its file was copied beside it; registry and library get
one id; and what recovery needs is noted in the library. Each step is done again if it was cut off. No faceset changes.
"""

from collections.abc import Callable

from facesets_dagster.library.library import open_library
from facesets_dagster.library.pair import read_mark, require_pair
from facesets_dagster.registry.backups import registry_file
from facesets_dagster.registry.registry import file_of, registry_at
from facesets_dagster.registry.schema import refuse_newer, versions_of
from facesets_dagster.registry.tables import LAYOUT, SCHEMA_VERSION
from facesets_dagster.settings import Settings

Say = Callable[[str], None]


def upgrade_steps(settings: Settings) -> list[str]:
    """What is to be done, a sentence each; none for a home of this release. Writes nothing.

    Raises `LibraryError` for a newer home, and for a library that is not the registry's.
    """
    registry = registry_at(settings.database_url)
    if file_of(registry.engine) is None:
        require_pair(settings.library_dir, registry)
        return []
    found = versions_of(registry.engine)
    refuse_newer(found)
    require_pair(settings.library_dir, registry)
    steps = []
    schema, layout = found.get("schema_version"), found.get("layout")
    file = registry_file(registry)
    ending = f"schema{schema}" if schema != SCHEMA_VERSION else f"layout{layout or 0}"
    copied = f"; its file is copied to {file}.{ending} before" if file else ""
    if schema and schema != SCHEMA_VERSION:
        steps.append(f"The registry becomes one of schema {SCHEMA_VERSION} (it is one of schema {schema}){copied}.")
    elif schema and layout != LAYOUT:
        steps.append(f"The registry gets what was added since layout {layout or 0}{copied}.")
    if read_mark(settings.library_dir) is None and int(found.get("generation", 0)) > 0:
        steps.append("Registry and library get one id, and what `facesets recover` needs is noted in the library.")
    return steps


def upgrade(settings: Settings, say: Say) -> list[str]:
    """Does it; what was done. Where nothing is to be done, nothing is written."""
    steps = upgrade_steps(settings)
    if steps:
        library = open_library(
            settings.library_dir, settings.database_url, settings.legacy_roots, settings.registry_backups
        )
        with library.held("facesets upgrade", say):
            pass
    return steps
