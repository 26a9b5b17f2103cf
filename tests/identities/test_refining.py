"""Refine: clusters joined where all their centroids meet, people seen together kept apart, numbered by size."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from sklearn.cluster import AgglomerativeClustering

from facesets_dagster.faces.schema import face_schema
from facesets_dagster.identities.geometry import cosine_distance, normalised
from facesets_dagster.identities.refining import RefineParameters, join_clusters, refine

PARAMETERS = RefineParameters(
    cluster_distance=0.3, merge_distance=0.4, outlier_distance=0.5, outlier_min_size=4,
    min_face_short_px=90, min_blur=40, min_det_score=0.6, min_faces=3,
)  # fmt: skip


def at(degrees: float, dim: int = 4) -> np.ndarray:
    angle = np.deg2rad(degrees)
    return np.array([np.cos(angle), np.sin(angle), *[0.0] * (dim - 2)], np.float32)


def test_copies_of_one_photo_are_nobody() -> None:
    copies = face_rows({"one": (0, 5)})
    unit = np.zeros((len(copies), 2), np.float32)
    unit[:, 0] = 1
    kps = np.array([[[30, 40], [70, 41], [51, 60], [36, 82], [66, 81]]] * len(copies), np.float32)
    copies = copies.with_columns(
        embedding=pl.Series(unit, dtype=pl.Array(pl.Float32, 2)), kps=pl.Series(kps, dtype=pl.Array(pl.Float32, (5, 2)))
    )
    shown = np.arange(26 * 26, dtype=np.uint16).reshape(26, 26).astype(np.uint8)
    looks = replace(PARAMETERS, look_similarity=0.8)
    found = refine(copies, looks, lambda ids: dict.fromkeys(ids, shown))
    assert found.people == []
    assert {verdict.state for verdict in found.verdicts.values()} == {"small_cluster"}
    assert len(refine(copies, PARAMETERS).people) == 1


def test_clusters_join_only_if_all_their_centroids_are_near() -> None:
    unit = np.array([at(0), at(45), at(90)])  # neighbours 0.29 apart, the ends 1.0
    labels = np.array([0, 1, 2])
    photos = np.array(["a", "b", "c"], object)
    assert join_clusters(unit, labels, photos, 0.4).tolist() in ([0, 0, 2], [0, 1, 1])
    assert join_clusters(unit, labels, photos, 1.5).tolist() == [0, 0, 0]
    assert join_clusters(unit, labels, photos, 0.1).tolist() == [0, 1, 2]


def test_people_who_are_seen_together_are_never_joined_not_even_through_a_third() -> None:
    unit = np.array([at(0), at(2), at(4)])
    photos = np.array(["party", "alone", "party"], object)
    joined = join_clusters(unit, np.array([0, 1, 2]), photos, 0.4)
    assert joined[0] != joined[2]


@pytest.mark.parametrize("seed", range(6))
def test_joining_set_by_set_is_complete_linkage_of_all_centroids_at_once(seed: int) -> None:
    rng = np.random.default_rng(seed)
    centres = normalised(rng.normal(size=(12, 8)))[rng.integers(0, 12, 60)]
    middles = normalised(centres + rng.normal(size=(60, 8)) * 0.2)
    photos = np.array([f"p{number}" for number in rng.integers(0, 50, 60)], object)
    distance = cosine_distance(middles, middles).astype(np.float64)
    distance[photos[:, None] == photos[None]] = 10.0
    np.fill_diagonal(distance, 0.0)
    whole = AgglomerativeClustering(n_clusters=None, metric="precomputed", linkage="complete", distance_threshold=0.3)
    sets = whole.fit_predict(distance)
    expected = [int(np.flatnonzero(sets == label).min()) + 7 for label in sets]
    joined = join_clusters(middles, np.arange(60) + 7, photos, 0.3)
    assert joined.tolist() == expected
    assert 1 < len(set(expected)) < 60


def face_rows(people: dict[str, tuple[float, int]], **columns: float) -> pl.DataFrame:
    rows = []
    for name, (degrees, count) in people.items():
        for index in range(count):
            rows.append({
                "face_id": f"{name}{index:02d}", "bucket": "b", "sha256": f"{name}{index}",
                "path": f"{name}{index}.jpg", "aliases": [], "photo_width": 640,
                "photo_height": 480, "bbox": [0.0, 0.0, 200.0, 200.0],
                "kps": np.zeros((5, 2)).tolist(), "det_score": 0.9, "face_short": 200.0, "blur": 100.0,
                "frontality": 1.0, "symmetry": 1.0, "truncated": False, "source_missing": False, "model_id": "m",
                "embedding": (20 * at(degrees + index)).tolist(), **columns,
            })  # fmt: skip
    return pl.DataFrame(rows, schema=face_schema(4))


def test_people_are_ordered_by_photos_and_thin_ones_stay_out() -> None:
    found = refine(face_rows({"few": (0, 4), "many": (120, 7), "two": (240, 2)}), PARAMETERS)
    assert [members[0][:-2] for members in found.people] == ["many", "few"]
    assert {face: verdict.state for face, verdict in found.verdicts.items()} == dict.fromkeys(
        ["two00", "two01"], "small_cluster"
    )
    assert found.verdicts["two00"].value == 2


@pytest.mark.parametrize(("column", "value"), [("face_short", 89.0), ("blur", 39.0), ("det_score", 0.59)])
def test_every_gate_keeps_faces_out_with_its_number(column: str, value: float) -> None:
    found = refine(face_rows({"a": (0, 5)}, **{column: value}), PARAMETERS)
    assert found.people == []
    assert {verdict.state for verdict in found.verdicts.values()} == {f"below_gate:{column}"}
    assert all(verdict.value == pytest.approx(value) for verdict in found.verdicts.values())


def test_one_person_in_two_clusters_is_one_person_after_the_merge() -> None:
    found = refine(face_rows({"young": (0, 3), "old": (50, 3)}), replace(PARAMETERS, cluster_distance=0.2, min_faces=5))
    assert [len(members) for members in found.people] == [6]
    assert found.raw_clusters == 2
    assert found.joined == [(2, 6)]


def test_nothing_comes_of_nothing() -> None:
    found = refine(face_rows({}), PARAMETERS)
    assert (found.people, found.verdicts, found.raw_clusters) == ([], {}, 0)
