"""A faceset's `manifest.json` as records: its one reader. The form of the file is in `docs/file-formats.md`.

Written by `export.folder`. People can edit it, so nothing is taken on trust: a field that is missing or of another type
raises `LibraryCorrupt` with the file, the field, and what to do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from facesets_dagster.errors import LibraryCorrupt
from facesets_dagster.files.records import numbers_of
from facesets_dagster.library.numbering import read_manifest

MANIFEST = "manifest.json"

R = TypeVar("R")
Point = tuple[float, float]


@dataclass(frozen=True)
class SourcePhoto:
    """Where an exported face comes from."""

    bucket: str
    path: str
    """In the bucket's folder, as it was when the faceset was made."""
    sha256: str
    aliases: tuple[str, ...]
    """Other paths of the same bytes."""
    turn: int = 0
    """Degrees clockwise by which the photo is turned beyond its EXIF orientation; absent = 0."""


@dataclass(frozen=True)
class ExportedFace:
    """An entry of `faces`."""

    rank: int
    """1 = best."""
    file: str
    """Its PNG, relative to the faceset's folder."""
    sha256: str
    """Of the PNG."""
    face_id: str
    source: SourcePhoto
    bbox: tuple[float, float, float, float]
    """x1, y1, x2, y2, px of the upright photo."""
    kps: tuple[Point, Point, Point, Point, Point]
    """px of the upright photo."""
    det_score: float
    face_short: float
    """Shorter side of the box, px of the upright photo."""
    rank_score: float
    cosine_distance: float
    """To the centroid of the exported faces."""
    influence: float | None = None
    """Cosine distance by which it moves the raw mean of the exported faces; None alone, or in older manifests."""
    filled: bool = False
    """It misses an export gate and fills the set up. Older manifests have none of these."""


@dataclass(frozen=True)
class ExcludedFace:
    """An entry of `excluded`: a member that is not exported."""

    face_id: str
    state: str
    """A terminal state of the funnel, such as `same_photo`."""
    value: float | None
    threshold: float | None


@dataclass(frozen=True)
class Model:
    """The model that made the embeddings."""

    model_id: str


@dataclass(frozen=True)
class FacesetManifest:
    """A faceset as its folder describes it."""

    folder: Path
    content_digest: str
    """Equal digests mean equal files, apart from run id and date."""
    run_id: str
    created_at: str
    """ISO 8601."""
    model: Model
    parameters: Mapping[str, Mapping[str, object]]
    """Asset -> its resolved numbers."""
    faces: tuple[ExportedFace, ...]
    """In rank order."""
    excluded: tuple[ExcludedFace, ...]
    files: Mapping[str, str]
    """Name -> sha256 of archives, vectors, members and marker."""
    feature: str | None = None
    """PNG of the face that stands for the person, if somebody chose one."""
    withheld: tuple[str, ...] = ()
    """Rules of `consent.yaml` by which faces are withheld; `excluded` names the faces. Absent where there is none."""

    def shown_first(self) -> tuple[ExportedFace, ...]:
        """The faces by rank, the one that stands for the person before the others."""
        return tuple(sorted(self.faces, key=lambda face: face.file != self.feature))

    def smallest_strict(self) -> float | None:
        """Export gate of the face's shorter side, px, that filled faces miss; None where no number is recorded."""
        gate = self.parameters.get("swap_ready_facesets", {}).get("min_face_short_px")
        return float(gate) if isinstance(gate, int | float) else None

    def digests(self) -> dict[str, str]:
        """Path in the folder -> sha256 of every file but the manifest."""
        return {**self.files, **{face.file: face.sha256 for face in self.faces}}

    def numbers(self, asset: str, record: type[R]) -> R | None:
        """An asset's numbers; None where it had no hand in the faceset. Raises `LibraryCorrupt` if one is missing."""
        if asset not in self.parameters:
            return None
        try:
            return numbers_of(record, self.parameters[asset])
        except ValueError as error:
            raise _broken(self.folder, f"parameters.{asset}", str(error)) from error


def read_faceset(folder: Path) -> FacesetManifest | None:
    """The manifest of the faceset in `folder`; None without a folder, or where another program made it.

    A manifest without `content_digest` is another program's.
    """
    found = read_manifest(folder)
    return parse_faceset(folder, found) if "content_digest" in found else None


def parse_faceset(folder: Path, found: Mapping[str, object]) -> FacesetManifest:
    """The records of a manifest's JSON. Raises `LibraryCorrupt` for a field that is missing or of another type."""
    try:
        return _ADAPTER.validate_python({**found, "folder": folder})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        shown = "nothing" if first["type"] == "missing" else repr(first["input"])[:80]
        raise _broken(folder, where, f"found {shown}, expected another value ({first['msg']})") from error


def _broken(folder: Path, where: str, what: str) -> LibraryCorrupt:
    return LibraryCorrupt(
        f"`{where}` in {folder / MANIFEST}: {what}. Restore the folder from a backup, or move it away and materialize "
        "swap_ready_facesets of its bucket; `facesets verify` lists all that is damaged. Nothing was changed."
    )


_ADAPTER = TypeAdapter(FacesetManifest)
