"""Buckets that run at the same time: nobody is founded twice, no number is given twice."""

from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from facesets_dagster.analysis.bucket_states import bucket_standings
from facesets_dagster.definitions import build_defs
from facesets_dagster.library.verification import verify_library
from facesets_dagster.partitions import SOURCE_BUCKET
from facesets_dagster.publishing import publisher
from facesets_dagster.registry.schema import next_generation
from facesets_dagster.resources.home import HomeResource
from testing.fake_home import FakeHome
from testing.fakes import FakeEmbedderResource, write_person
from tests.crash.die_at import start_dying
from tests.crash.homes import begun, library_of

pytestmark = pytest.mark.both_databases

BEFORE = ("face_cache", "existing_centroids", "osrc_uncovered", "extended_facesets", "osrc_clusters")
PUBLISHING = ("swap_ready_facesets", "top_manifest")


def materialize(home: FakeHome, bucket: str, assets: tuple[str, ...]) -> None:
    """Some assets of the main job, as a run from the lineage page would."""
    home.instance.add_dynamic_partitions(str(SOURCE_BUCKET.name), [bucket])
    defs = build_defs(home.settings, overrides={"embedder": FakeEmbedderResource()})
    result = defs.resolve_job_def("discover_identities").execute_in_process(
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        instance=home.instance,
        partition_key=bucket,
        asset_selection=[dg.AssetKey(name) for name in assets],
    )
    assert result.success


def standing(home: FakeHome, *buckets: str) -> dict[str, str]:
    """Bucket -> its state, as `facesets status` has it."""
    resource = HomeResource.of(home.settings)
    found = bucket_standings(buckets, resource.buckets(), resource.listing, home.library.registry)
    return {bucket: one.state for bucket, one in found.items()}


def test_a_bucket_that_clustered_before_another_published_finds_nobody_again(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    write_person(fake_home.buckets / "a", 2, 8)
    write_person(fake_home.buckets / "b", 2, 9, first=8)
    write_person(fake_home.buckets / "b", 3, 7)
    for bucket in ("a", "b"):
        materialize(fake_home, bucket, BEFORE)
    clusters = fake_home.settings.cache_dir / "tables" / "osrc_clusters"
    assert {path.stem for path in clusters.glob("*.parquet")} == {"a", "b"}
    for bucket in ("a", "b"):
        materialize(fake_home, bucket, PUBLISHING)
    live = [identity for identity in fake_home.library.registry.identities() if identity.live]
    assert [(identity.name, identity.bucket) for identity in live] == [
        ("faceset_001", "a"),
        ("faceset_002", "a"),
        ("faceset_003", "b"),
    ]
    states = fake_home.library.registry.decisions("b").select("state", "identity").rows()
    assert states.count(("covered", "faceset_001")) + states.count(("covered", "faceset_002")) == 9
    assert verify_library(fake_home.library) == []
    assert standing(fake_home, "a", "b") == {"a": "up to date", "b": "stale"}

    fake_home.run("b")
    joined = fake_home.library.snapshot().rows_of_bucket("b").filter(pl.col("joined_by") == "extended")
    assert len(joined) == 9
    assert standing(fake_home, "a", "b") == {"a": "up to date", "b": "up to date"}
    before = fake_home.files()
    for bucket in ("b", "a"):
        fake_home.run(bucket)
    assert fake_home.files() == before
    assert standing(fake_home, "a", "b") == {"a": "up to date", "b": "up to date"}


def test_three_processes_at_once_make_a_sound_library(tmp_path: Path, database_url: str | None) -> None:
    home = begun(tmp_path / "home", database_url)
    for bucket, people in (("a", (1, 2)), ("b", (2, 3)), ("c", (3, 1))):
        for place, person in enumerate(people):
            write_person(home / "buckets" / bucket, person, 7, first=7 * place)
    children = [start_dying(home, "discover_identities", bucket, 0) for bucket in ("a", "b", "c")]
    for child in children:
        said, _ = child.communicate()
        assert child.returncode == 0, said[-3000:]
    library = library_of(home)
    live = [identity for identity in library.registry.identities() if identity.live]
    assert sorted(identity.number for identity in live) == [1, 2, 3]
    assert verify_library(library) == []


def test_a_publication_whose_lock_did_not_hold_is_refused_and_the_next_run_makes_it(
    fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    registry, real = fake_home.library.registry, publisher.stage

    def while_another_publishes(*arguments: Any) -> Any:
        with registry.engine.begin() as connection:
            next_generation(connection)
        return real(*arguments)

    monkeypatch.setattr(publisher, "stage", while_another_publishes)
    with pytest.raises(dg.Failure, match=r"generation 0 was read, 1 is there.*Nothing was changed"):
        fake_home.run("a")
    assert registry.identities() == []
    monkeypatch.undo()
    fake_home.run("a")
    assert [identity.name for identity in registry.identities()] == ["faceset_001"]
    assert verify_library(fake_home.library) == []
