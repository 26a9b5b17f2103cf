"""What the library shows of each person: faces that are exported, as vectors, and members by photo."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.identities.geometry import normalised
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.faceset_manifest import read_faceset
from facesets_dagster.library.library import Library
from facesets_dagster.library.marks import marks_of
from facesets_dagster.library.membership import StoreOf, rows_of_members
from facesets_dagster.library.numbering import faceset_folder

_CONTENT_DIGITS = 16
"""Of a face_id: the photo's content."""


@dataclass(frozen=True)
class Shown:
    """One person's faces."""

    unit: NDArray[np.float32]
    """(n, dim), unit length, in rank order; of a legacy faceset that was never published here, of all members."""
    exported: int
    """Faces that its folder holds; of an unpublished one its members."""


def shown_faces(library: Library, store_of: StoreOf, people: Sequence[Identity]) -> dict[str, Shown]:
    """Name -> its faces, by the vectors file of its folder, or else by the caches."""
    found = {}
    for person in people:
        path = library.folder / faceset_folder(person.name, person.kind) / f"{person.name}.npz"
        if path.exists():
            with np.load(path, allow_pickle=False) as vectors:
                unit = normalised(vectors["embeddings"])
        else:
            places = library.snapshot().places(person.name)
            rows = rows_of_members(library, store_of, places) if places else None
            mine = None if rows is None else rows.filter(pl.col("face_id").is_in(list(places))).sort("face_id")
            unit = np.zeros((0, 1), np.float32) if mine is None else normalised(mine["embedding"].to_numpy())
        found[person.name] = Shown(unit, len(unit))
    return found


def faces_by_photo(library: Library, people: Sequence[Identity]) -> dict[str, Mapping[str, frozenset[str]]]:
    """Name -> photo (16 digits of its content's sha256) -> the person's faces in it.

    A second face of a photo that curation set aside (`same_photo`) is not the person's. Photos of which a ruling says
    that they show one person several times are left out.
    """
    allowed = {face[:_CONTENT_DIGITS] for group in marks_of(library).together for face in group}
    members = library.snapshot().members(person.name for person in people)
    found: dict[str, Mapping[str, frozenset[str]]] = {}
    for person in people:
        photos: dict[str, set[str]] = {}
        for face_id in members.get(person.name, {}):
            photos.setdefault(face_id[:_CONTENT_DIGITS], set()).add(face_id)
        if any(len(faces) > 1 for faces in photos.values()):
            manifest = read_faceset(library.folder / faceset_folder(person.name, person.kind))
            for entry in manifest.excluded if manifest else ():
                if entry.state == "same_photo":
                    photos.get(entry.face_id[:_CONTENT_DIGITS], set()).discard(entry.face_id)
        found[person.name] = {
            photo: frozenset(faces) for photo, faces in sorted(photos.items()) if photo not in allowed
        }
    return found
