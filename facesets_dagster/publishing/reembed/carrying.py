"""What the registry says of faces, in the words of another model. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.export.folder import FacesetContent
from facesets_dagster.identities.consent import WITHHELD
from facesets_dagster.identities.gates import Verdict
from facesets_dagster.identities.geometry import centroid, normalised
from facesets_dagster.identities.ignoring import reach_of
from facesets_dagster.identities.merging import Rows
from facesets_dagster.identities.reanchoring import Reanchored, reanchored, renamed_payload
from facesets_dagster.identities.rulings import STANDS_FOR, Ruling, RulingFace
from facesets_dagster.publishing.reembed.seen_anew import Place, SeenAnew
from facesets_dagster.registry.carried_over import Row
from facesets_dagster.registry.ruled import StoodBefore, members_digest

_OF_A_MODEL = ("value", "threshold", "nearest", "nearest_distance", "ambiguous_with")
"""Columns of a funnel whose numbers another model made."""
_OUTLIER = {"state": "outlier", "identity": None, "ruling": None}


def carried_members(rows: Iterable[Row], seen: SeenAnew) -> list[Row]:
    """Rows of members with the new ids; those that the new model does not have are left out."""
    found = [{**row, "face_id": seen.renamed[row["face_id"]]} for row in rows if row["face_id"] in seen.renamed]
    return [row for row in found if (row["bucket"], row["face_id"]) in seen.places]


def carried_decisions(
    rows: Iterable[Row], seen: SeenAnew, contents: Mapping[str, FacesetContent], gone: AbstractSet[str]
) -> list[Row]:
    """The funnels with the new ids, without the old model's numbers.

    `contents`: of the facesets of people, which say how their members end; `gone`: people who go out of use.
    """
    found: dict[Place, Row] = {}
    for row in carried_members(rows, seen):
        gives_up = row["identity"] in gone and row["state"] in ("exported", WITHHELD)
        found[row["bucket"], row["face_id"]] = {
            **row,
            **dict.fromkeys(_OF_A_MODEL),
            **(_OUTLIER if gives_up else {}),
        }
    for name, content in sorted(contents.items()):
        verdicts, columns = content.verdicts(), ("bucket", "face_id", "source_missing", "truncated")
        for row in content.members.select(columns).iter_rows(named=True):
            verdict = verdicts.get(row["face_id"], Verdict("exported"))
            ends = {"state": verdict.state, "value": verdict.value, "threshold": verdict.threshold}
            blank = {"nearest": None, "nearest_distance": None, "ambiguous_with": None, "ruling": None}
            found[row["bucket"], row["face_id"]] = {**blank, **row, **ends, "identity": name}
    return [found[place] for place in sorted(found)]


def rows_by_name(rows: Iterable[Row]) -> dict[str, Rows]:
    """Identity -> its members."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for row in rows:
        found.setdefault(row["name"], {})[row["face_id"]] = (row["bucket"], row["joined_by"])
    return {name: dict(sorted(some.items())) for name, some in found.items()}


@dataclass(frozen=True)
class Vectors:
    """Embeddings of the new model by face."""

    unit: Mapping[str, NDArray[np.float32]]
    """face_id -> unit embedding (dim,)."""

    @classmethod
    def of(cls, rows: pl.DataFrame) -> "Vectors":
        """Of rows of the face table."""
        once = rows.unique("face_id", keep="first", maintain_order=True)
        units = normalised(once["embedding"].to_numpy()) if len(once) else np.zeros((0, 1), np.float32)
        return cls(dict(zip(once["face_id"].to_list(), units, strict=True)))

    def centroid(self, faces: Iterable[str]) -> NDArray[np.float32] | None:
        """(dim,), unit length, of these faces; None if none is known."""
        known = [self.unit[face] for face in sorted(faces) if face in self.unit]
        return centroid(np.array(known, np.float32)) if known else None


def carried_records(
    records: Mapping[str, StoodBefore], before: Mapping[str, Rows], after: Mapping[str, Rows], seen: SeenAnew,
    vectors: Vectors,
) -> list[StoodBefore]:  # fmt: skip
    """How identities stood before rulings; `before`, `after`: their members without rulings, in both models' ids."""
    found = []
    for name, record in sorted(records.items()):
        decisions = None
        if record.unpublished is not None:
            decisions = tuple(
                (bucket, seen.renamed[face], state, None, None, identity)
                for bucket, face, state, _, _, identity in record.unpublished
                if face in seen.renamed
            )
        stood = record.members_digest is not None and record.members_digest == members_digest(before.get(name, {}))
        middle = vectors.centroid(after.get(name, {})) if record.centroid is not None else None
        found.append(
            replace(
                record,
                unpublished=decisions,
                members_digest=members_digest(after.get(name, {})) if stood else record.members_digest,
                centroid=middle.tobytes() if middle is not None else None,
            )
        )
    return found


@dataclass(frozen=True)
class NewModel:
    """What rulings need to know of the library with the new model."""

    model_id: str
    renamed: Mapping[str, str]
    seen: Mapping[str, RulingFace]
    """face_id of the old model -> the same face by the new one."""
    in_use: AbstractSet[str]
    """Face sets that have members."""
    kept: Mapping[str, NDArray[np.float32]]
    """Live person -> centroid (dim,)."""
    digests: Mapping[str, str]
    """Digest of a faceset's content with the old model -> with the new one."""
    cover_distance: float


def carried_rulings(rulings: Sequence[Ruling], new: NewModel) -> list[Reanchored]:
    """What becomes of every ruling, those that were taken back included."""
    found = []
    for ruling in rulings:
        one = reanchored(ruling, new.seen, new.model_id, new.in_use)
        payload = renamed_payload(ruling, new.renamed, new.digests)
        if ruling.kind == "ignore" and "reach" in payload:
            payload["reach"] = _reach(ruling, one, new)
        found.append(replace(one, payload=payload))
    return found


def _reach(ruling: Ruling, one: Reanchored, new: NewModel) -> float:
    """How far an ignored person reaches with the new model."""
    faces = [face for face in (*ruling.faces, *one.new, *one.same) if face.role == "exemplar"]
    known = {face.face_id: face.unit() for face in faces if face.model_id == new.model_id}
    unit = np.array([vector for vector in known.values() if vector is not None], np.float32)
    others = [middle for name, middle in sorted(new.kept.items()) if name != ruling.names.get(STANDS_FOR)]
    return reach_of(unit, np.array(others, np.float32), new.cover_distance)
