"""Why a face is where it is: the recorded decision of every face of a photo, in words."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from facesets_dagster.faces.store import CacheTables
from facesets_dagster.identities.geometry import cosine_distance, normalised
from facesets_dagster.identities.identity import Identity
from facesets_dagster.registry.registry import NOT_THEIRS

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
    """Of a face that has an identity as a member: the nearest one beside its own family, where it is known."""
    nearest_distance: float | None
    flags: list[str]
    why: str
    join: dict[str, float] | None = None
    """Of a face that came to its person by the second stage of clustering: `distance`, `threshold`, `faces` in the
    smaller of the two pieces and `others` in the larger."""
    rulings: list[str] = field(default_factory=list)
    """Ids of the rulings in force that name this face or made it a member."""


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
    bucket: str,
    tables: CacheTables,
    decisions: pl.DataFrame,
    contents: pl.Series,
    merged: Mapping[str, str] | None = None,
    identities: Sequence[Identity] = (),
    joins: pl.DataFrame | None = None,
) -> list[PhotoExplanation]:
    """The photos of a bucket with these content digests, by path.

    `decisions`: the bucket's funnel; `merged`: name -> the one that has its people now. The funnel keeps the names of
    its day; they are told as they are called now. `identities`: those among which the nearest is looked for; `joins`:
    of the bucket (`JOIN_SCHEMA`).
    """
    joined = {} if joins is None else {row.pop("face_id"): row for row in joins.to_dicts()}
    decided = {str(row["face_id"]): _named_now(row, merged or {}) for row in decisions.iter_rows(named=True)}
    found = []
    is_wanted = pl.col("sha256").is_in(contents.implode())
    wanted, all_files, all_faces = (table.filter(is_wanted) for table in (tables.contents, tables.files, tables.faces))
    for content in wanted.iter_rows(named=True):
        paths = all_files.filter(pl.col("sha256") == content["sha256"])["path"].sort().to_list()
        rows = all_faces.filter(pl.col("sha256") == content["sha256"]).sort(pl.col("bbox").arr.first())
        paths = paths or rows["path"].unique().sort().to_list()
        faces = [
            _with_join(_face(row, decided.get(row["face_id"]), identities), joined.get(row["face_id"]))
            for row in rows.iter_rows(named=True)
        ]
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


def _face(
    row: Mapping[str, Any], decision: Mapping[str, Any] | None, identities: Sequence[Identity]
) -> FaceExplanation:
    bbox = [round(float(side), 1) for side in row["bbox"]]
    face_id = str(row["face_id"])
    turned = [f"in the photo turned by {row['turn']} degrees clockwise: so the face is upright"] if row["turn"] else []
    if decision is None:
        why = "The bucket has not been published with this face yet; run it."
        return FaceExplanation(face_id, bbox, "not_run", None, None, None, None, None, turned, why)
    flags = turned + [flag for flag in ("source_missing", "truncated") if decision[flag]]
    if decision["ambiguous_with"]:
        flags.append(f"also within reach of {decision['ambiguous_with']}")
    flags += decision["merged_since"]
    columns = ("state", "value", "threshold", "identity", "nearest", "nearest_distance")
    found: dict[str, Any] = {name: decision[name] for name in columns}
    if found["identity"] is not None and found["state"] not in ("covered", *NOT_THEIRS):
        found["nearest"], found["nearest_distance"] = _nearest_other(row, found, identities)
    return FaceExplanation(face_id, bbox, flags=flags, why=reason(decision), **found)


def _with_join(face: FaceExplanation, join: dict[str, float] | None) -> FaceExplanation:
    if join is None or face.state in ("not_run", "covered"):
        return face
    return replace(face, join=join, flags=[*face.flags, join_words(**join)])


def join_words(distance: float, threshold: float, faces: float, others: float) -> str:
    """The sentence for a join of the second stage."""
    piece = "it" if faces == 1 else f"a piece of {faces:g} faces with it"
    group = "another face" if others == 1 else f"the mean of {others:g} others"
    return f"joined in the second stage: {piece} lay {distance:.3f} from {group}, at most {threshold:.3f}"


def _nearest_other(
    row: Mapping[str, Any], found: Mapping[str, Any], identities: Sequence[Identity]
) -> tuple[str | None, float | None]:
    """The nearest other identity of a member: the recorded one if no identities are given and it is another one."""
    if not identities:
        own = found["nearest"] == found["identity"]
        return (None, None) if own else (found["nearest"], found["nearest_distance"])
    families = {identity.name: identity.family for identity in identities}
    own_family = families.get(found["identity"], found["identity"])
    others = [i for i in identities if i.centroid is not None and i.family != own_family]
    if not others:
        return None, None
    unit = normalised(np.asarray(row["embedding"], np.float32)[None])
    distances = cosine_distance(unit, np.array([other.centroid for other in others]))[0]
    return min(((other.name, float(d)) for other, d in zip(others, distances, strict=True)), key=lambda p: (p[1], p[0]))


def _named_now(decision: dict[str, object], merged: Mapping[str, str]) -> dict[str, object]:
    columns = ("identity", "nearest", "ambiguous_with")
    then = sorted({name for column in columns if (name := str(decision[column])) in merged})
    now = {column: merged.get(str(decision[column]), decision[column]) for column in columns}
    return {**decision, **now, "merged_since": [f"{name} was merged into {merged[name]}" for name in then]}


def reason(decision: Mapping[str, object]) -> str:
    """The sentence for a row of the funnel."""
    state, _, which = str(decision["state"]).partition(":")
    value, threshold = (_number(decision[key]) for key in ("value", "threshold"))
    identity, ruling = decision["identity"] or "no faceset", decision.get("ruling")
    if state.endswith("_gate"):
        when = "to be exported" if state == "below_export_gate" else "to count"
        return f"{_GATES.get(which, which)} is {value}, {when} it must be at least {threshold}."
    if state == "covered" and decision["threshold"] is None:
        return f"The same photo is a member of {identity} already, through another bucket."
    sentences = {
        "ignored": _ignored(decision),
        "ruled_out": f"It is not {identity}: ruling {ruling}. The next run of the bucket judges it again.",
        "covered": f"Belongs to {identity} already: cos-dist {value}, at most {threshold}.",
        "outlier": f"Lies {value} from its cluster's centroid, more than {threshold}.",
        "small_cluster": f"Its person has {value} distinct photo(s) here; it takes {threshold} to found an identity.",
        "same_photo": f"Another face of this photo is nearer to {identity} ({threshold}); this one lies at {value}.",
        "near_duplicate": _near_duplicate(which, identity, value, threshold),
        "export_outlier": f"A member of {identity}, but {value} from its centroid, more than {threshold}.",
        "cut_off": f"A member of {identity}, but {_percent(decision['value'])} of its crop could not be decoded.",
        "crop_failed": f"A member of {identity}, but {_crop(which, value, threshold)}.",
        "withheld": f"A member of {identity} that would be exported, at rank {value}; `consent.yaml` withholds it.",
        "exported": f"In {identity}{_filled(decision)}.",
    }
    return sentences.get(state, str(decision["state"]))


def _ignored(decision: Mapping[str, object]) -> str:
    """Whether the ruling names this face, or how near it lies to those that it names."""
    whom, ruling = decision["identity"] or "It", decision.get("ruling")
    if decision["value"] is None:
        return f"{whom} is ignored: ruling {ruling} names this face."
    value, threshold = (_number(decision[key]) for key in ("value", "threshold"))
    return f"{whom} is ignored: ruling {ruling}. Its nearest face there lies at cos-dist {value}, at most {threshold}."


def _near_duplicate(which: str, identity: object, value: str, threshold: str) -> str:
    if which == "copy":
        return f"A copy of a photo of which {identity} has a better one: similarity {value}, and the pixels agree."
    return f"A better face of {identity} is almost the same: similarity {value} (limit {threshold})."


def _filled(decision: Mapping[str, object]) -> str:
    """What a face that fills a set up lacks; nothing for one that passes every gate."""
    if decision["value"] is None or decision["threshold"] is None:
        return ""
    value, threshold = (_number(decision[key]) for key in ("value", "threshold"))
    return (
        f", filled: {_GATES['face_short'][0].lower()}{_GATES['face_short'][1:]} is {value}, below the export gate of "
        f"{threshold}, and too few of its faces pass that"
    )


def _crop(why: str, value: str, threshold: str) -> str:
    sentences = {
        "no_face_found": "the detector finds no face in the picture that was cut out",
        "several_faces_found": f"the picture that was cut out shows {value} faces",
        "looks_different": "the picture that was cut out does not look like the face in the photo or like the person: "
        f"cos-dist {value}, more than {threshold}",
    }
    return sentences.get(why, f"no picture could be cut out: {why.replace('_', ' ')}")


_GATES = {
    "face_short": "The shorter side of the face (px)",
    "blur": "The sharpness of the face (variance of the Laplacian)",
    "det_score": "The detector's confidence",
    "quality": "The quality of the embedding (its raw length over a good face's)",
}


def _percent(value: object) -> str:
    return "a part" if value is None else f"{float(str(value)):.0%}"


def _number(value: object) -> str:
    return "?" if value is None else f"{float(str(value)):.4g}"
