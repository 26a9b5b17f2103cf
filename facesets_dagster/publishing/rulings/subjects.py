"""The faces that a ruling speaks of, as they are put on record: photo, box and embedding."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from facesets_dagster.errors import LibraryError
from facesets_dagster.identities.exemplars import exemplars
from facesets_dagster.identities.geometry import normalised
from facesets_dagster.identities.projection import PART
from facesets_dagster.identities.rulings import MOST_EXEMPLARS, Ruling, RulingFace
from facesets_dagster.library.library import Library
from facesets_dagster.library.membership import StoreOf, bucket_faces, rows_of_members
from facesets_dagster.registry.rulings import complete_faces, incomplete_faces, unpublished_rulings


@dataclass(frozen=True)
class Subjects:
    """Where faces are looked up."""

    library: Library
    store_of: StoreOf
    known: Mapping[str, pl.DataFrame] | None = None
    """Rows of people whose faces are read already; others are looked up."""
    leaving: frozenset[str] | None = None
    """Faces that rulings which wait to be applied move, each by itself; None: looked up."""

    def loaded(self, names: Collection[str]) -> "Subjects":
        """The same with the faces of these people in memory: each bucket is read once."""
        leaving, snapshot = self._leaving(), self.library.snapshot()
        snapshot.members(names)  # in few queries; one each would follow
        places = {name: snapshot.places(name) for name in names}
        wanted = {face: bucket for rows in places.values() for face, bucket in rows.items()}
        rows = rows_of_members(self.library, self.store_of, wanted) if wanted else None
        if rows is None:
            return replace(self, known=dict.fromkeys(names, pl.DataFrame()), leaving=leaving)
        rows = rows.sort("face_id")
        row_of = {face: row for row, face in enumerate(rows["face_id"])}
        found = {name: rows[sorted(row_of[face] for face in of if face in row_of)] for name, of in places.items()}
        return replace(self, known=found, leaving=leaving)

    def of_identity(self, name: str, role: str, most: int = MOST_EXEMPLARS) -> list[RulingFace]:
        """Faces that stand for an identity, with embeddings; none of one whose faces are not known here.

        Faces that a ruling moves as soon as it is applied stand for nobody, where there are others.
        """
        rows = self.rows_of(name)
        leaving = self._leaving() if len(rows) else frozenset[str]()
        staying = rows.filter(~pl.col("face_id").is_in(leaving)) if leaving else rows
        return _chosen(staying if len(staying) else rows, role, most)

    def _leaving(self) -> frozenset[str]:
        if self.leaving is not None:
            return self.leaving
        waiting = (one for one in unpublished_rulings(self.library.registry) if one.state == "in_force")
        return frozenset(face.face_id for one in waiting for face in one.of_role(*_moved_by(one)))

    def rows_of(self, name: str) -> pl.DataFrame:
        """Rows of the face table of an identity's members, by face_id."""
        if self.known is not None and name in self.known:
            return self.known[name]
        places = self.library.snapshot().places(name)
        rows = rows_of_members(self.library, self.store_of, places) if places else None
        if rows is None:
            return pl.DataFrame()
        return rows.filter(pl.col("face_id").is_in(list(places))).sort("face_id")

    def faces(self, places: Mapping[str, str | None], role: str, *, vectors: bool = True) -> list[RulingFace]:
        """Faces by face_id -> bucket, None: wherever it is. Raises `LibraryError` for one that is nowhere."""
        found: dict[str, RulingFace] = {}
        for bucket in dict.fromkeys(places.values()):
            wanted = [face for face, place in places.items() if place == bucket]
            rows = self._rows_in(bucket, wanted) if bucket is not None else self._rows_anywhere(wanted)
            found.update((face.face_id, face) for face in ruling_faces(rows, role, vectors=vectors))
        missing = [face for face in places if face not in found]
        if missing:
            raise LibraryError(
                f"No bucket holds the face {missing[0]}. `facesets explain PHOTO` lists the faces of a photo. Nothing "
                "was changed."
            )
        return [found[face] for face in places]

    def _rows_in(self, bucket: str, face_ids: Sequence[str]) -> pl.DataFrame:
        rows = bucket_faces(self.store_of(bucket), self.library, bucket)
        return rows.filter(pl.col("face_id").is_in(list(face_ids)))

    def _rows_anywhere(self, face_ids: Sequence[str]) -> pl.DataFrame:
        found: list[pl.DataFrame] = []
        missing = set(face_ids)
        for bucket in sorted(run.bucket for run in self.library.registry.bucket_runs()):
            rows = self._rows_in(bucket, sorted(missing)) if missing else pl.DataFrame()
            if len(rows):
                found.append(rows)
                missing -= set(rows["face_id"])
        return pl.concat(found) if found else pl.DataFrame()


def _moved_by(ruling: Ruling) -> tuple[str, ...]:
    """Roles of the faces that a ruling moves by themselves, not as all that somebody has."""
    if ruling.kind == "split":
        return tuple(role for part in ruling.parts()[1:] for role in (part, PART + part))
    return ("face",) if ruling.kind in ("assign", "not_person", "ignore", "not_a_face") else ()


def ruling_faces(rows: pl.DataFrame, role: str, *, vectors: bool = True) -> list[RulingFace]:
    """Rows of the face table as faces of a ruling, in their order."""
    if not len(rows):
        return []
    unit = normalised(rows["embedding"].to_numpy()).astype(np.float16)
    columns = ("sha256", "bbox", "photo_width", "photo_height", "face_id", "bucket", "model_id")
    found = []
    for place, row in enumerate(rows.select(columns).iter_rows()):
        sha256, bbox, width, height, face_id, bucket, model_id = row
        x1, y1, x2, y2 = map(float, bbox)
        vector = unit[place] if vectors else None
        found.append(RulingFace(role, sha256, (x1, y1, x2, y2), width, height, face_id, bucket, model_id, vector))
    return found


def _chosen(rows: pl.DataFrame, role: str, most: int) -> list[RulingFace]:
    if not len(rows):
        return []
    return ruling_faces(rows[exemplars(normalised(rows["embedding"].to_numpy()), most)], role)


def complete(subjects: Subjects) -> None:
    """Completes faces of which an older release kept only the name, as far as caches or face sets know them."""
    registry, found = subjects.library.registry, list[RulingFace]()
    for bucket, roles in sorted(incomplete_faces(registry).items()):
        rows = bucket_faces(subjects.store_of(bucket), subjects.library, bucket)
        found += ruling_faces(rows.filter(pl.col("face_id").is_in(list(roles))), "face")
    if found:
        complete_faces(registry, found)


def with_role(faces: Iterable[RulingFace], role: str) -> list[RulingFace]:
    """The same faces in another role."""
    return [RulingFace(**{**vars(face), "role": role}) for face in faces]
