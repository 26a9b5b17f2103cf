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
from facesets_dagster.identities.merging import is_marked, whose
from facesets_dagster.identities.projection import RULED
from facesets_dagster.identities.ruling_words import in_short, names_face, said
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.library.home import Home
from facesets_dagster.library.library import Library
from facesets_dagster.registry.joins import joins_of
from facesets_dagster.registry.merges import redirects
from facesets_dagster.registry.rulings import rulings_in_force


def explained_photos(home: Home, target: str) -> list[PhotoExplanation]:
    """Every photo that the target means: a file, `BUCKET/PATH`, or a face_id. Raises `BucketError` if it means none."""
    library, found = home.library(), list[PhotoExplanation]()
    merged, rulings = redirects(library.registry), rulings_in_force(library.registry)
    identities = [one for one in library.snapshot().live() if one.kind != "thin_era"]
    for asked in asked_photos(home, target):
        if len(asked.contents):
            decisions = library.registry.decisions(asked.bucket)
            joins = joins_of(library.registry, asked.bucket)
            photos = explain_contents(asked.bucket, asked.tables, decisions, asked.contents, merged, identities, joins)
            found += [_with_rulings(photo, rulings, library) for photo in photos] if rulings else photos
        elif asked.path is not None:
            found += explain_unread(asked.bucket, asked.tables, asked.path)
    return found


def _with_rulings(photo: PhotoExplanation, rulings: Sequence[Ruling], library: Library) -> PhotoExplanation:
    snapshot = library.snapshot()
    people = {one.name for one in snapshot.people()}
    rows = snapshot.rows_of_faces([face.face_id for face in photo.faces])
    how = {face: way for name, face, way in rows.select("name", "face_id", "joined_by").iter_rows() if name in people}
    return replace(photo, faces=[_ruled(face, rulings, how.get(face.face_id, "")) for face in photo.faces])


def _ruled(face: FaceExplanation, rulings: Sequence[Ruling], how: str) -> FaceExplanation:
    """The face with the rulings that name it, and the one that made it a member."""
    made = [one for one in rulings if how == RULED + one.ruling_id]
    if is_marked(how):
        made = [one for one in rulings if one.kind == "same" and whose(how, "") in one.names.values()]
    about = [*(one for one in rulings if names_face(one, face.face_id) and one not in made), *made]
    lines = [f"ruling {one.ruling_id}: {said(one)} ({in_short(one)})" for one in about]
    return replace(face, rulings=[one.ruling_id for one in about], flags=[*face.flags, *lines])
