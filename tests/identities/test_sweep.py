"""One linkage cut at many distances, and cluster tables that are those of a run of their own."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesets_dagster.identities.cluster_table import DiscoveryParameters
from facesets_dagster.identities.clustering import average_linkage
from facesets_dagster.identities.coverage import Coverage, cover
from facesets_dagster.identities.coverage_table import coverage_table
from facesets_dagster.identities.discovery import discover
from facesets_dagster.identities.geometry import normalised
from facesets_dagster.identities.identity import Identity
from facesets_dagster.identities.sweep import ClusterSweep, Cuts

DIM = 16


def people(seed: int, count: int, *, spread: float = 0.8) -> np.ndarray:
    """Faces (n, dim) of about a quarter as many people."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(count // 4, 1), DIM))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    noise = spread * rng.normal(size=(count, DIM)) / np.sqrt(DIM)
    return (centres[rng.integers(0, len(centres), count)] + noise).astype(np.float32)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(0, 60), st.lists(st.floats(0.05, 1.2), min_size=1, max_size=5))
def test_cuts_are_the_partitions_of_a_linkage_of_their_own(seed: int, count: int, distances: list[float]) -> None:
    unit = normalised(people(seed, count)) if count else np.zeros((0, DIM), np.float32)
    cuts = Cuts(unit, max(distances))
    for distance in distances:
        assert cuts.labels_at(distance).tolist() == average_linkage(unit, distance).tolist()


def face_table(seed: int, count: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "face_id": [f"f{number:03d}" for number in range(count)],
            "sha256": [f"photo{number}" for number in rng.integers(0, max(count, 1), count)],
            "face_short": rng.uniform(50, 150, count).astype(np.float32),
            "blur": rng.uniform(10, 100, count).astype(np.float32),
            "det_score": rng.uniform(0.4, 0.9, count).astype(np.float32),
            "model_id": ["m"] * count,
            "embedding": people(seed, count),
        }
    )


def identity(number: int, centroid: np.ndarray, bucket: str) -> Identity:
    name = f"faceset_{number:03d}"
    return Identity(number, name, number, "discovered", None, bucket, None, True, number, "m", centroid)


def known_people(faces: pl.DataFrame, members: dict[str, str]) -> Coverage:
    unit = normalised(faces["embedding"].to_numpy())
    identities = [identity(1, unit[0], "there"), identity(2, unit[1], "here"), identity(3, unit[2], "there")]
    return cover(unit, faces["face_id"].to_list(), "here", identities, members, {})


gates = st.fixed_dictionaries(
    {
        "cover_distance": st.sampled_from([0.2, 0.45, 0.6]),
        "cluster_distance": st.sampled_from([0.3, 0.55, 0.8]),
        "min_face_short_px": st.sampled_from([0.0, 90.0]),
        "min_blur": st.sampled_from([0.0, 40.0]),
        "min_det_score": st.sampled_from([0.0, 0.6]),
        "min_faces": st.sampled_from([2, 4]),
        "outlier_distance": st.sampled_from([0.3, 0.55]),
        "min_clustered_px": st.sampled_from([0.0, 80.0]),
        "join_face_and_group": st.sampled_from([0.0, 0.7]),
        "join_quality_gain": st.sampled_from([0.0, 0.3]),
        "good_norm": st.sampled_from([0.0, 1.5]),
        "mode": st.sampled_from(["grow", "rebuild"]),
    }
)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.lists(gates, min_size=2, max_size=6))
def test_tables_do_not_depend_on_what_was_asked_before(seed: int, points: list[dict[str, float]]) -> None:
    faces = face_table(seed, 40)
    coverage = known_people(faces, {"f001": "faceset_002", "f005": "faceset_002", "f007": "faceset_001"})
    own, pinned = {"faceset_002"}, {"f005"}
    sweep = ClusterSweep(
        faces, coverage, own=own, pinned=pinned, generation=3, model_id="m", largest_cluster_distance=0.8
    )
    for point in points:
        numbers = {name: value for name, value in point.items() if name not in ("cover_distance", "mode")}
        parameters = DiscoveryParameters(**numbers, rematch_distance=0.45, outlier_min_size=4)
        table = coverage_table(
            faces["face_id"].to_list(), coverage, cover_distance=point["cover_distance"], generation=3, model_id="m"
        )
        expected = discover(faces, table, parameters, str(point["mode"]), own, pinned)
        assert sweep.clusters_at(point["cover_distance"], parameters, str(point["mode"])).equals(expected)
        assert sweep.coverage_at(point["cover_distance"]).equals(table)


@pytest.mark.parametrize("count", [0, 1])
def test_nobody_and_one_face_have_a_partition(count: int) -> None:
    assert Cuts(np.ones((count, DIM), np.float32), 0.5).labels_at(0.5).tolist() == [0] * count
