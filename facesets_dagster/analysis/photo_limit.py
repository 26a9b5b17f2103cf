"""How far the faces of one photo allow the threshold of average linkage to go, over all buckets."""

import numpy as np
import polars as pl

from facesets_dagster.identities.geometry import lengths, normalised
from facesets_dagster.identities.same_photo import PhotoFaces
from facesets_dagster.identities.threshold_offer import photo_limit
from facesets_dagster.linkage import average_merges

MOST_FACES = 50_000
"""Beyond so many only the faces of photos with several faces are linked: others say nothing themselves, but may bring
two of them together, so the limit is the looser one."""


def limit_of(faces: pl.DataFrame, *, cluster_distance: float, apart: float, farthest: float) -> float:
    """The largest distance, `farthest` at most, at which photos show no more mixed people than happens by chance.

    `faces`: face table. `cluster_distance`: the present one; `apart`: two faces of a photo that are no farther apart
    may be one person (`same_photo.PhotoFaces.pairs`).
    """
    if len(faces) > MOST_FACES:
        faces = faces.filter(pl.len().over("sha256") > 1)
    if len(faces) < 2:
        return farthest
    raw = faces["embedding"].to_numpy()
    photos = np.unique(faces["sha256"].to_numpy().astype(str), return_inverse=True)[1]
    known = PhotoFaces(normalised(raw), lengths(raw), photos, faces["bbox"].to_numpy())
    pairs = known.pairs(apart)
    return photo_limit(average_merges(known.unit, farthest), pairs, photos, cluster_distance)
