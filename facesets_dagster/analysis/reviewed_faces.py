"""The faces of one person, with what a reviewer sorts them by: rank, date, bucket, and how far from the others."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from facesets_dagster.analysis.reviewed import Reviewed, ReviewedPerson
from facesets_dagster.faces.photo_dates import years_on_record
from facesets_dagster.identities.geometry import normalised
from facesets_dagster.library.faceset_manifest import ExcludedFace, ExportedFace, read_faceset
from facesets_dagster.library.home import Home
from facesets_dagster.library.library import Library
from facesets_dagster.library.membership import rows_of_members
from facesets_dagster.library.numbering import faceset_folder

ORDERS = ("rank", "date", "bucket", "doubt")
"""By what the faces of a person can be listed."""


@dataclass(frozen=True)
class ReviewedFace:
    """A member of a person."""

    face_id: str
    bucket: str
    """Its key."""
    path: str
    """Of the photo in the bucket; empty where no cache knows the face."""
    joined_by: str
    rank: int | None
    """In the export, 1 = best; None of a face that is not exported."""
    state: str
    """`exported`, why it is not, or `waits`: it came by a ruling that is not published yet."""
    value: float | None
    threshold: float | None
    doubt: float | None
    """Cosine distance to the mean of the person's faces."""
    year: int | None


def faces_of(home: Home, library: Library, view: Reviewed, person: ReviewedPerson, by: str) -> list[ReviewedFace]:
    """The members in the order of `by`, one of `ORDERS`. Raises `LibraryCorrupt` for a damaged manifest."""
    rows = view.members[person.name]
    table = rows_of_members(library, home.cached, {face: bucket for face, (bucket, _) in rows.items()})
    known = table.filter(pl.col("face_id").is_in(list(rows))) if table is not None else None
    years, places, doubts = _years(home, known), _paths(known), _doubts(known)
    exported, excluded = _exports(library, view, person)
    found = [
        _face(face_id, bucket, how, places, exported.get(face_id), excluded.get(face_id), doubts, years)
        for face_id, (bucket, how) in rows.items()
    ]
    return sorted(found, key=_ORDERS[by])


def order_of(text: str | None) -> str:
    """The order that an address asks for; by rank if it asks for none that there is."""
    return text if text in ORDERS else ORDERS[0]


def best_face(library: Library, view: Reviewed, name: str) -> str | None:
    """The face that stands for a person: the one that somebody chose, the best exported one, or any member."""
    rows = view.members.get(name, {})
    identity = view.identities.get(name)
    manifest = read_faceset(library.folder / faceset_folder(name, identity.kind)) if identity else None
    shown = [face.face_id for face in manifest.shown_first() if face.face_id in rows] if manifest else []
    return shown[0] if shown else min(rows, default=None)


def _face(
    face_id: str,
    bucket: str,
    how: str,
    places: Mapping[str, tuple[str, str]],
    exported: ExportedFace | None,
    excluded: ExcludedFace | None,
    doubts: Mapping[str, float],
    years: Mapping[str, int],
) -> ReviewedFace:
    sha256, path = places.get(face_id, ("", ""))
    return ReviewedFace(
        face_id=face_id,
        bucket=bucket,
        path=path,
        joined_by=how,
        rank=exported.rank if exported else None,
        state="exported" if exported else excluded.state if excluded else "waits",
        value=excluded.value if excluded else None,
        threshold=excluded.threshold if excluded else None,
        doubt=doubts.get(face_id),
        year=years.get(sha256),
    )


def _exports(
    library: Library, view: Reviewed, person: ReviewedPerson
) -> tuple[dict[str, ExportedFace], dict[str, ExcludedFace]]:
    """What the published faceset says of its faces."""
    identity = view.identities.get(person.name)
    manifest = read_faceset(library.folder / faceset_folder(person.name, identity.kind)) if identity else None
    if manifest is None:
        return {}, {}
    return {face.face_id: face for face in manifest.faces}, {face.face_id: face for face in manifest.excluded}


def _paths(known: pl.DataFrame | None) -> dict[str, tuple[str, str]]:
    """face_id -> content and path of its photo."""
    if known is None:
        return {}
    return {face: (sha256, path) for face, sha256, path in known.select("face_id", "sha256", "path").iter_rows()}


def _doubts(known: pl.DataFrame | None) -> dict[str, float]:
    if known is None or not len(known):
        return {}
    unit = normalised(known["embedding"].to_numpy())
    far = 1 - unit @ normalised(unit.mean(axis=0)[None])[0]
    return dict(zip(known["face_id"], np.round(far, 4).tolist(), strict=True))


def _years(home: Home, known: pl.DataFrame | None) -> dict[str, int]:
    """Content -> year; no photo is opened."""
    return {} if known is None else years_on_record(known, home.cached, home.cache_dir)


_LAST = 1 << 30
_ORDERS = {
    "rank": lambda face: (face.rank or _LAST, face.state, face.face_id),
    "date": lambda face: (face.year or _LAST, face.path, face.face_id),
    "bucket": lambda face: (face.bucket, face.path, face.face_id),
    "doubt": lambda face: (-(face.doubt or 0.0), face.face_id),
}
