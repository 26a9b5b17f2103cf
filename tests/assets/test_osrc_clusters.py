"""Assets called as functions: a table in, a table out."""

import json
import re
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from facesets_dagster.analysis.existing_centroids import centroid_table
from facesets_dagster.assets.face_cache import FaceCacheConfig, face_cache
from facesets_dagster.assets.osrc_clusters import OsrcClustersConfig, osrc_clusters
from facesets_dagster.assets.osrc_uncovered import OsrcUncoveredConfig, osrc_uncovered
from facesets_dagster.errors import PublishRefused
from facesets_dagster.files.writing import write_parquet
from facesets_dagster.identities.cluster_table import CLUSTER_SCHEMA, ClusterTable, DiscoveryParameters
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.resources.progress import ProgressResource
from facesets_dagster.resources.tables import read_clusters
from testing.fake_home import FakeHome
from testing.fakes import FakeEmbedderResource, FakeFace, write_person, write_photo


def uncovered_table(home: FakeHome, bucket: str, config: OsrcUncoveredConfig | None = None) -> pl.DataFrame:
    """Face cache and coverage by hand; a run's id, which `existing_centroids` asks for, no direct call has."""
    resource, embedder = HomeResource.of(home.settings), FakeEmbedderResource()
    context = dg.build_asset_context(partition_key=bucket, instance=home.instance)
    face_cache(context, FaceCacheConfig(), resource, embedder, ProgressResource())
    known = centroid_table(home.library, embedder.pack())
    context = dg.build_asset_context(partition_key=bucket, instance=home.instance)
    result = osrc_uncovered(context, config or OsrcUncoveredConfig(), known, resource, embedder)
    assert isinstance(result.value, pl.DataFrame)
    return result.value


def clusters_of(home: FakeHome, table: pl.DataFrame, config: OsrcClustersConfig) -> dg.MaterializeResult:
    context = dg.build_asset_context(partition_key="a", instance=home.instance)
    home_resource = HomeResource.of(home.settings)
    return osrc_clusters(context, config, table, home_resource, FakeEmbedderResource(), ProgressResource())


def test_two_people_are_two_candidates(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    write_person(fake_home.buckets / "a", 2, 6)
    write_photo(fake_home.buckets / "a" / "street.png", [])
    table = uncovered_table(fake_home, "a")
    assert table["covered"].sum() == 0
    result = clusters_of(fake_home, table, OsrcClustersConfig())
    sizes = result.value.frame.group_by("cluster").len().sort("cluster")["len"].to_list()
    assert sizes == [8, 6]
    assert set(result.value.frame["state"]) == {"candidate"}
    assert result.metadata["candidate_clusters"] == 2
    assert result.metadata["mode"] == "grow"


def test_min_faces_and_gates_decide_on_candidates(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    table = uncovered_table(fake_home, "a")
    few = clusters_of(fake_home, table, OsrcClustersConfig(min_faces=9)).value.frame
    assert set(few["state"]) == {"small_cluster"}
    small = clusters_of(fake_home, table, OsrcClustersConfig(min_face_short_px=161)).value.frame
    assert set(small["state"]) == {"below_gate:face_short"}
    assert small["value"].to_list() == [160.0] * 8
    assert small["threshold"].to_list() == [161.0] * 8


def test_a_table_of_another_model_is_refused(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    table = uncovered_table(fake_home, "a").with_columns(model_id=pl.lit("another"))
    with pytest.raises(dg.Failure, match="made with the model another"):
        clusters_of(fake_home, table, OsrcClustersConfig())


def test_a_cluster_table_carries_its_numbers_and_one_without_them_is_refused(tmp_path: Path) -> None:
    parameters = DiscoveryParameters(
        min_face_short_px=90,
        min_blur=40,
        min_det_score=0.6,
        cluster_distance=0.55,
        rematch_distance=0.45,
        outlier_distance=0.55,
        outlier_min_size=4,
        min_faces=6,
    )
    written = ClusterTable(pl.DataFrame(schema=CLUSTER_SCHEMA), parameters, 0.45)
    path = tmp_path / "a.parquet"
    write_parquet(path, written.frame, {"parameters": json.dumps(written.identity_parameters())})
    found = read_clusters(path)
    assert repr(found.parameters) == repr(parameters)  # 90 is not 90.0: digests are made of it
    assert found.cover_distance == 0.45
    write_parquet(path, written.frame, {"schema_version": "1"})
    with pytest.raises(PublishRefused, match="Materialize osrc_clusters of this bucket again"):
        read_clusters(path)


def test_a_distance_that_brings_the_people_of_one_photo_together_is_warned_of(fake_home: FakeHome) -> None:
    for place in range(8):
        faces = [FakeFace(1, 0.1 * place, x=40, size=120), FakeFace(2, -0.1 * place, x=300, size=120)]
        write_photo(fake_home.buckets / "a" / f"{place}.png", faces, seed=place)
    table = uncovered_table(fake_home, "a")
    metadata = clusters_of(fake_home, table, OsrcClustersConfig(cluster_distance=1.3)).metadata
    words = str(metadata["distances_too_loose"])
    assert "In 8 photos of 8 with two people, two of them are in one cluster" in words
    safe = re.search(r"cluster_distance ([0-9.]+)\.", words)
    assert safe is not None
    assert float(safe[1]) < 1.3
    assert "distances_too_loose" not in clusters_of(fake_home, table, OsrcClustersConfig()).metadata
