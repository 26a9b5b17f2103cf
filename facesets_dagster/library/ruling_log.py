"""Rulings as a file: JSON lines, one ruling a line, oldest first, with everything that it needs in another home."""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from facesets_dagster.errors import SettingsError
from facesets_dagster.files.writing import write_text
from facesets_dagster.identities.rulings import KINDS, STATES, VIAS, Ruling, RulingFace

SCHEMA_VERSION = 1
_OF_A_HOME = ("sequence", "published")
"""Fields that say how one home stands to a ruling."""


def write_log(path: Path, rulings: Iterable[Ruling]) -> None:
    """Writes the file as a whole."""
    lines = (json.dumps(as_line(one), ensure_ascii=False, sort_keys=True) for one in rulings)
    write_text(path, "".join(f"{line}\n" for line in lines))


def read_log(path: Path) -> tuple[Ruling, ...]:
    """The rulings of a file, in its order, as new ones. Raises `SettingsError` with the line that is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}. Nothing was changed.") from error
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            found.append(_read(path, number, line))
    twice = sorted({one.ruling_id for one in found if sum(other.ruling_id == one.ruling_id for other in found) > 1})
    if twice:
        raise SettingsError(f"{path} has the ruling {twice[0]} twice. Nothing was changed.")
    return tuple(found)


def as_line(ruling: Ruling) -> dict[str, object]:
    """A ruling as its line holds it."""
    values = {field.name: getattr(ruling, field.name) for field in fields(Ruling) if field.name not in _OF_A_HOME}
    faces = [_face_values(face) for face in ruling.faces]
    names, payload = dict(ruling.names), dict(ruling.payload)
    return {"schema_version": SCHEMA_VERSION, **values, "names": names, "payload": payload, "faces": faces}


def _face_values(face: RulingFace) -> dict[str, object]:
    vector = None if face.embedding is None else face.embedding.astype("<f2").tobytes()
    return {
        **vars(face),
        "bbox": list(face.bbox),
        "embedding": None if vector is None else base64.b64encode(vector).decode("ascii"),
    }


def _read(path: Path, number: int, line: str) -> Ruling:
    try:
        return _ruling(json.loads(line))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SettingsError(
            f"{path}, line {number}: no ruling ({error}). Expected what `facesets rulings export` writes. Nothing was "
            "changed."
        ) from error


def _ruling(values: Mapping[str, Any]) -> Ruling:
    own = dict(values)
    if own.pop("schema_version") != SCHEMA_VERSION:
        raise ValueError(f"its schema_version is not {SCHEMA_VERSION}")
    faces = tuple(_face(face) for face in own.pop("faces"))
    found = Ruling(**own, faces=faces)
    texts = (found.ruling_id, found.kind, found.made_at, found.made_by, found.via, found.state)
    if not all(isinstance(text, str) and text for text in texts):
        raise ValueError("a text is missing")
    for value, known in ((found.kind, KINDS), (found.state, STATES), (found.via, VIAS)):
        if value not in known:
            raise ValueError(f"{value!r} is none of {', '.join(known)}")
    names = {str(role): str(name) for role, name in found.names.items()}
    return replace(found, names=names, payload=dict(found.payload), sequence=0, published=False)


def _face(values: Mapping[str, Any]) -> RulingFace:
    x1, y1, x2, y2 = (float(side) for side in values["bbox"])
    vector = values["embedding"]
    unit = None if vector is None else np.frombuffer(base64.b64decode(vector, validate=True), "<f2").astype(np.float16)
    own = {name: value for name, value in values.items() if name not in ("bbox", "embedding")}
    return RulingFace(**own, bbox=(x1, y1, x2, y2), embedding=unit)
