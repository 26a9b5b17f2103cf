"""Rulings made with another model, whose faces the present one had not seen: found again once their photos are there.

A home that was embedded anew (`publishing.reembedding`) may have left some. A ruling of which enough is found again is
obeyed from then on, unless it contradicts one that was made meanwhile, or that one says something else of the same:
then it goes on sleeping.
"""

from collections.abc import Collection, Sequence

import polars as pl

from facesets_dagster.identities.reanchoring import Reanchored, reanchored, renamed_in
from facesets_dagster.identities.ruling_closure import contradiction
from facesets_dagster.identities.rulings import Ruling, RulingFace
from facesets_dagster.identities.superseding import superseded_by
from facesets_dagster.library.library import Library
from facesets_dagster.library.membership import StoreOf
from facesets_dagster.publishing.reembed.old_faces import boxes_by_content, boxes_of_rulings
from facesets_dagster.publishing.rulings.subjects import ruling_faces
from facesets_dagster.registry.carried_over import read_face_rows
from facesets_dagster.registry.reanchored_rulings import reanchor, rulings_model
from facesets_dagster.registry.ruled import made_by_splits, names_of_parts
from facesets_dagster.registry.rulings import all_rulings, rulings_in_force


def wake(library: Library, store_of: StoreOf, model_id: str) -> list[str]:
    """Looks for faces that the model has not been seen with; gives the ids of rulings that are in force again."""
    registry = library.registry
    if rulings_model(registry) != model_id:
        return []  # never embedded anew
    rulings = {one.ruling_id: one for one in all_rulings(registry, of_all_models=True) if _lacks(one, model_id)}
    if not rulings:
        return []
    rows = read_face_rows(registry)
    in_use = {str(row["name"]) for row in (*rows.members, *rows.unruled_members)}
    seen = _seen(list(rulings.values()), store_of, model_id)
    found = [reanchored(ruling, seen, model_id, in_use) for ruling in rulings.values()]
    changed = [_unless_contradicted(library, rulings[one.ruling_id], one) for one in found]
    reanchor(registry, [one for one in changed if one.changes(rulings[one.ruling_id])], model_id)
    return [one.ruling_id for one in changed if (one.state, rulings[one.ruling_id].state) == ("in_force", "dormant")]


def _lacks(ruling: Ruling, model_id: str) -> bool:
    """Whether another model has seen more of its faces, or it sleeps."""
    own, others = dict[tuple[str, str], int](), dict[tuple[str, str, str], int]()
    for face in ruling.faces:
        if face.model_id == model_id:
            own[face.role, face.photo_sha256] = own.get((face.role, face.photo_sha256), 0) + 1
        else:
            key = (face.role, face.photo_sha256, face.model_id)
            others[key] = others.get(key, 0) + 1
    return ruling.state == "dormant" or any(count > own.get(key[:2], 0) for key, count in others.items())


def _seen(rulings: Sequence[Ruling], store_of: StoreOf, model_id: str) -> dict[str, RulingFace]:
    """face_id of another model -> the same face by this one, where the caches have its photo."""
    missing = [face for one in rulings for face in one.faces if face.model_id != model_id]
    rows = _rows(missing, store_of)
    if rows.is_empty():
        return {}
    by_id = {face.face_id: face for face in ruling_faces(rows, "face")}
    after, found = boxes_by_content(rows), dict[str, RulingFace]()
    for model in sorted({face.model_id for face in missing}):
        for sha256, before in boxes_of_rulings(face for face in missing if face.model_id == model).items():
            if sha256 in after:
                found.update((old, by_id[new]) for old, new in renamed_in(before, after[sha256]).items())
    return found


def _rows(faces: Collection[RulingFace], store_of: StoreOf) -> pl.DataFrame:
    contents = sorted({face.photo_sha256 for face in faces})
    tables = [store_of(bucket).columns("faces") for bucket in sorted({face.bucket for face in faces})]
    found = [table.filter(pl.col("sha256").is_in(contents)) for table in tables]
    return pl.concat(found).unique("face_id", keep="first", maintain_order=True) if found else pl.DataFrame()


def _unless_contradicted(library: Library, ruling: Ruling, after: Reanchored) -> Reanchored:
    """Asleep too where a later ruling says something else of the same."""
    if (ruling.state, after.state) != ("dormant", "in_force"):
        return after
    in_force = rulings_in_force(library.registry)
    made = names_of_parts(made_by_splits(library.registry))
    if contradiction([*in_force, ruling], made) is not None:
        return after.asleep()
    later = [one for one in in_force if one.sequence > ruling.sequence]
    return after.asleep() if any(superseded_by(one, [ruling]) for one in later) else after
