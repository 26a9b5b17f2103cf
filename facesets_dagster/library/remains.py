"""What a library says of itself without its registry: its facesets, its table of contents, and what is noted.

Nothing here is taken on trust: a file that cannot be read costs what it alone says, and a sentence that names it.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl

from facesets_dagster.errors import FacesetsError, LibraryCorrupt
from facesets_dagster.files.writing import sha256_of
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.library.bucket_notes import BucketNote, bucket_notes
from facesets_dagster.library.faceset_manifest import MANIFEST, read_faceset
from facesets_dagster.library.member_table import read_members
from facesets_dagster.library.moves import RETIRED
from facesets_dagster.library.notes import KEPT_VERSION, kept_file, rulings_file
from facesets_dagster.library.numbering import number_of, read_manifest
from facesets_dagster.library.pair import LibraryMark, read_mark
from facesets_dagster.library.ruling_log import read_log
from facesets_dagster.library.top_manifest import read_top_manifest
from facesets_dagster.library.withheld import centroid_in

_T = TypeVar("_T")
_OURS = frozenset(
    {"name", "number", "kind", "parent", "bucket", "label", "exported", "input", "excluded", "run_id", "model_id"}
    | {"legacy_root", "sha256", "filled", "withheld"}
)
"""Keys of an entry of the top-level manifest that the platform writes."""


@dataclass(frozen=True)
class FoundFaceset:
    """A faceset as its folder and its entry in the top-level manifest describe it."""

    name: str
    number: int
    kind: str
    parent: str | None
    bucket: str | None
    label: str | None
    live: bool
    run_id: str
    model_id: str | None
    centroid: bytes | None
    """float32, unit length."""
    manifest_sha256: str | None
    members: pl.DataFrame
    """`bucket`, `face_id`, `joined_by`, `state`, `source_missing`, `truncated`."""
    why: Mapping[str, tuple[float | None, float | None]]
    """face_id of a member that is not exported -> value and threshold."""


@dataclass(frozen=True)
class FoundAdopted:
    """An entry of a legacy faceset that is live under its own name and was never published here."""

    entry: Mapping[str, Any]

    @property
    def own(self) -> dict[str, Any]:
        """Its entry as its library has it, without the keys that were added here."""
        return {key: value for key, value in self.entry.items() if key not in _OURS or key == "name"}


@dataclass(frozen=True)
class _Listed:
    """What the top-level manifest says."""

    entries: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    tombstones: list[Mapping[str, Any]] = field(default_factory=list)
    adopted: list[FoundAdopted] = field(default_factory=list)


@dataclass(frozen=True)
class Remains:
    """All of it."""

    mark: LibraryMark | None
    facesets: list[FoundFaceset]
    adopted: list[FoundAdopted]
    tombstones: list[Mapping[str, Any]]
    numbers: dict[int, str]
    """Number -> name, of everything that has one."""
    buckets: list[BucketNote]
    rulings: tuple[Ruling, ...]
    kept: Mapping[str, Any]
    """What eras and rulings rest on; {} where nothing is noted."""
    problems: list[str] = field(default_factory=list)
    """What cannot be read, a sentence each."""


def read_remains(library_dir: Path) -> Remains:
    """Reads every manifest and every member table of the library."""
    problems: list[str] = []

    def attempt(read: Callable[[], _T], otherwise: _T) -> _T:
        try:
            return read()
        except FacesetsError as error:
            problems.append(str(error))
            return otherwise

    mark = attempt(lambda: read_mark(library_dir), None)
    listed = attempt(lambda: _listed(library_dir), _Listed())
    facesets = [
        found
        for folder, live in _folders(library_dir)
        if (found := _faceset(folder, listed.entries.get(folder.name, {}), live, attempt)) is not None
    ]
    notes, broken = bucket_notes(library_dir)
    nobody_ruled: tuple[Ruling, ...] = ()
    rulings = attempt(lambda: _rulings(library_dir), nobody_ruled)
    nothing: dict[str, Any] = {}
    kept = attempt(lambda: _kept(library_dir), nothing)
    numbers = {one.number: one.name for one in facesets if "_era_" not in one.name}
    for name in (str(one.get("name", "")) for one in [*listed.tombstones, *(one.entry for one in listed.adopted)]):
        if (number := number_of(name)) is not None and "_era_" not in name:
            numbers.setdefault(number, name)
    problems += broken
    return Remains(mark, facesets, listed.adopted, listed.tombstones, numbers, notes, rulings, kept, problems)


def _folders(library_dir: Path) -> Iterator[tuple[Path, bool]]:
    """Faceset folders with whether they are live; a retired one of a name that is live is passed over."""
    seen: set[str] = set()
    for place, live in ((library_dir, True), (library_dir / "_thin", True), (library_dir / RETIRED, False)):
        for folder in sorted(place.iterdir()) if place.is_dir() else ():
            if folder.is_dir() and number_of(folder.name) is not None and folder.name not in seen:
                seen.add(folder.name)
                yield folder, live


def _faceset(
    folder: Path, entry: Mapping[str, Any], live: bool, attempt: Callable[[Callable[[], Any], Any], Any]
) -> FoundFaceset | None:
    """None for another program's. Of one whose manifest is broken the entry of the table of contents says the rest."""
    missing = object()
    manifest = attempt(lambda: read_faceset(folder), missing)
    if manifest is None or (manifest is missing and not entry.get("sha256")):
        return None
    raw = {} if manifest is missing else read_manifest(folder)
    name, own_number = folder.name, number_of(folder.name) or 0
    kind = str(raw.get("kind") or entry.get("kind") or "discovered")
    if kind == "era" and folder.parent.name == "_thin":
        kind = "thin_era"
    is_era = kind in ("era", "thin_era")
    number = entry.get("number")
    parent = entry.get("parent") or (name.split("_era_")[0] if is_era else None)
    broken = manifest is missing
    return FoundFaceset(
        name=name,
        number=number if isinstance(number, int) else own_number,
        kind=kind,
        parent=str(parent) if is_era and parent else None,
        bucket=_text(raw.get("bucket") or entry.get("bucket")),
        label=_text(entry.get("label")),
        live=live,
        run_id=str(entry.get("run_id") or "unknown") if broken else manifest.run_id,
        model_id=_text(entry.get("model_id")) if broken else manifest.model.model_id,
        centroid=attempt(lambda: _centroid(folder), None),
        manifest_sha256=str(entry["sha256"]) if broken else sha256_of(folder / MANIFEST),
        members=attempt(lambda: _members(folder), _no_members()),
        why={} if broken else {one.face_id: (one.value, one.threshold) for one in manifest.excluded},
    )


def _centroid(folder: Path) -> bytes:
    path = folder / f"{folder.name}.npz"
    manifest = read_faceset(folder)
    if manifest is not None and manifest.withheld:
        middle = centroid_in(manifest)
        return b"" if middle is None else middle.tobytes()
    try:
        with np.load(path, allow_pickle=False) as vectors:
            found = vectors["centroid"]
        if found.dtype.kind != "f" or found.ndim != 1 or not np.isfinite(found).all():
            raise ValueError("`centroid` is no vector")
        return bytes(found.astype(np.float32).tobytes())
    except Exception as error:  # numpy and zipfile raise what they like on bytes that are no archive
        raise LibraryCorrupt(
            f"{path} cannot be read ({type(error).__name__}: {str(error)[:120]}). Restore it from a backup."
        ) from error


def _members(folder: Path) -> pl.DataFrame:
    try:
        table = read_members(folder / "members.parquet")
    except FileNotFoundError as error:
        raise LibraryCorrupt(f"{folder / 'members.parquet'} is missing. Restore it from a backup.") from error
    wanted = list(_no_members().columns)
    absent = [name for name in wanted if name not in table.columns]
    if absent:
        raise LibraryCorrupt(f"{folder / 'members.parquet'} has no column {absent[0]}. Restore it from a backup.")
    return table.select(wanted).cast(_no_members().schema)


def _no_members() -> pl.DataFrame:
    texts = dict.fromkeys(("bucket", "face_id", "joined_by", "state"), pl.String)
    return pl.DataFrame(schema={**texts, "source_missing": pl.Boolean, "truncated": pl.Boolean})


def _listed(library_dir: Path) -> _Listed:
    manifest = read_top_manifest(library_dir)
    listed = [entry for key in ("facesets", "thin_eras") for entry in manifest.listed(key)]
    return _Listed(
        {str(entry.get("name")): entry for entry in listed},
        [stone for stone in manifest.listed("tombstones") if isinstance(stone.get("number"), int)],
        [FoundAdopted(entry) for entry in listed if entry.get("legacy_root") and not entry.get("sha256")],
    )


def _rulings(library_dir: Path) -> tuple[Ruling, ...]:
    path = rulings_file(library_dir)
    return read_log(path) if path.exists() else ()


def _kept(library_dir: Path) -> dict[str, Any]:
    path = kept_file(library_dir)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["schema_version"] != KEPT_VERSION:
            raise ValueError(f"schema version {found['schema_version']}, this release reads {KEPT_VERSION}")
        tables = found["tables"]
        if not all(isinstance(row, dict) for rows in tables.values() for row in rows):
            raise ValueError("its tables are no lists of rows")
        return dict(found)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise LibraryCorrupt(
            f"{path} cannot be read ({type(error).__name__}: {str(error)[:120]}). Restore it from a backup; without it "
            "rulings cannot be undone as exactly."
        ) from error


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
