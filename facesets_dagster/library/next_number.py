"""Which number a new identity gets: one past everything that exists or ever existed."""

import os
from pathlib import Path

from facesets_dagster.library.library import Library
from facesets_dagster.library.numbering import entries_of, number_of, read_manifest
from facesets_dagster.library.top_manifest import read_top_manifest

_LISTS = ("facesets", "thin_eras", "tombstones")


def next_number(library: Library) -> int:
    """One past the largest number in the registry, in the library's folder and in the legacy libraries."""
    return 1 + max(library.registry.largest_number(), *numbers_in_folders(library), 0)


def numbers_in_folders(library: Library) -> set[int]:
    """Numbers of all facesets that the library's folder or a legacy library holds or its manifest names."""
    names = set(_folders_of(library.folder))
    manifest = read_top_manifest(library.folder)
    names.update(str(entry.get("name", "")) for key in _LISTS for entry, _ in manifest.entries[key])
    for root in library.legacy_roots:
        names.update(_folders_of(root), _names_listed(root))
    return {number for name in names if (number := number_of(name)) is not None}


def _folders_of(library_dir: Path) -> list[str]:
    """Names of faceset folders, retired and thin ones included."""
    names: list[str] = []
    for folder in (library_dir, library_dir / "_retired", library_dir / "_thin"):
        if folder.is_dir():
            with os.scandir(folder) as entries:
                names += [entry.name for entry in entries if entry.is_dir()]
    return names


def _names_listed(root: Path) -> list[str]:
    """Names in the manifest of a legacy library."""
    manifest = read_manifest(root)
    return [str(entry.get("name", "")) for key in _LISTS for entry in entries_of(manifest, key)]
