"""Whether `applied_rulings` is out of date: while rulings wait, and never by its own run, whatever started that."""

from collections.abc import Mapping

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest

from facesets_dagster.assets import applied_rulings as of_asset
from facesets_dagster.automation.sensors import ruling_sensor
from facesets_dagster.publishing.applied_rulings import ApplyResult, apply_rulings
from facesets_dagster.publishing.rulings.writing import take_back
from facesets_dagster.resources.home import HomeResource
from testing.fake_home import FakeHome
from testing.rulings import AUTHOR, decide, obey, three_people, undo_ruling

pytestmark = pytest.mark.both_databases

MERGE = {"merges": [["faceset_001", "faceset_002"]]}


@pytest.fixture
def home(fake_home: FakeHome) -> FakeHome:
    three_people(fake_home)
    obey(fake_home)
    return fake_home


def causes(home: FakeHome) -> list[str]:
    """Why `applied_rulings` is out of date, as the lineage page has it."""
    graph = home.definitions_of(home.settings).get_repository_def().asset_graph
    resolver = CachingStaleStatusResolver(home.instance, graph, LoadingContextForTest(home.instance))
    found = resolver.get_stale_causes(dg.AssetKey("applied_rulings"))
    return [f"{cause.dependency_asset_key}: {cause.reason}" for cause in found]


def tick(home: FakeHome) -> None:
    """The sensor sees what was decided."""
    context = dg.build_sensor_context(home.instance, resources={"home": HomeResource.of(home.settings)})
    ruling_sensor(context)


def job(home: FakeHome, name: str, config: Mapping[str, object]) -> None:
    """The job, as the launchpad starts it."""
    whole = home.definitions_of(home.settings).resolve_job_def(name)
    assert whole.execute_in_process({"ops": {"applied_rulings": {"config": config}}}, instance=home.instance).success


def test_a_ruling_that_waits_makes_it_out_of_date_until_a_run_of_any_start(home: FakeHome) -> None:
    assert causes(home) == []
    made = decide(home, lambda ask: ask.ignore("faceset_003"))
    tick(home)
    assert len(causes(home)) == 1
    job(home, "apply_rulings", {})
    tick(home)
    assert causes(home) == []
    take_back(home.library, [made], AUTHOR)
    tick(home)
    assert len(causes(home)) == 1
    obey(home)
    tick(home)
    assert causes(home) == []


@pytest.mark.parametrize("seen_before", [False, True])
def test_rulings_that_its_own_run_writes_or_takes_back_do_not(home: FakeHome, seen_before: bool) -> None:
    decide(home, lambda ask: ask.name("faceset_003", "Carl"))
    if seen_before:
        tick(home)
    job(home, "apply_merges", MERGE)
    tick(home)
    assert causes(home) == []
    job(home, "undo_merges", {"undo": ["*"]})
    tick(home)
    assert causes(home) == []


def test_one_that_was_taken_back_before_any_run_leaves_nothing(home: FakeHome) -> None:
    made = decide(home, lambda ask: ask.ignore("faceset_003"))
    tick(home)
    take_back(home.library, [made], AUTHOR)
    obey(home)
    tick(home)
    assert causes(home) == []
    undo_ruling(home, decide(home, lambda ask: ask.ignore("faceset_002")))
    assert causes(home) == []


def test_one_that_is_written_while_it_runs_waits(home: FakeHome, monkeypatch: pytest.MonkeyPatch) -> None:
    def meanwhile(*arguments: object) -> ApplyResult:
        found = apply_rulings(*arguments)  # type: ignore[arg-type]
        decide(home, lambda ask: ask.ignore("faceset_003"))
        return found

    decide(home, lambda ask: ask.name("faceset_003", "Carl"))
    with monkeypatch.context() as patched:
        patched.setattr(of_asset, "apply_rulings", meanwhile)
        obey(home)
    assert len(causes(home)) == 1
    obey(home)
    assert causes(home) == []


def test_a_tick_without_news_reports_nothing(home: FakeHome) -> None:
    decide(home, lambda ask: ask.name("faceset_003", "Carl"))
    reported = []
    for _ in range(2):
        tick(home)
        reported.append(len(home.instance.fetch_observations(dg.AssetKey("rulings"), limit=9).records))
    assert reported == [2, 2]
