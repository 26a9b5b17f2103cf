"""A legacy library as it lies on disk: its facesets, and the faces that their manifests name. Read-only."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.errors import LibraryError, SettingsError
from facesets_dagster.files.parsing import parse_json
from facesets_dagster.legacy.boxes import as_xyxy, box_problem
from facesets_dagster.legacy.column_map import ColumnMap, LibraryFields
from facesets_dagster.library.numbering import faceset_name, number_of, read_manifest

_MAX_LABEL = 100
_FOLDER_NAME = re.compile(r"faceset_\d{3,}(?:_era_[\w\-. ]{1,180})?")
"""One path component: a name becomes a folder of the library when the faceset is published."""
_LISTS = ("facesets", "thin_eras")


@dataclass(frozen=True)
class LegacyFace:
    """An entry of a faceset's manifest."""

    source: str
    bbox: NDArray[np.float32]
    """(4,): x1, y1, x2, y2."""
    problem: str | None
    """Why it says too little: `no_source`, `no_box`, `bad_box`."""


@dataclass(frozen=True)
class LegacyFaceset:
    """A faceset or thin era under its own name."""

    name: str
    number: int
    kind: str
    """As in `identities.identity`."""
    parent: str | None
    """Of an era, if its library has it."""
    label: str | None
    entry: dict[str, object]
    """Its entry in the library's manifest, as it stands there."""
    faces: list[LegacyFace]
    note: str | None
    """What is odd about its folder."""


@dataclass(frozen=True)
class LegacyLibrary:
    """What a root holds."""

    root: Path
    facesets: list[LegacyFaceset]
    """By name."""
    left_out: list[tuple[str, str]] = field(default_factory=list)
    """Listed entries that cannot be adopted, and why."""
    unlisted: list[str] = field(default_factory=list)
    """Folders of facesets that the manifest does not list; their numbers are passed over, nothing else."""


def read_library(root: Path, columns: ColumnMap) -> LegacyLibrary:
    """Everything that a legacy root says. Raises `LibraryError` for one that is absent or no library."""
    if not root.is_dir() or not os.access(root, os.R_OK | os.X_OK):
        raise LibraryError(
            f"The legacy library {root} is not a folder that can be read. Mount its disk, or change FACESETS_LEGACY. "
            "Nothing was changed: an absent library is never taken for an empty one."
        )
    if not (root / "manifest.json").exists():
        raise LibraryError(
            f"{root} holds no manifest.json, so it is no legacy library. Expected the folder `facesets_swap_ready` "
            "itself; change FACESETS_LEGACY."
        )
    entries, left_out = _listed(root, columns)
    names = {name for name, _, _ in entries}
    manifests = {name: _faceset_manifest(root, name) for name, _, _ in entries}
    _require_fields(root, columns, {name: manifest for name, (manifest, _) in manifests.items() if manifest})
    facesets = [
        _faceset(root, columns, name, is_thin, entry, manifests[name], names) for name, is_thin, entry in entries
    ]
    return LegacyLibrary(root, sorted(facesets, key=lambda found: found.name), left_out, _unlisted(root, names))


def _listed(root: Path, columns: ColumnMap) -> tuple[list[tuple[str, bool, dict[str, object]]], list[tuple[str, str]]]:
    """(name, in `thin_eras`, entry) of what can be adopted, and (name, why not) of the rest."""
    manifest, field_name = read_manifest(root), columns.library.name
    found: dict[str, tuple[bool, dict[str, object]]] = {}
    left_out: list[tuple[str, str]] = []
    for key in _LISTS:
        for item in _as_list(manifest, key):
            entry: dict[str, object] = dict(item) if isinstance(item, dict) else {"name": item}
            name = str(_at(entry, field_name) if isinstance(item, dict) else item)
            if number_of(name) is None or not _FOLDER_NAME.fullmatch(name):
                left_out.append((name, "its name is not faceset_NNN or an era of one"))
            elif name in found:
                left_out.append((name, "listed twice; the first entry was taken"))
            else:
                found[name] = (key == "thin_eras", entry)
    objects = [item for key in _LISTS for item in _as_list(manifest, key) if isinstance(item, dict)]
    if objects and all(_at(item, field_name) is None for item in objects):
        raise _missing(root, columns, "library.name", field_name, objects, "an entry of manifest.json")
    return [(name, *found[name]) for name in sorted(found)], left_out


def _as_list(manifest: Mapping[str, object], key: str) -> list[object]:
    listed = manifest.get(key, [])
    if not isinstance(listed, list):
        raise LibraryError(
            f"`{key}` in the manifest.json of a legacy library is a {type(listed).__name__}, expected a list. "
            "Fix the file; nothing was changed."
        )
    return listed


def _faceset_manifest(root: Path, name: str) -> tuple[dict[str, object] | None, str | None]:
    """The manifest in the faceset's folder, or why there is none."""
    folder = _folder(root, name)
    if folder is None:
        return None, "its folder is not there"
    try:
        found = parse_json((folder / "manifest.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None, "its folder has no manifest.json"
    except (OSError, ValueError) as error:
        return None, f"its manifest.json cannot be read: {error}"
    return (found, None) if isinstance(found, dict) else (None, "its manifest.json holds no object")


def _folder(root: Path, name: str) -> Path | None:
    return next((folder for folder in (root / name, root / "_thin" / name) if folder.is_dir()), None)


def _require_fields(root: Path, columns: ColumnMap, manifests: Mapping[str, dict[str, object]]) -> None:
    """Raises `SettingsError` if a field that the map names is in none of the manifests."""
    if not manifests:
        return
    fields = columns.faceset
    lists = [_at(manifest, fields.faces) for manifest in manifests.values()]
    faces = [face for found in lists if isinstance(found, list) for face in found if isinstance(face, dict)]
    if not any(isinstance(found, list) for found in lists):
        raise _missing(root, columns, "faceset.faces", fields.faces, manifests.values(), "a faceset's manifest.json")
    for key, name in (("source", fields.source), ("bbox", fields.bbox)):
        if faces and all(_at(face, name) is None for face in faces):
            raise _missing(root, columns, f"faceset.{key}", name, faces, f"an entry of `{fields.faces}`")


def _missing(
    root: Path, columns: ColumnMap, key: str, name: str, objects: Iterable[Mapping[str, object]], what: str
) -> SettingsError:
    found = sorted({str(field) for one in objects for field in one})
    return SettingsError(
        f"The column map {columns.origin} says `{key}: {name}`, but {what} in the legacy library {root} has no "
        f"such field. Found: {', '.join(found) or 'nothing'}. Name the right one in facesets_legacy.yaml in "
        "FACESETS_HOME; nothing was changed."
    )


def _faceset(
    root: Path,
    columns: ColumnMap,
    name: str,
    is_thin: bool,
    entry: dict[str, object],
    manifest: tuple[dict[str, object] | None, str | None],
    names: set[str],
) -> LegacyFaceset:
    number = number_of(name)
    assert number is not None  # `_listed` left the others out
    found, note = manifest
    kind = "thin_era" if is_thin else _kind(entry, name, columns.library, root)
    parent = _parent(entry, name, number, columns.library, names) if kind in ("era", "thin_era") else None
    listed = _at(found, columns.faceset.faces) if found else []
    if found and not isinstance(listed, list):
        note, listed = f"its manifest.json has no list `{columns.faceset.faces}`", []
    faces = [_face(face, columns) for face in listed] if isinstance(listed, list) else []
    return LegacyFaceset(name, number, kind, parent, _label(root, entry, name, columns.library), entry, faces, note)


def _kind(entry: Mapping[str, object], name: str, fields: LibraryFields, root: Path) -> str:
    if "_era_" in name:
        return "era"
    word = _at(entry, fields.kind) if fields.kind else None
    if word is None:
        return fields.default_kind
    kind = fields.kinds.get(str(word))
    if kind is None:
        raise SettingsError(
            f"{name} in the legacy library {root} has the kind {word!r}, which the column map does not explain. Known "
            f"words: {', '.join(fields.kinds)}. Add it under `library.kinds` in facesets_legacy.yaml in FACESETS_HOME; "
            "nothing was changed."
        )
    return kind


def _parent(entry: Mapping[str, object], name: str, number: int, fields: LibraryFields, names: set[str]) -> str | None:
    """The identity that an era splits, where the library has it: a parent that does not exist covers nothing."""
    said = _at(entry, fields.parent) if fields.parent else None
    wanted = (str(said) if said is not None else "", name.split("_era_")[0], faceset_name(number))
    return next((parent for parent in wanted if parent in names and parent != name), None)


def _label(root: Path, entry: Mapping[str, object], name: str, fields: LibraryFields) -> str | None:
    said = _at(entry, fields.label) if fields.label else None
    if isinstance(said, str) and said.strip():
        return said.strip()
    folder = _folder(root, name)
    try:
        text = (folder / "NAME.txt").read_text(encoding="utf-8", errors="replace") if folder else ""
    except OSError:  # no such file: no name was given
        return None
    first = text.strip().splitlines()[0].strip() if text.strip() else ""
    return first if first and first != name and len(first) <= _MAX_LABEL else None


def _face(value: object, columns: ColumnMap) -> LegacyFace:
    fields = columns.faceset
    source = _at(value, fields.source) if isinstance(value, dict) else None
    sides = _at(value, fields.bbox) if isinstance(value, dict) else None
    box = np.zeros(4, np.float32)
    if not isinstance(source, str) or not source:
        return LegacyFace("", box, "no_source")
    if sides is None:
        return LegacyFace(source, box, "no_box")
    if not isinstance(sides, list) or len(sides) != 4 or not all(_is_number(side) for side in sides):
        return LegacyFace(source, box, "bad_box")
    box = as_xyxy(np.array([sides], np.float32), fields.bbox_format)[0]
    return LegacyFace(source, box, box_problem(box))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _at(value: object, path: str) -> object:
    """The field at `a.b`; None if there is none."""
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _unlisted(root: Path, names: set[str]) -> list[str]:
    folders = [*root.iterdir(), *(root / "_thin").glob("*")]
    return sorted(
        folder.name
        for folder in folders
        if folder.is_dir() and number_of(folder.name) is not None and folder.name not in names
    )
