"""Which number a new identity gets: one past everything that exists or ever existed."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from facesets_dagster.errors import LibraryCorrupt

_NAME = re.compile(r"faceset_(\d{3,})(?:$|_)")


@dataclass(frozen=True)
class ForeignFaceset:
    """A faceset that this platform did not make, known by name only."""

    name: str
    number: int
    kind: str
    parent: str | None
    root: Path


def faceset_name(number: int) -> str:
    """`faceset_007`, `faceset_1234`."""
    return f"faceset_{number:03d}"


def place_of(name: str, kind: str) -> str:
    """Where a faceset's folder lies in the library."""
    return f"_thin/{name}" if kind == "thin_era" else name


def number_of(name: str) -> int | None:
    """The number in a faceset's or era's name, None for another name."""
    match = _NAME.match(name)
    return int(match[1]) if match else None


def next_number(used: Iterable[int], folders: Iterable[Path]) -> int:
    """One past the largest number in the registry and in any library folder (its manifest and folder names)."""
    seen = set(used)
    for folder in folders:
        seen.update(numbers_in(folder))
    return max(seen, default=0) + 1


def numbers_in(library_dir: Path) -> set[int]:
    """Numbers of all facesets that a library folder holds or its manifest names, retired and thin ones included."""
    if not library_dir.is_dir():
        return set()
    names = {path.name for path in library_dir.iterdir() if path.is_dir()}
    for special in ("_retired", "_thin"):
        if (library_dir / special).is_dir():
            names.update(path.name for path in (library_dir / special).iterdir())
    manifest = read_manifest(library_dir)
    for key in ("facesets", "thin_eras", "tombstones"):
        names.update(str(entry.get("name", "")) for entry in _entries(manifest, key))
    return {number for name in names if (number := number_of(name)) is not None}


def foreign_facesets(root: Path) -> list[ForeignFaceset]:
    """The facesets of a legacy library, from its `manifest.json`, by name; read-only."""
    manifest = read_manifest(root)
    found = []
    for entry in _entries(manifest, "facesets"):
        name = str(entry.get("name", ""))
        number = number_of(name)
        if number is not None:
            parent = entry.get("parent")
            kind = "era" if "_era_" in name else str(entry.get("kind") or "auto")
            found.append(ForeignFaceset(name, number, kind, str(parent) if parent else None, root))
    return sorted(found, key=lambda faceset: faceset.name)


def read_manifest(library_dir: Path) -> dict[str, object]:
    """The top-level manifest of a library, `{}` if there is none. Raises `LibraryCorrupt` if it cannot be read."""
    path = library_dir / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise LibraryCorrupt(
            f"The manifest {path} cannot be read ({error}). Expected a JSON object with a list `facesets`. Fix it or "
            "restore it from a backup; nothing was changed."
        ) from error
    if not isinstance(manifest, dict):
        raise LibraryCorrupt(f"The manifest {path} holds a {type(manifest).__name__}, expected a JSON object.")
    return manifest


def _entries(manifest: dict[str, object], key: str) -> list[dict[str, object]]:
    entries = manifest.get(key, [])
    if not isinstance(entries, list) or not all(isinstance(entry, (dict, str)) for entry in entries):
        raise LibraryCorrupt(f"`{key}` of a library's manifest.json is not a list of facesets.")
    return [entry if isinstance(entry, dict) else {"name": entry} for entry in entries]
