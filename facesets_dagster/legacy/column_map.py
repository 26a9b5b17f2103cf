"""The column map: which field of a legacy file means what, declared in YAML.

The shipped `example_map.yaml` is the default and the documentation; a map of the user's overrides it field by field.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from facesets_dagster.errors import SettingsError

EXAMPLE = Path(__file__).with_name("example_map.yaml")
SCHEMA_VERSION = 1
KINDS = ("auto", "hand_sorted", "discovered", "era")
_BOX_FORMATS = ("xyxy", "xywh")
_REQUIRED = {"library": ("name",), "faceset": ("faces", "source", "bbox"), "cache": ("embedding", "source", "bbox")}


@dataclass(frozen=True)
class LibraryFields:
    """Fields of an entry in the library's manifest."""

    name: str
    kind: str | None
    parent: str | None
    label: str | None
    kinds: Mapping[str, str]
    """Word in the file -> one of `KINDS`."""
    default_kind: str


@dataclass(frozen=True)
class FacesetFields:
    """Fields of a faceset's manifest."""

    faces: str
    source: str
    bbox: str
    bbox_format: str


@dataclass(frozen=True)
class CacheFields:
    """Members of the face cache."""

    files: tuple[str, ...]
    embedding: str
    source: str
    bbox: str
    bbox_format: str
    det_score: str | None
    kps: str | None
    sha256: str | None
    aliases: str | None
    noface: str | None


@dataclass(frozen=True)
class ColumnMap:
    """A whole map."""

    origin: Path
    library: LibraryFields
    faceset: FacesetFields
    cache: CacheFields
    path_prefixes: Mapping[str, str]


def load_map(path: Path | None) -> ColumnMap:
    """The map in this file over the shipped one; None takes the shipped one. Raises `SettingsError`."""
    base = _read(EXAMPLE)
    given = {} if path is None else _read(path)
    origin = path or EXAMPLE
    _only_known(given, base, "the map", origin)
    if given.get("schema_version", SCHEMA_VERSION) != SCHEMA_VERSION:
        raise SettingsError(
            f"The column map {origin} has schema_version {given['schema_version']!r}, this release reads "
            f"{SCHEMA_VERSION}. Compare it with {EXAMPLE}."
        )
    sections = {name: _section(name, base, given, origin) for name in ("library", "faceset", "cache")}
    prefixes = given.get("path_prefixes", base["path_prefixes"])
    return ColumnMap(
        origin,
        _library_fields(sections["library"], origin),
        FacesetFields(**{name: str(value) for name, value in sections["faceset"].items()}),
        _cache_fields(sections["cache"], origin),
        _words(prefixes, "path_prefixes", origin),
    )


def _read(path: Path) -> dict[str, object]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"The column map {path} is not there. Expected a YAML file as {EXAMPLE} is one; copy that and change it."
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(
            f"The column map {path} cannot be read ({error}). Expected YAML as in {EXAMPLE}."
        ) from error
    if not isinstance(found, dict):
        raise SettingsError(f"The column map {path} holds a {type(found).__name__}, expected sections as in {EXAMPLE}.")
    return found


def _section(name: str, base: Mapping[str, object], given: Mapping[str, object], origin: Path) -> dict[str, object]:
    shipped, own = base[name], given.get(name, {})
    assert isinstance(shipped, dict)
    if not isinstance(own, dict):
        raise SettingsError(f"`{name}` in the column map {origin} is {own!r}, expected fields as in {EXAMPLE}.")
    _only_known(own, shipped, f"`{name}`", origin)
    merged = {**shipped, **own}
    for field in _REQUIRED.get(name, ()):
        if not isinstance(merged[field], str):
            raise SettingsError(
                f"`{name}.{field}` in the column map {origin} is {merged[field]!r}. Expected the name of a field: a "
                "legacy face cannot be told without it."
            )
    if merged.get("bbox_format", "xyxy") not in _BOX_FORMATS:
        raise SettingsError(
            f"`{name}.bbox_format` in the column map {origin} is {merged['bbox_format']!r}. Expected "
            f"{' or '.join(_BOX_FORMATS)}."
        )
    return merged


def _only_known(given: Mapping[str, object], known: Mapping[str, object], where: str, origin: Path) -> None:
    unknown = sorted(str(name) for name in given.keys() - known.keys())
    if unknown:
        raise SettingsError(
            f"{where} of {origin} names {', '.join(unknown)}, which means nothing here. Known: "
            f"{', '.join(map(str, known))}. See {EXAMPLE}."
        )


def _library_fields(section: Mapping[str, object], origin: Path) -> LibraryFields:
    kinds = _words(section["kinds"], "library.kinds", origin)
    default = str(section["default_kind"])
    wrong = sorted({*kinds.values(), default} - set(KINDS))
    if wrong:
        raise SettingsError(
            f"`library.kinds` or `default_kind` in the column map {origin} says {', '.join(wrong)}. Expected one of "
            f"{', '.join(KINDS)}."
        )
    return LibraryFields(
        name=str(section["name"]),
        kind=_name(section["kind"]),
        parent=_name(section["parent"]),
        label=_name(section["label"]),
        kinds=kinds,
        default_kind=default,
    )


def _cache_fields(section: Mapping[str, object], origin: Path) -> CacheFields:
    files = section["files"]
    if not isinstance(files, list) or not all(isinstance(file, str) for file in files):
        raise SettingsError(f"`cache.files` in the column map {origin} is {files!r}. Expected a list of paths, or [].")
    return CacheFields(
        files=tuple(files),
        embedding=str(section["embedding"]),
        source=str(section["source"]),
        bbox=str(section["bbox"]),
        bbox_format=str(section["bbox_format"]),
        det_score=_name(section["det_score"]),
        kps=_name(section["kps"]),
        sha256=_name(section["sha256"]),
        aliases=_name(section["aliases"]),
        noface=_name(section["noface"]),
    )


def _name(value: object) -> str | None:
    return None if value is None else str(value)


def _words(value: object, where: str, origin: Path) -> dict[str, str]:
    if not isinstance(value, dict):
        raise SettingsError(f"`{where}` in the column map {origin} is {value!r}. Expected `old: new` pairs, or {{}}.")
    return {str(old): str(new) for old, new in value.items()}
