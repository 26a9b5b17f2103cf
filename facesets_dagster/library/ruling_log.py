"""Rulings as a file: JSON lines, one ruling a line, oldest first, with everything that it needs in another home."""

import base64
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.errors import SettingsError
from facesets_dagster.files.writing import write_text
from facesets_dagster.identities.rulings import KINDS, STATES, VIAS, Ruling, RulingFace

SCHEMA_VERSION = 1
_OF_A_HOME = ("sequence", "published")
"""Fields that say how one home stands to a ruling."""
_CHOICES: Mapping[str, Iterable[str]] = {"kind": KINDS, "state": STATES, "via": VIAS}
_OPTIONAL = ("reason", "seen_digest", "undone_at", "undone_by", "superseded_by")
_FACE_TEXTS = ("role", "photo_sha256", "face_id", "bucket", "model_id")


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
    # Not `splitlines`: a reason may hold other characters that end a line.
    lines = enumerate(text.split("\n"), start=1)
    found = [_read(path, number, line) for number, line in lines if line.strip()]
    times = Counter(one.ruling_id for one in found)
    twice = sorted(ruling_id for ruling_id, count in times.items() if count > 1)
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
    except (ValueError, RecursionError) as error:
        raise SettingsError(
            f"{path}, line {number}: no ruling ({error}). Expected what `facesets rulings export` writes. Nothing was "
            "changed."
        ) from error


def _ruling(found: object) -> Ruling:
    values = _object(found, "the line")
    if values.get("schema_version") != SCHEMA_VERSION:
        raise ValueError(f"its schema_version is {values.get('schema_version')!r}, this release reads {SCHEMA_VERSION}")
    _require(values, {"schema_version", *(field.name for field in fields(Ruling))} - {*_OF_A_HOME})
    names = _object(values["names"], "names")
    faces = values["faces"]
    if not isinstance(faces, list):
        raise ValueError("faces is no list")
    seen = values["seen_generation"]
    texts: dict[str, Any] = {key: _text(values, key) for key in ("ruling_id", "made_at", "made_by")}
    texts |= {key: _one_of(values, key, known) for key, known in _CHOICES.items()}
    texts |= {key: _text(values, key) for key in _OPTIONAL if values[key] is not None}
    return Ruling(
        **texts,
        faces=tuple(map(_face, faces)),
        names={role: _text(names, role, "names.") for role in sorted(names)},
        payload=_object(values["payload"], "payload"),
        seen_generation=None if seen is None else _whole(values, "seen_generation"),
    )


def _face(found: object) -> RulingFace:
    values = _object(found, "a face")
    _require(values, {field.name for field in fields(RulingFace)})
    texts = {key: _text(values, key, empty=key == "model_id") for key in _FACE_TEXTS}
    box = values["bbox"]
    if not isinstance(box, list) or len(box) != 4 or not all(_is_number(side) for side in box):
        raise ValueError(f"bbox is {box!r}, expected four numbers")
    x1, y1, x2, y2 = map(float, box)
    sizes = {key: _whole(values, key) for key in ("photo_width", "photo_height")}
    return RulingFace(bbox=(x1, y1, x2, y2), embedding=_vector(values["embedding"]), **texts, **sizes)  # type: ignore[arg-type]


def _vector(value: object) -> NDArray[np.float16] | None:
    if value is None:
        return None
    try:
        return np.frombuffer(base64.b64decode(str(value), validate=True), "<f2").astype(np.float16)
    except ValueError as error:
        raise ValueError(f"embedding is not float16 in base64: {error}") from error


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is {_shown(value)}, expected an object")
    return value


def _require(values: Mapping[str, object], wanted: set[str]) -> None:
    odd = sorted(wanted ^ values.keys())
    if odd:
        raise ValueError(f"{odd[0]} is {'missing' if odd[0] in wanted else 'unknown'}")


def _text(values: Mapping[str, object], key: str, where: str = "", *, empty: bool = False) -> str:
    value = values[key]
    if not isinstance(value, str) or not (value or empty):
        raise ValueError(f"{where}{key} is {_shown(value)}, expected a text")
    return value


def _one_of(values: Mapping[str, object], key: str, known: Iterable[str]) -> str:
    value = _text(values, key)
    if value not in known:
        raise ValueError(f"{key} {value!r} is none of {', '.join(known)}")
    return value


def _whole(values: Mapping[str, object], key: str) -> int:
    value = values[key]
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{key} is {_shown(value)}, expected a whole number")
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: object) -> str:
    return repr(value)[:40]
