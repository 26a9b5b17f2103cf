"""One signature per faceset folder, made of the states of its files, to prove that nothing was disturbed."""

import hashlib
import os
from pathlib import Path

from facesets_dagster.files.states import file_states


def faceset_signatures(library_dir: Path) -> dict[str, str]:
    """Name -> signature of every live faceset folder, thin eras included."""
    if not library_dir.is_dir():
        return {}
    folders = [*library_dir.iterdir(), *(library_dir / "_thin").glob("*")]
    return {
        folder.name: _signature(folder)
        for folder in sorted(folders)
        if folder.is_dir() and not folder.name.startswith((".", "_"))
    }


def _signature(folder: Path) -> str:
    hasher = hashlib.sha256()
    for path, state in sorted(file_states([folder]).items()):
        hasher.update(f"{os.path.relpath(path, folder)}{state}\n".encode("utf-8", "surrogateescape"))
    return hasher.hexdigest()
