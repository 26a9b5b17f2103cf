"""`facesets label`, `merge`, `export` and `open`, in process with the fake model."""

import json
from typing import Any

import dagster as dg
import pytest

from facesets_dagster import definitions
from facesets_dagster.cli import dagster_instance, export, label, merge, ruling_job
from facesets_dagster.cli.open import open_place
from facesets_dagster.errors import FacesetsError, LibraryError, PublishRefused, SettingsError
from testing.fake_home import FakeHome
from testing.fakes import FakeFace, write_looks, write_photo

NOTHING = merge.Despite(veto=False, labels=False)


def filled(home: FakeHome) -> None:
    """Three facesets; the third is on a photo with the second."""
    for bucket, person in (("a", 1), ("b", 5), ("c", 9)):
        write_looks(home.buckets / bucket, person, [-0.9, -0.45, 0.0, 0.45, 0.9, 1.0])
    write_photo(home.buckets / "c" / "both.png", [FakeFace(5, 0.2, x=20), FakeFace(9, 0.2, x=320)], seed=3)
    write_photo(home.buckets / "b" / "both.png", [FakeFace(5, 0.2, x=20), FakeFace(9, 0.2, x=320)], seed=3)
    for bucket in ("a", "b", "c"):
        home.run(bucket)


@pytest.fixture
def home(fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch) -> FakeHome:
    for module in (ruling_job, export, dagster_instance):
        monkeypatch.setattr(module, "instance_of", fake_home.instance_of)
    monkeypatch.setattr(ruling_job, "embedder_of", lambda _: fake_home.embedder)
    for module in (export, definitions):
        monkeypatch.setattr(module, "build_defs", fake_home.definitions_of)
    fake_home.begin(filled)
    return fake_home


def named(home: FakeHome, faceset: str, name: str, *, same_name: bool = False) -> None:
    label.print_label(home.settings, faceset, name, same_name=same_name, as_json=False)


def labels(home: FakeHome) -> dict[str, str | None]:
    manifest = json.loads((home.library.folder / "manifest.json").read_text())
    return {entry["name"]: entry["label"] for entry in manifest["facesets"]}


def test_a_name_stands_in_the_manifest_and_in_a_run_with_lineage(home: FakeHome) -> None:
    named(home, "faceset_001", "  Anna   Berg ")
    assert labels(home)["faceset_001"] == "Anna Berg"
    (run,) = home.instance.get_runs(dg.RunsFilter(job_name="label_faceset"))
    assert run.status == dg.DagsterRunStatus.SUCCESS
    assert run.tags["facesets/person"] == "Anna Berg"
    event = home.instance.get_latest_materialization_event(dg.AssetKey("top_manifest"))
    assert event is not None
    assert event.run_id == run.run_id
    named(home, "anna berg", "")
    assert labels(home)["faceset_001"] is None


def test_a_name_that_another_person_has_is_not_given_without_a_word(home: FakeHome) -> None:
    named(home, "faceset_001", "Zoë")
    with pytest.raises(LibraryError) as told:
        named(home, "faceset_002", "ZOE\u0308")
    assert "faceset_001 is called 'ZO\u00cb' too. If it is the same person: `facesets merge" in str(told.value)
    assert labels(home)["faceset_002"] is None
    named(home, "faceset_002", "Zoë", same_name=True)
    named(home, "faceset_001", "Zoë", same_name=True)
    assert [*labels(home).values()] == ["Zoë", "Zoë", None]


def test_merge_says_first_what_it_would_do_and_then_does_it(home: FakeHome, capsys: pytest.CaptureFixture) -> None:
    named(home, "faceset_002", "Bo")
    files = home.files()
    capsys.readouterr()
    assert merge.print_merge(home.settings, ["faceset_001", "bo"], NOTHING, dry_run=True, as_json=False) == 0
    said = capsys.readouterr().out
    assert "Bo (faceset_002) would be merged into faceset_001: " in said
    assert "faceset_001 takes the name Bo." in said
    assert home.files() == files
    merge.print_merge(home.settings, ["faceset_001", "bo"], NOTHING, dry_run=False, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["merges"] == [{"merged": "faceset_002", "keeper": "faceset_001"}]
    assert home.instance.get_run_by_id(told["run_id"]).job_name == "apply_merges"
    assert labels(home) == {"faceset_001": "Bo", "faceset_003": None}
    merge.print_merge(home.settings, ["faceset_001", "faceset_002"], NOTHING, dry_run=False, as_json=False)
    assert "Nothing to do: all of these are Bo (faceset_001) already." in capsys.readouterr().out
    assert home.flaws() == []


@pytest.mark.parametrize("dry_run", [True, False])
def test_what_speaks_against_a_merge_is_one_sentence_with_the_option_that_overrules_it(
    home: FakeHome, dry_run: bool
) -> None:
    named(home, "faceset_001", "Anna")
    named(home, "faceset_002", "Bo")
    for names, option in ((["Anna", "Bo"], "`--despite-labels`"), (["Bo", "faceset_003"], "`--despite-veto`")):
        with pytest.raises(PublishRefused) as told:
            merge.print_merge(home.settings, names, NOTHING, dry_run=dry_run, as_json=False)
        assert option in str(told.value)
        assert "despite_" not in str(told.value)
        assert str(told.value).count("\n") == 0
    assert not home.instance.get_runs(dg.RunsFilter(job_name="apply_merges"))


def exported(home: FakeHome, person: str, *programs: str, folder: Any = None, by_name: bool = False) -> int:
    return export.print_export(home.settings, person, programs, folder, by_name=by_name, as_json=False)


def test_a_person_is_exported_by_name_and_copied_under_the_name(
    home: FakeHome, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture
) -> None:
    named(home, "faceset_001", "Anna: B/C")
    target = tmp_path_factory.mktemp("facefusion")
    assert exported(home, "anna: b/c", "facefusion", folder=target) == 0
    assert (home.settings.exports_dir / "facefusion" / "faceset_001" / "0001.png").is_file()
    assert (target / "Anna_ B_C" / "0001.png").is_file()
    assert "Anna: B/C (faceset_001) for facefusion: " in capsys.readouterr().out
    (run,) = home.instance.get_runs(dg.RunsFilter(job_name="export_facesets"))
    assert run.status == dg.DagsterRunStatus.SUCCESS
    (target / "Anna_ B_C" / "0001.png").write_text("mine")
    assert exported(home, "faceset_001", "facefusion", folder=target) == 1
    assert "0001.png" in capsys.readouterr().out
    assert (target / "Anna_ B_C" / "0001.png").read_text() == "mine"
    exported(home, "faceset_002", "facefusion", folder=target)
    assert {path.name for path in target.iterdir() if path.is_dir()} == {"Anna_ B_C", "faceset_002"}


def test_the_homes_own_files_can_carry_the_name(home: FakeHome) -> None:
    named(home, "faceset_001", "Zoë")
    named(home, "faceset_002", "Zoe\u0308", same_name=True)
    exported(home, "faceset_001", "facefusion", by_name=True)
    exported(home, "faceset_002", "facefusion", by_name=True)
    exported(home, "faceset_003", "facefusion", by_name=True)
    folders = {path.name for path in (home.settings.exports_dir / "facefusion").iterdir() if path.is_dir()}
    assert folders == {"Zoë (faceset_001)", "Zoë (faceset_002)", "faceset_003"}
    exported(home, "faceset_001", "facefusion")
    folders = {path.name for path in (home.settings.exports_dir / "facefusion").iterdir() if path.is_dir()}
    assert folders == {"faceset_001", "Zoë (faceset_002)", "faceset_003"}


def test_an_export_that_cannot_be_is_refused_before_anything_runs(home: FakeHome) -> None:
    refused: list[tuple[type[FacesetsError], str, tuple[Any, ...], dict[str, Any]]] = [
        (SettingsError, "Did you mean reactor?", ("faceset_001", "reactr"), {}),
        (SettingsError, "Name a folder outside of it", ("faceset_001",), {"folder": home.buckets / "x"}),
        (LibraryError, "Did you mean faceset_001", ("1",), {}),
    ]
    for kind, why, arguments, options in refused:
        with pytest.raises(kind) as told:
            exported(home, *arguments, **options)
        assert why in str(told.value)
    assert not home.instance.get_runs(dg.RunsFilter(job_name="export_facesets"))


def test_open_says_where_a_faceset_and_the_report_are(
    home: FakeHome, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    named(home, "faceset_001", "Anna")
    capsys.readouterr()
    open_place(home.settings, "Anna", as_json=False)
    open_place(home.settings, "report", as_json=True)
    folder, report = capsys.readouterr().out.split("\n", 1)
    assert folder == str(home.library.folder / "faceset_001")
    assert json.loads(report)["place"] == str(home.settings.reports_dir / "index.html")
    monkeypatch.setenv("PORT", "1")
    with pytest.raises(SettingsError, match=r"Nothing answers on 127\.0\.0\.1:1\. Start the UI with `make dev`"):
        open_place(home.settings, "ui", as_json=False)
