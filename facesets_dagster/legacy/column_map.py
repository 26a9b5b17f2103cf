"""The column map: which field of a legacy file means what, declared in YAML.

The shipped `example_map.yaml` is the default and the documentation; a map of the user's overrides it field by field.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError
from pydantic_core import ErrorDetails

from facesets_dagster.errors import SettingsError
from facesets_dagster.files.parsing import parse_yaml

EXAMPLE = Path(__file__).with_name("example_map.yaml")
Kind = Literal["auto", "hand_sorted", "discovered", "era"]
BoxFormat = Literal["xyxy", "xywh"]
_FORMS = {
    "string_type": "the name of a field",
    "tuple_type": "a list of paths, or []",
    "dict_type": "`old: new` pairs, or {}",
    "model_type": "fields and their names",
}
"""pydantic's type of an error -> what is expected instead."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)


class LibraryFields(_Section):
    """Fields of an entry in the library's manifest."""

    name: str
    kind: str | None
    parent: str | None
    label: str | None
    kinds: dict[str, Kind]
    """Word in the file -> kind of faceset."""
    default_kind: Kind


class FacesetFields(_Section):
    """Fields of a faceset's manifest."""

    faces: str
    source: str
    bbox: str
    bbox_format: BoxFormat


class CacheFields(_Section):
    """Members of the face cache."""

    files: tuple[str, ...]
    embedding: str
    source: str
    bbox: str
    bbox_format: BoxFormat
    det_score: str | None
    kps: str | None
    sha256: str | None
    aliases: str | None
    noface: str | None


class ColumnMap(_Section):
    """A whole map."""

    _origin: Path = PrivateAttr(EXAMPLE)
    schema_version: Literal[1]
    library: LibraryFields
    faceset: FacesetFields
    cache: CacheFields
    path_prefixes: dict[str, str]

    @property
    def origin(self) -> Path:
        """The file that the map was read from."""
        return self._origin


_SECTIONS: dict[str, type[BaseModel]] = {"library": LibraryFields, "faceset": FacesetFields, "cache": CacheFields}


def load_map(path: Path | None) -> ColumnMap:
    """The map in this file over the shipped one; None takes the shipped one.

    Raises `SettingsError` if the file cannot be read, or if a field in it is unknown or of another form.
    """
    origin = path or EXAMPLE
    merged = _read(EXAMPLE)
    for name, value in _read(origin).items():
        merged[name] = {**merged[name], **value} if name in _SECTIONS and isinstance(value, dict) else value
    try:
        columns = ColumnMap.model_validate(merged)
    except ValidationError as error:
        wrong = " ".join(_sentence(one) for one in error.errors())
        raise SettingsError(f"The column map {origin} cannot be used. {wrong} See {EXAMPLE}.") from None
    columns._origin = origin
    return columns


def _read(path: Path) -> dict[str, Any]:
    try:
        found = parse_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"The column map {path} is not there. Expected a YAML file like {EXAMPLE}; copy that and change it."
        ) from None
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise SettingsError(
            f"The column map {path} cannot be read ({error}). Expected YAML as in {EXAMPLE}."
        ) from error
    if not isinstance(found, dict):
        raise SettingsError(f"The column map {path} holds a {type(found).__name__}, expected sections as in {EXAMPLE}.")
    return found


def _sentence(error: ErrorDetails) -> str:
    """Field, value found and value expected."""
    where, found = ".".join(map(str, error["loc"])), error["input"]
    if error["type"] == "extra_forbidden":
        known = (_SECTIONS[str(error["loc"][0])] if len(error["loc"]) > 1 else ColumnMap).model_fields
        return f"`{where}` means nothing here. Known: {', '.join(known)}."
    expected = error["ctx"]["expected"] if error["type"] == "literal_error" else _FORMS.get(error["type"], error["msg"])
    return f"`{where}` is {found!r}. Expected {expected}."
