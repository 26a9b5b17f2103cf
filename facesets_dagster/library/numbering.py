"""Names and numbers of facesets, where a faceset lies, and the manifests that list them."""

import json
import re
from collections.abc import Mapping
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


def faceset_folder(name: str, kind: str) -> str:
    """Where a faceset's folder lies in the library."""
    return f"_thin/{name}" if kind == "thin_era" else name


def number_of(name: str) -> int | None:
    """The number in a faceset's or era's name, None for another name."""
    match = _NAME.match(name)
    return int(match[1]) if match else None


def foreign_facesets(root: Path) -> list[ForeignFaceset]:
    """The facesets of a legacy library, from its `manifest.json`, by name; read-only."""
    manifest = read_manifest(root)
    found = []
    for entry in entries_of(manifest, "facesets"):
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
    except (OSError, ValueError, RecursionError) as error:
        raise LibraryCorrupt(
            f"The manifest {path} cannot be read ({str(error)[:200]}). Expected a JSON object with a list `facesets`. "
            "Fix it or restore it from a backup. Nothing was changed."
        ) from error
    if not isinstance(manifest, dict):
        raise LibraryCorrupt(
            f"The manifest {path} holds a {type(manifest).__name__}, expected a JSON object. Fix it or restore it from "
            "a backup. Nothing was changed."
        )
    return manifest


def entries_of(manifest: Mapping[str, object], key: str) -> list[dict[str, object]]:
    """The entries of a list of a library's manifest, each with its `name`; raises `LibraryCorrupt` for another form."""
    entries = manifest.get(key, [])
    if not isinstance(entries, list) or not all(isinstance(entry, (dict, str)) for entry in entries):
        raise LibraryCorrupt(f"`{key}` of a library's manifest.json is not a list of facesets.")
    return [entry if isinstance(entry, dict) else {"name": entry} for entry in entries]
