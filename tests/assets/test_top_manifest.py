"""The top-level manifest names numbers that are given once."""

import json

from facesets_dagster.definitions import defs
from facesets_dagster.reports.people import people_in, people_sheet
from testing.fake_home import FakeHome
from testing.fakes import write_person
from testing.labels import give_label


def exported(home: FakeHome) -> dict[str, int]:
    manifest = json.loads((home.settings.library_dir / "manifest.json").read_text())
    return {entry["name"]: entry["exported"] for entry in manifest["facesets"]}


def test_a_number_that_was_given_is_never_given_to_somebody_else(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    fake_home.run("a")
    fake_home.run("a", osrc_clusters={"min_face_short_px": 500})
    write_person(fake_home.buckets / "b", 2, 8)
    fake_home.run("b")
    assert set(exported(fake_home)) == {"faceset_002"}


def test_facesets_of_a_legacy_library_are_numbered_past(fake_home: FakeHome) -> None:
    library = fake_home.settings.library_dir
    library.mkdir(parents=True)
    (library / "manifest.json").write_text('{"facesets": [{"name": "faceset_019", "mine": 1}], "thin_eras": []}')
    write_person(fake_home.buckets / "a", 1, 8)
    fake_home.run("a")
    entries = json.loads((library / "manifest.json").read_text())["facesets"]
    assert [entry["name"] for entry in entries] == ["faceset_019", "faceset_020"]
    assert entries[0] == {"name": "faceset_019", "mine": 1}


def test_the_manifest_names_the_numbers_of_each_asset(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    fake_home.run("a", osrc_clusters={"outlier_distance": 0.6}, swap_ready_facesets={"top_n": 3})
    manifest = json.loads((fake_home.settings.library_dir / "faceset_001" / "manifest.json").read_text())
    parameters = manifest["parameters"]
    assert parameters["osrc_uncovered"] == {"cover_distance": 0.45}
    assert (parameters["osrc_clusters"]["outlier_distance"], parameters["osrc_clusters"]["min_face_short_px"]) == (
        0.6,
        90,
    )
    exports = parameters["swap_ready_facesets"]
    assert (exports["outlier_distance"], exports["min_face_short_px"], exports["top_n"]) == (0.45, 100, 3)


def test_what_a_run_depended_on_is_what_the_graph_shows(fake_home: FakeHome) -> None:
    """Else Dagster marks what was just materialized as out of date, for edges that only the job had."""
    write_person(fake_home.buckets / "a", 1, 8)
    result = fake_home.run("a")
    graph, prefix = defs.get_repository_def().asset_graph, "dagster/input_data_version/"
    for event in result.get_asset_materialization_events():
        tags = event.materialization.tags or {}
        upstream = {tag.removeprefix(prefix) for tag in tags if tag.startswith(prefix)}
        assert event.asset_key is not None
        assert upstream == {key.to_user_string() for key in graph.get(event.asset_key).parent_keys}, event.asset_key


def test_it_shows_a_face_of_each_person_and_names_buckets_as_people_do(fake_home: FakeHome) -> None:
    for person in (1, 2):
        write_person(fake_home.buckets / "press [2019]", person, 8)
    fake_home.run("press %5B2019%5D")
    give_label(fake_home.library.registry, "faceset_001", "Anna")
    (event,) = fake_home.materialize("top_manifest").asset_materializations_for_node("top_manifest")
    shown = {name: str(value.value) for name, value in event.metadata.items()}
    assert shown["people"] == "[all people, with a face each](/files/library/)"
    assert shown["contact_sheet"].startswith("![](data:image/jpeg")
    assert "press \\[2019\\]" in shown["table"]
    assert "%5B" not in shown["table"]
    rows = people_sheet(
        people_in(fake_home.settings.library_dir), fake_home.settings.library_dir, fake_home.settings.home
    )
    assert [row.title for row in rows] == ["2 people"]
    assert [tile.caption for row in rows for tile in row.tiles] == ["Anna", "faceset_002"]
