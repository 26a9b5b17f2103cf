"""Why a face is where it is: the recorded decision of every face of a photo, in words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from facesets_dagster.faces.store import CacheTables

_FACE_ID = re.compile(r"[0-9a-f]{16}-\d{4}-\d{4}(-\d+)?")


@dataclass(frozen=True)
class FaceExplanation:
    """One face: the columns of the funnel, where it is in the photo, and the reason in words."""

    face_id: str
    bbox: list[float]
    """x1, y1, x2, y2, px of the upright photo."""
    state: str
    """`not_run` if the bucket was scanned but never published with this face."""
    value: float | None
    threshold: float | None
    identity: str | None
    nearest: str | None
    nearest_distance: float | None
    flags: list[str]
    why: str


@dataclass(frozen=True)
class PhotoExplanation:
    """A photo of a bucket: what the scan made of it, and its faces from left to right."""

    bucket: str
    path: str
    aliases: list[str]
    status: str
    detail: str
    faces: list[FaceExplanation]


def is_face_id(text: str) -> bool:
    """True for what `face_cache` names a face."""
    return _FACE_ID.fullmatch(text) is not None


def explain_contents(
    bucket: str, tables: CacheTables, decisions: pl.DataFrame, contents: pl.Series
) -> list[PhotoExplanation]:
    """The photos of a bucket with these content digests, by path. `decisions`: the bucket's funnel."""
    decided = {str(row["face_id"]): row for row in decisions.iter_rows(named=True)}
    found = []
    is_wanted = pl.col("sha256").is_in(contents.implode())
    wanted, all_files, all_faces = (table.filter(is_wanted) for table in (tables.contents, tables.files, tables.faces))
    for content in wanted.iter_rows(named=True):
        paths = all_files.filter(pl.col("sha256") == content["sha256"])["path"].sort().to_list()
        rows = all_faces.filter(pl.col("sha256") == content["sha256"]).sort(pl.col("bbox").arr.first())
        paths = paths or rows["path"].unique().sort().to_list()
        faces = [_face(row, decided.get(row["face_id"])) for row in rows.iter_rows(named=True)]
        path, *aliases = paths or ["?"]
        found.append(PhotoExplanation(bucket, path, aliases, content["status"], content["detail"], faces))
    return sorted(found, key=lambda photo: photo.path)


def explain_unread(bucket: str, tables: CacheTables, path: str) -> list[PhotoExplanation]:
    """A file of the bucket that has no content row: foreign, unreadable, or changing."""
    rows = tables.files.filter((pl.col("path") == path) & pl.col("sha256").is_null())
    columns = rows.select("path", "status", "detail").rows()
    return [PhotoExplanation(bucket, name, [], status, detail, []) for name, status, detail in columns]


def contents_of(tables: CacheTables, *, sha256: str | None, path: str | None, face_id: str | None) -> pl.Series:
    """Digests of the contents that are meant: of a face, of these bytes, or at this path of the bucket."""
    if face_id is not None:
        return tables.faces.filter(pl.col("face_id") == face_id)["sha256"].unique()
    if sha256 is not None:
        return tables.contents.filter(pl.col("sha256") == sha256)["sha256"]
    if path is None:
        return pl.Series("sha256", [], dtype=pl.String)
    listed = tables.files.filter((pl.col("path") == path) & pl.col("sha256").is_not_null())["sha256"]
    gone = tables.faces.filter((pl.col("path") == path) & pl.col("source_missing"))["sha256"]
    return pl.concat([listed, gone]).unique()


def _face(row: Mapping[str, Any], decision: Mapping[str, object] | None) -> FaceExplanation:
    bbox = [round(float(side), 1) for side in row["bbox"]]
    face_id = str(row["face_id"])
    if decision is None:
        why = "The bucket has not been published with this face yet; run it."
        return FaceExplanation(face_id, bbox, "not_run", None, None, None, None, None, [], why)
    flags = [flag for flag in ("source_missing", "truncated") if decision[flag]]
    if decision["ambiguous_with"]:
        flags.append(f"also within reach of {decision['ambiguous_with']}")
    columns = ("state", "value", "threshold", "identity", "nearest", "nearest_distance")
    found: dict[str, Any] = {name: decision[name] for name in columns}
    return FaceExplanation(face_id, bbox, flags=flags, why=reason(decision), **found)


def reason(decision: Mapping[str, object]) -> str:
    """The sentence for a row of the funnel."""
    state, _, which = str(decision["state"]).partition(":")
    value, threshold = (_number(decision[key]) for key in ("value", "threshold"))
    identity = decision["identity"] or "no faceset"
    if state.endswith("_gate"):
        when = "to be exported" if state == "below_export_gate" else "to count"
        return f"{_GATES.get(which, which)} is {value}, {when} it must be at least {threshold}."
    if state == "covered" and decision["threshold"] is None:
        return f"The same photo is a member of {identity} already, through another bucket."
    sentences = {
        "covered": f"Belongs to {identity} already: cos-dist {value}, at most {threshold}.",
        "outlier": f"Lies {value} from its cluster's centroid, more than {threshold}.",
        "small_cluster": f"Its person has {value} distinct photo(s) here; it takes {threshold} to found an identity.",
        "same_photo": f"Another face of this photo is nearer to {identity} ({threshold}); this one lies at {value}.",
        "near_duplicate": f"A better face of {identity} is almost the same: similarity {value} (limit {threshold}).",
        "export_outlier": f"A member of {identity}, but {value} from its centroid, more than {threshold}.",
        "crop_failed": f"A member of {identity}, but no crop shows exactly this face: {which.replace('_', ' ')}.",
        "exported": f"In {identity}.",
    }
    return sentences.get(state, str(decision["state"]))


_GATES = {
    "face_short": "The shorter side of the face (px)",
    "blur": "The sharpness of the face (variance of the Laplacian)",
    "det_score": "The detector's confidence",
}


def _number(value: object) -> str:
    return "?" if value is None else f"{float(str(value)):.4g}"
