"""What-if as an asset: its answers, curves, pictures, check and command; that it changes nothing."""

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from rich.console import Console

from facesets_dagster.analysis.what_if.table import table_of
from facesets_dagster.assets.what_if import WhatIfConfig
from facesets_dagster.publishing.funnel import count_states
from facesets_dagster.reports.contact_sheet import MAX_MARKDOWN_BYTES
from testing.fake_home import FakeHome
from testing.fakes import write_looks, write_person, write_photo
from testing.what_if_homes import (
    POINTS,
    BlindResource,
    fill,
    materialize,
    new_bucket,
    own_members,
    published_bucket,
    questions,
)


def test_the_base_point_is_the_last_run_and_anew_it_gives_what_is_on_record(fake_home: FakeHome) -> None:
    fill(fake_home)
    fake_home.run("a", osrc_clusters={"min_faces": 4}, swap_ready_facesets={"min_face_short_px": 150})
    table, metadata, check = materialize(fake_home, sweep=False)
    assert table["parameter"].to_list() == ["base", "rebuilt"]
    assert table["mode"].to_list() == ["unchanged", "rebuild"]
    assert table["min_faces"].to_list() == [4, 4]
    assert table["export_min_face_short_px"].to_list() == [150, 150]
    states = [name for name in table.columns if name in ("exported", "covered", "small_cluster", "near_duplicate")]
    assert table.select(states).row(0) == table.select(states).row(1)
    assert check.check_name == "matches_last_run"
    assert check.passed
    assert "differ" not in check.metadata
    assert metadata["base"].value["min_faces"] == 4


def test_the_check_warns_where_clustering_anew_is_not_what_stands(fake_home: FakeHome) -> None:
    published_bucket(fake_home)
    _, metadata, check = materialize(fake_home, points=[{"min_faces": 5}], sweep=False)
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.WARN
    assert "recorded" in str(check.metadata["differ"].value)
    first, second = str(metadata["answers"].value).splitlines()
    assert "that alone would" in first
    assert second.startswith("- min_faces 5 would")


def test_a_bucket_without_a_run_or_with_news_is_not_compared(fake_home: FakeHome) -> None:
    new_bucket(fake_home)
    _, _, check = materialize(fake_home, sweep=False)
    assert check.passed
    assert "never ran" in check.metadata["not_compared"].value
    fake_home.run("a")
    write_person(fake_home.buckets / "a", 6, 2)
    fake_home.materialize("face_cache", bucket="a")
    _, _, check = materialize(fake_home, sweep=False)
    assert "photos are new" in check.metadata["not_compared"].value


def test_nothing_is_changed_and_the_same_question_gives_the_same_bytes(fake_home: FakeHome) -> None:
    published_bucket(fake_home)

    def held() -> dict[str, Any]:
        with sqlite3.connect(fake_home.settings.home / "registry.db") as connection:
            registry = list(connection.iterdump())
        faces = fake_home.settings.cache_dir / "faces"
        cache = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in faces.rglob("*") if path.is_file()}
        times = {path: path.stat().st_mtime_ns for path in fake_home.settings.library_dir.rglob("*")}
        return {"library": fake_home.files(), "times": times, "registry": registry, "cache": cache}

    before = held()
    table, _, _ = materialize(fake_home, points=POINTS)
    path = fake_home.settings.cache_dir / "tables" / "what_if" / "a.parquet"
    once = path.read_bytes()
    materialize(fake_home, points=POINTS)
    assert path.read_bytes() == once
    assert held() == before
    assert fake_home.flaws() == []
    assert len(table) > 30


def test_what_a_run_that_died_owed_the_library_is_done_first(
    fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(fake_home)

    def killed(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr("facesets_dagster.library.moves._do", killed)
        assert not fake_home.run("a", raise_on_error=False).success
    assert fake_home.library.registry.owes_moves()
    base = questions(fake_home).base
    assert base.mode == "unchanged"
    assert len(base.result.people) == 3
    assert all(person.exported for person in base.result.people.values())
    assert not fake_home.library.registry.owes_moves()


def test_a_library_that_moves_on_meanwhile_is_read_once_more(fake_home: FakeHome) -> None:
    fill(fake_home)
    fake_home.run("a")
    write_person(fake_home.buckets / "b", 3, 8, first=10)
    said: list[str] = []

    def publish(text: str) -> None:
        said.append(text)
        if len(said) == 1:
            fake_home.run("b")

    found = questions(fake_home, {"min_faces": 4}, say=publish)
    assert "the library changed meanwhile: computed once more" in said
    assert found.generation == fake_home.library.registry.generation()
    after = questions(fake_home, {"min_faces": 4})
    assert table_of(found).equals(table_of(after))
    assert found.answers[-1].result.founded == [], "that person is known since"


def test_what_would_min_faces_4_admit_is_a_sentence_with_faces_to_look_at(fake_home: FakeHome) -> None:
    fill(fake_home)
    fake_home.run("a")
    assert set(own_members(fake_home)) == {"faceset_001", "faceset_002", "faceset_003"}
    table, metadata, _ = materialize(fake_home, points=[{"min_faces": 4}], sweep=False)
    more = table["exported"][-1] - table["exported"][0]
    assert more == 3
    assert str(metadata["answers"].value) == (
        "- min_faces 4 would admit 1 more identity (faceset_004: 3 exported), 3 more exported faces."
    )
    (page,) = (fake_home.settings.reports_dir / "a").glob("*.what_if.html")
    html = page.read_text()
    assert "min_faces 4: faceset_004, 4 faces, 3 exported" in html
    assert html.count("<img ") == 4, "the four faces, and no curve: nothing was swept"
    assert page.name in str(metadata["report"].value)
    assert len(str(metadata["contact_sheet"].value)) <= MAX_MARKDOWN_BYTES


def test_sweeps_are_curves_with_the_base_marked(fake_home: FakeHome) -> None:
    fill(fake_home)
    fake_home.run("a")
    table, metadata, _ = materialize(fake_home, cover_distance=[], min_blur=[10, 500])
    assert "curve_cover_distance" not in metadata
    swept = {"cluster_distance", "min_face_short_px", "min_blur", "min_det_score", "min_faces"}
    for name in swept:
        text = str(metadata[f"curve_{name}"].value)
        assert len(text) < 1000
        assert "identities" in text
        assert "impossible pairs" in text
    rows = table.filter(pl.col("parameter") == "min_blur")
    assert rows["value"].to_list() == [10, 40, 500], "the base's own value is on each curve"
    assert rows["mode"].to_list() == ["rebuild", "unchanged", "rebuild"]
    (page,) = (fake_home.settings.reports_dir / "a").glob("*.what_if.html")
    assert page.read_text().count("data:image/svg+xml") == len(swept)
    assert "min_blur 10 to 500, base 40" in page.with_suffix(".md").read_text()


def test_faces_that_no_run_has_rendered_are_counted_because_their_crop_could_fail(fake_home: FakeHome) -> None:
    fake_home.embedder = BlindResource()
    write_looks(fake_home.buckets / "a", 4, [-0.9, -0.7, -0.4, -0.1, 0.1, 0.3, 0.9, 0.95])
    fake_home.materialize("face_cache", bucket="a")
    guess, _, _ = materialize(fake_home, sweep=False)
    assert guess["never_rendered"][0] == guess["exported"][0]
    fake_home.run("a")
    states = count_states(fake_home.library.registry.decisions("a"))
    failed = states["crop_failed:no_face_found"]
    assert guess["exported"][0] == states["exported"] + 1
    known, _, _ = materialize(fake_home, sweep=False, points=[{"min_faces": 5}])
    assert known["crop_failed"].to_list() == [failed] * 3
    assert known["never_rendered"].to_list() == [0] * 3
    assert known["exported"].to_list() == [states["exported"]] * 3


def test_photos_that_are_gone_cost_the_pictures_and_nothing_else(fake_home: FakeHome) -> None:
    fill(fake_home)
    fake_home.run("a")
    shutil.move(fake_home.buckets / "a", fake_home.settings.home / "elsewhere")
    shutil.rmtree(fake_home.settings.cache_dir / "thumbnails")
    table, metadata, _ = materialize(fake_home, points=[{"min_faces": 4}], sweep=False)
    assert table["founded"].to_list() == [0, 0, 1]
    assert "1 more identity" in str(metadata["answers"].value)


def test_pictures_are_kept_out_of_the_event_database_on_request(fake_home: FakeHome) -> None:
    new_bucket(fake_home)
    fake_home.settings = fake_home.settings.model_copy(update={"pictures_in_ui": False})
    _, metadata, _ = materialize(fake_home, points=[{"min_faces": 4}])
    assert "image/jpeg" not in str(metadata)


def test_a_base_of_ones_own_is_what_the_points_are_compared_with(fake_home: FakeHome) -> None:
    fill(fake_home)
    fake_home.run("a")
    table, _, check = materialize(fake_home, base={"min_faces": 4}, points=[{"cluster_distance": 0.5}], sweep=False)
    assert table.select("min_faces", "cluster_distance").rows() == [(4, 0.55), (4, 0.5)]
    assert table["identities"].to_list() == [4, 4]
    assert check.passed
    assert "not_compared" in check.metadata


def test_a_bucket_that_was_not_read_and_numbers_out_of_bounds_say_what_to_do(fake_home: FakeHome) -> None:
    (fake_home.buckets / "a").mkdir()
    with pytest.raises(dg.Failure, match="Materialize face_cache of this bucket first"):
        materialize(fake_home)
    with pytest.raises(ValueError, match="min_faces"):
        WhatIfConfig(points=[{"min_faces": 0}])
    with pytest.raises(ValueError, match="cluster_distance"):
        WhatIfConfig(cluster_distance=[0.5, 2.5])


def test_an_empty_bucket_has_nothing_to_ask(fake_home: FakeHome) -> None:
    write_photo(fake_home.buckets / "a" / "view.png", [])
    fake_home.materialize("face_cache", bucket="a")
    table, _, _ = materialize(fake_home)
    assert table["faces"].sum() == 0
    assert table["identities"].sum() == 0


def test_the_command_prints_the_answer(fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from facesets_dagster.cli import what_if as command

    fill(fake_home)
    fake_home.run("a")
    monkeypatch.setattr(command, "build_defs", fake_home.definitions_of)
    monkeypatch.setattr(command, "instance_of", fake_home.instance_of)
    console = Console(record=True, width=200, file=open(tmp_path / "said", "w"))  # noqa: SIM115
    command.print_what_if(fake_home.settings, "a", {"min_faces": 4}, console)
    said = console.export_text()
    assert "min_faces 4 would admit 1 more identity" in said
    with pytest.raises(command.SettingsError, match=r"min_faces 0: Input should be greater .* Nothing was run"):
        command.print_what_if(fake_home.settings, "a", {"min_faces": 0}, console)


def test_the_table_is_json_that_others_can_read(fake_home: FakeHome) -> None:
    published_bucket(fake_home)
    point = {"cluster_distance": 0.1, "min_faces": 2, "rematch_distance": 0.0}
    table, _, _ = materialize(fake_home, points=[point], sweep=False)
    row = json.loads(table.tail(1).write_json())[0]
    assert {"faceset", "joined", "left"} == set(row["changes"][0])
    assert {"source", "target", "faces"} == set(row["moved"][0])
