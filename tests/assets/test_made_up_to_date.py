"""No job leaves what it made marked as out of date, although the graph does not draw the order of its steps."""

import dagster as dg
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest

from testing.fake_home import FakeHome
from testing.fakes import write_person
from testing.rulings import decide, three_people


def causes(home: FakeHome, bucket: str) -> list[str]:
    """Why anything is out of date, as the lineage page has it; what was never made is not."""
    graph = home.definitions_of(home.settings).get_repository_def().asset_graph
    resolver = CachingStaleStatusResolver(home.instance, graph, LoadingContextForTest(home.instance))
    found = []
    for key in sorted(graph.executable_asset_keys):
        partition = bucket if graph.get(key).is_partitioned else None
        if home.instance.get_latest_materialization_event(key) is not None:
            found += [f"{key.to_user_string()}: {one.reason}" for one in resolver.get_stale_causes(key, partition)]
    return found


def test_what_the_whole_pipeline_made_is_up_to_date(fake_home: FakeHome) -> None:
    write_person(fake_home.people / "Anna", 3, 5)
    write_person(fake_home.buckets / "a", 1, 6)
    fake_home.run("a", job="full_pipeline")
    assert fake_home.instance.get_latest_materialization_event(dg.AssetKey("hand_sorted_facesets")) is not None
    assert causes(fake_home, "a") == []


def test_what_a_publication_of_rulings_made_is_up_to_date(fake_home: FakeHome) -> None:
    three_people(fake_home)
    decide(fake_home, lambda ask: ask.ignore("faceset_003"))
    job = fake_home.definitions_of(fake_home.settings).resolve_job_def("apply_rulings")
    assert job.execute_in_process(instance=fake_home.instance).success
    assert causes(fake_home, "a") == []
