"""Which facesets stand, before and after a publication, so that one that it did not name is noticed.

Two listings and one query, however large the library is: a folder that was replaced, added or taken away is another one
on disk, and a faceset that was published bears the run in its row. That no file inside an untouched folder differs by a
byte is proved by `facesets verify` and by the nightly verification, which read them all.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from facesets_dagster.library.library import Library
from facesets_dagster.registry.schema import State


@dataclass(frozen=True)
class InPlace:
    """The library as it stands."""

    state: State
    folders: Mapping[str, int]
    """Name -> inode of the folder of every live faceset, thin eras included."""


def in_place(library: Library) -> InPlace:
    """The caller holds the library's lock."""
    return InPlace(library.registry.state(), folders_in_place(library.folder))


def touched_since(library: Library, before: InPlace, run_id: str) -> set[str]:
    """Facesets whose folder is another one than before, and those that this run has published since."""
    after = folders_in_place(library.folder)
    moved = {name for name in before.folders.keys() | after.keys() if before.folders.get(name) != after.get(name)}
    return moved | library.registry.published_since(before.state.generation, run_id)


def folders_in_place(library_dir: Path) -> dict[str, int]:
    """Name -> inode of every live faceset folder, thin eras included; {} without a library."""
    found: dict[str, int] = {}
    for folder in (library_dir, library_dir / "_thin"):
        if folder.is_dir():
            with os.scandir(folder) as entries:
                found.update(
                    (entry.name, entry.inode())
                    for entry in entries
                    if not entry.name.startswith((".", "_")) and entry.is_dir()
                )
    return found
