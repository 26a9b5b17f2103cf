"""What is old enough goes, what is live or recent stays; a failed run is told of once."""

import os
import shutil
import time
from pathlib import Path

import dagster as dg
import pytest

from facesets_dagster.automation.hooks import note_failure, run_hook
from facesets_dagster.automation.housekeeping import DAY, remove_lost_thumbnails, remove_old_reports, remove_old_retired
from facesets_dagster.automation.in_process import FinishedRun
from facesets_dagster.automation.jobs import remove_old_runs
from facesets_dagster.automation.noted_end import note_end
from facesets_dagster.automation.sensors import build_failed_run_sensor, job_in_words
from facesets_dagster.definitions import build_defs
from facesets_dagster.errors import SettingsError
from facesets_dagster.faces.thumbnails import THUMBNAIL_PX, ThumbnailStore
from testing.fake_home import FakeHome
from testing.fakes import write_person


def retire_somebody(home: FakeHome) -> None:
    write_person(home.buckets / "a", 1, 8)
    write_person(home.buckets / "a", 2, 7)
    home.run("a")
    home.run("a", osrc_clusters={"min_blur": 1e9})


def test_small_pictures_go_with_the_cache_of_their_bucket_unless_somebody_has_the_face(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 4)
    write_person(fake_home.buckets / "b", 2, 1)
    fake_home.run("a", osrc_clusters={"min_faces": 4})
    fake_home.run("b")
    cache, libraries = fake_home.settings.cache_dir, [fake_home.library]
    store = ThumbnailStore(cache)
    assert (len(store.face_ids()), remove_lost_thumbnails(cache, libraries)) == (5, 0)
    members = {face_id for _, _, face_id, _ in fake_home.library.registry.membership_rows()}
    (stranger,) = store.face_ids() - members
    for bucket in ("a", "b"):
        shutil.rmtree(cache / "faces" / bucket)
    assert remove_lost_thumbnails(cache, libraries) == 1
    assert store.face_ids() == members
    assert store.find([stranger], THUMBNAIL_PX) == {}


def test_retired_facesets_go_after_their_time_and_their_numbers_stay_taken(
    fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    retire_somebody(fake_home)
    retired = fake_home.settings.library_dir / "_retired"
    assert sorted(path.name for path in retired.iterdir()) == ["faceset_001", "faceset_002"]
    assert remove_old_retired(fake_home.library, 30, "test") == []
    assert remove_old_retired(fake_home.library, 0, "test") == []
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 31 * DAY)
    assert remove_old_retired(fake_home.library, 30, "test") == ["faceset_001", "faceset_002"]
    monkeypatch.undo()
    result = fake_home.run("a")
    assert result.success
    names = sorted(identity.name for identity in fake_home.library.registry.identities() if identity.live)
    assert names == ["faceset_001", "faceset_002"], "the same people get their numbers back"


def test_old_reports_go_and_their_lines_stay(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    fake_home.run("a")
    fake_home.run("a")
    reports = fake_home.settings.reports_dir
    old = sorted((reports / "a").glob("*.html"), key=lambda path: path.stat().st_mtime_ns)[0]
    for path in (old, old.with_suffix(".md")):
        os.utime(path, (time.time() - 400 * DAY,) * 2)
    assert remove_old_reports(reports, 365) == 2
    assert not old.exists()
    index = (reports / "index.html").read_text().partition('id="runs"')[2]
    assert f'{old.stem}.html"' not in index
    assert f'.html">{old.stem[:8]}' not in index
    assert old.stem[:8] in index
    assert index.count("<a href=") == 2, "name of the bucket and run of the one report that is left"


def test_superseded_runs_go_and_the_last_success_of_a_bucket_stays(
    fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    for bucket in ("a", "b"):
        write_person(fake_home.buckets / bucket, 1 if bucket == "a" else 2, 8)
    runs = [fake_home.run(bucket).run_id for bucket in ("a", "b", "a")]
    assert remove_old_runs(fake_home.instance, 30) == 0
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 31 * DAY)
    monkeypatch.setattr("facesets_dagster.automation.jobs._AT_ONCE", 2)
    assert remove_old_runs(fake_home.instance, 30) == 1
    assert {run.run_id for run in fake_home.instance.get_runs()} == {runs[1], runs[2]}


def test_the_job_shows_the_settings_as_defaults(fake_home: FakeHome) -> None:
    job = build_defs(fake_home.settings).resolve_job_def("housekeeping")
    assert job.execute_in_process(instance=fake_home.instance).success
    shown = job.run_config["ops"]["remove_what_is_old"]["config"]  # type: ignore[index]
    days = {"keep_retired_days": 0.0, "keep_reports_days": 365.0, "keep_runs_days": 365.0}
    assert shown == {**days, "forget_gone": False}


def test_a_failed_run_leaves_one_line_in_the_index(fake_home: FakeHome) -> None:
    reports = fake_home.settings.reports_dir
    for _ in range(2):
        note_failure(reports, "a <b>", "0123456789", "BucketError: the folder is gone\nmore", job="apply_merges")
    note_failure(reports, "@library", "abcdef", "ended by a person; what was finished is kept")
    index = (reports / "index.html").read_text().partition('id="runs"')[2]
    assert index.count("failed: BucketError: the folder is gone") == 1
    assert "a &lt;b&gt;" in index
    assert ">apply_merges</td>" in index
    assert "the whole library" in index
    assert ">ended by a person" in index, "that is no failure"
    assert "0 runs" not in index


def test_the_failure_sensor_enters_the_run_and_calls_the_command(fake_home: FakeHome, tmp_path: Path) -> None:
    told = tmp_path / "told"
    command = f'sh -c \'printf "%s|%s" "$FACESETS_FAILED_BUCKET" "$FACESETS_FAILED_ERROR" > {told}\''
    settings = fake_home.settings.model_copy(update={"on_failure": command})
    fake_home.buckets.joinpath("a").mkdir()
    result = fake_home.run("gone", raise_on_error=False)
    sensor = build_failed_run_sensor(settings)
    failure = next(event for event in result.all_events if event.event_type_value == "PIPELINE_FAILURE")
    run = fake_home.instance.get_run_by_id(result.run_id)
    assert run is not None
    context = dg.build_run_status_sensor_context(
        sensor_name="failed_run_sensor", dagster_event=failure, dagster_instance=fake_home.instance, dagster_run=run
    ).for_run_failure()
    sensor(context)  # type: ignore[operator]
    bucket, error = told.read_text().split("|", 1)
    assert bucket == "gone"
    assert "never taken for an empty bucket" in error
    index = (fake_home.settings.reports_dir / "index.html").read_text()
    assert "never taken for an empty bucket" in index
    assert ">discover_identities</td>" in index


def test_a_run_is_named_by_its_job_or_by_what_was_chosen_in_the_ui() -> None:
    chosen = frozenset({dg.AssetKey("top_manifest"), dg.AssetKey("face_cache")})
    assert job_in_words(dg.DagsterRun("apply_merges", "1", asset_selection=chosen)) == "apply_merges"
    assert job_in_words(dg.DagsterRun("__ASSET_JOB", "1", asset_selection=chosen)) == (
        "materialize face_cache, top_manifest"
    )
    assert job_in_words(dg.DagsterRun("__ASSET_JOB", "1")) == "materialize all"


def test_a_command_that_failed_is_in_the_index_though_no_server_runs(fake_home: FakeHome) -> None:
    reports = fake_home.settings.reports_dir
    note_end(FinishedRun("abc", False, True, (), {}), "apply_merges", reports)
    note_end(FinishedRun("def", False, False, (), {}), "ask_what_if", reports, "press %5B2019%5D")
    note_end(FinishedRun("ghi", True, False, (), {}), "apply_merges", reports)
    buckets, _, runs = (reports / "index.html").read_text().partition('id="runs"')
    assert ">ended by a person</td>" in runs
    assert ">failed: the run failed before its first step</td>" in runs
    assert "press [2019]" in runs
    assert "press [2019]" not in buckets, "a question that failed is no state of the bucket"
    assert ">ghi<" not in runs


@pytest.mark.parametrize("command", ["/no/such/command", "false", "'"])
def test_a_command_that_does_not_work_is_said(command: str) -> None:
    with pytest.raises(SettingsError, match="FACESETS_ON_FAILURE"):
        run_hook(command, "a", "run", "error")
