"""A number that people set for the pack is obeyed by every run, also where the code was loaded before it was set."""

import dagster as dg
import polars as pl
import pytest

from facesets_dagster.assets._config import NumbersConfig
from facesets_dagster.assets._launchpad import config_with_pack_numbers
from facesets_dagster.embedding.thresholds import ARCFACE
from facesets_dagster.library.home import Home
from facesets_dagster.publishing.rulings.requests import Requests
from facesets_dagster.publishing.rulings.subjects import Subjects
from facesets_dagster.publishing.rulings.writing import Author, enter, take_back
from testing.fake_home import FakeHome
from testing.fakes import PACK, FakeEmbedderResource, write_person

pytestmark = pytest.mark.both_databases

RULED = 0.31


def reported(home: FakeHome, bucket: str) -> object:
    """The cluster distance that the last run of a bucket says it had."""
    runs = {run.bucket: run.identity_parameters for run in home.library.registry.bucket_runs()}
    return runs[bucket]["cluster_distance"]


def test_a_threshold_is_obeyed_by_code_that_was_loaded_before_it(fake_home: FakeHome) -> None:
    fake_home.embedder = FakeEmbedderResource(calibration=str(fake_home.settings.calibration_file))
    write_person(fake_home.buckets / "a", 1, 4)
    fake_home.run("a")
    assert reported(fake_home, "a") == ARCFACE.cluster_distance
    before = fake_home.definitions_of(fake_home.settings)
    requests = Requests(Subjects(fake_home.library, Home.of(fake_home.settings).cached), Author.here("cli"), 0.45)
    (ruling,) = enter(
        fake_home.library, [requests.threshold(PACK.model_id, "cluster_distance", ARCFACE.cluster_distance, RULED, {})]
    )
    assert fake_home.materialize("applied_rulings").success
    run_with(before, fake_home)
    assert reported(fake_home, "a") == RULED
    assert fake_home.materialize("first_look", bucket="a").success
    look = pl.read_parquet(fake_home.settings.tables_dir / "first_look" / "a.parquet")
    assert set(look["cluster_distance"]) == {RULED}
    assert fake_home.materialize("review_queue").success
    take_back(fake_home.library, [ruling.ruling_id], Author.here("cli"))
    assert fake_home.materialize("applied_rulings").success
    run_with(before, fake_home)
    assert reported(fake_home, "a") == ARCFACE.cluster_distance


def test_a_number_of_a_run_goes_before_the_one_that_was_set(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 4)
    fake_home.run("a", osrc_clusters={"cluster_distance": 0.5})
    assert reported(fake_home, "a") == 0.5


def test_what_the_launchpad_fills_in_is_null_without_it() -> None:
    written = [
        config for config in _subclasses(NumbersConfig) if config.__module__ != config_with_pack_numbers.__module__
    ]
    assert len(written) > 5
    for config in written:
        for name in config.of_pack(ARCFACE):
            assert config.model_fields[name].default is None, f"{config.__name__}.{name}"


def run_with(definitions: dg.Definitions, home: FakeHome) -> None:
    job = definitions.resolve_job_def("discover_identities")
    assert job.execute_in_process(instance=home.instance, partition_key="a").success


def _subclasses(config: type[NumbersConfig]) -> list[type[NumbersConfig]]:
    return [config, *(one for sub in config.__subclasses__() for one in _subclasses(sub))]
