"""Whether a bucket's photos show that its distances are too loose: part of the account of `osrc_clusters`."""

import numpy as np
import polars as pl

from facesets_dagster.faces.store import FaceStore
from facesets_dagster.identities.cluster_table import ClusterTable
from facesets_dagster.identities.geometry import lengths, normalised
from facesets_dagster.identities.same_photo import FEWEST_PHOTOS, Distances, Looseness, PhotoFaces, looseness
from facesets_dagster.wording import counted


def bucket_looseness(clusters: ClusterTable, store: FaceStore) -> Looseness | None:
    """What the photos with two faces in one cluster say of the run's distances.

    None, without a look at any embedding, where there are hardly any such photos.
    """
    numbers = clusters.parameters
    groups = clusters.frame.select("face_id", group=_group()).drop_nulls()
    faces = store.columns("faces", "sha256", "face_short").join(groups, on="face_id")
    faces = faces.filter(pl.col("face_short") >= numbers.min_clustered_px)
    together = faces.filter(pl.len().over("sha256", "group") > 1)
    if together["sha256"].n_unique() < FEWEST_PHOTOS:
        return None
    several = faces.filter(pl.len().over("sha256") > 1).select("face_id", "sha256", "group")
    rest = faces.filter(pl.col("group").is_in(together["group"].unique().to_list()) & (pl.len().over("sha256") == 1))
    rows = pl.concat([several, rest.select(several.columns)]).sort("face_id")
    rows = rows.join(store.columns("faces", "bbox", "embedding"), on="face_id", how="left", maintain_order="left")
    raw = rows["embedding"].to_numpy()
    by_photo = PhotoFaces(
        normalised(raw),
        numbers.quality(lengths(raw)),
        np.unique(rows["sha256"].to_numpy().astype(str), return_inverse=True)[1].astype(np.int64),
        rows["bbox"].to_numpy(),
    )
    group = np.unique(rows["group"].to_numpy().astype(str), return_inverse=True)[1].astype(np.int64)
    distances = Distances(numbers.cluster_distance, numbers.join_rule())
    return looseness(by_photo, group, distances, clusters.cover_distance)


def _group() -> pl.Expr:
    """The person or the cluster that a face is in; null for none."""
    person = pl.when(pl.col("state").is_in(["member", "joining"])).then(pl.col("identity"))
    cluster = pl.when(pl.col("cluster") >= 0).then(pl.format("cluster {}", pl.col("cluster")))
    return pl.coalesce(person, cluster)


def too_loose_in_words(found: Looseness | None) -> str:
    """The warning; empty if there is nothing to warn of."""
    if found is None or not found.too_loose:
        return ""
    safe = ", ".join(f"{name} {value:g}" for name, value in found.safe.items())
    return (
        f"In {counted(found.mixed, 'photo')} of {found.photos} with two people, two of them are in one cluster: a "
        "distance is too loose for these photos, unless they are collages or mirrors. At these distances it is rare: "
        f"{safe}. Try them with `facesets what-if`, set them in run config, or let `facesets calibrate` set them for "
        "the home."
    )
