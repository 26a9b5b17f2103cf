"""The people whom a person, or some faces, look most like: what a choice of people begins with."""

from collections.abc import Collection

import numpy as np
import polars as pl

from facesets_dagster.analysis.reviewed import Reviewed
from facesets_dagster.identities.geometry import normalised
from facesets_dagster.library.home import Home
from facesets_dagster.library.library import Library
from facesets_dagster.library.membership import rows_of_members


def similar_people(
    home: Home, library: Library, view: Reviewed, name: str, face_ids: Collection[str], most: int
) -> list[tuple[str, float]]:
    """Name and cosine distance of the nearest others, the nearest first; without the person itself.

    Of these members of the person, or of the whole person without any.
    """
    places = {face: bucket for face, (bucket, _) in view.members[name].items() if not face_ids or face in face_ids}
    table = rows_of_members(library, home.cached, places) if places else None
    mine = table.filter(pl.col("face_id").is_in(list(places))) if table is not None else None
    if mine is None or not len(mine):
        return []
    mean = normalised(normalised(mine["embedding"].to_numpy()).mean(axis=0)[None])[0]
    model = mine["model_id"][0]
    others = [
        (person.name, known.centroid)
        for person in view.people
        if person.name != name
        and (known := view.identities.get(person.name)) is not None
        and known.centroid is not None
        and known.model_id == model
    ]
    if not others:
        return []
    far = 1 - np.stack([centroid for _, centroid in others]) @ mean
    order = np.argsort(far, kind="stable")[:most]
    return [(others[place][0], round(float(far[place]), 4)) for place in order]
