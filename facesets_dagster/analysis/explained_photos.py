"""The faces of the photos that somebody names, with what decided each: the funnel, joins, and rulings."""

from collections.abc import Sequence
from dataclasses import replace

from facesets_dagster.analysis.asked_photos import asked_photos
from facesets_dagster.analysis.explanation import (
    FaceExplanation,
    PhotoExplanation,
    explain_contents,
    explain_unread,
)
from facesets_dagster.analysis.rulings_on import rulings_on_face
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.library.bindings import known_rulings
from facesets_dagster.library.home import Home
from facesets_dagster.library.library import Library
from facesets_dagster.registry.joins import joins_of
from facesets_dagster.registry.merges import redirects


def explained_photos(home: Home, target: str) -> list[PhotoExplanation]:
    """Every photo that the target means: a file, `BUCKET/PATH`, or a face_id. Raises `BucketError` if it means none."""
    library, found = home.library(), list[PhotoExplanation]()
    merged = redirects(library.registry)
    identities = [one for one in library.snapshot().live() if one.kind != "thin_era"]
    for asked in asked_photos(home, target):
        if len(asked.contents):
            decisions = library.registry.decisions(asked.bucket)
            joins = joins_of(library.registry, asked.bucket)
            found += explain_contents(asked.bucket, asked.tables, decisions, asked.contents, merged, identities, joins)
        elif asked.path is not None:
            found += explain_unread(asked.bucket, asked.tables, asked.path)
    return with_rulings(found, library)


def with_rulings(photos: Sequence[PhotoExplanation], library: Library) -> list[PhotoExplanation]:
    """The photos with the rulings that name their faces or made them members."""
    rulings = known_rulings(library.registry)
    if not rulings:
        return list(photos)
    snapshot = library.snapshot()
    people = {one.name for one in snapshot.people()}
    rows = snapshot.rows_of_faces([face.face_id for photo in photos for face in photo.faces])
    how = {face: way for name, face, way in rows.select("name", "face_id", "joined_by").iter_rows() if name in people}
    return [
        replace(photo, faces=[_ruled(face, rulings, how.get(face.face_id, "")) for face in photo.faces])
        for photo in photos
    ]


def _ruled(face: FaceExplanation, rulings: Sequence[Ruling], how: str) -> FaceExplanation:
    about = rulings_on_face(rulings, face.face_id, how)
    lines = [one.line() for one in about]
    return replace(face, rulings=[one.ruling_id for one in about], flags=[*face.flags, *lines])
