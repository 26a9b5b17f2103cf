"""Making a home: once, under a lock, finished after a kill, and never with another model."""

import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
import yaml

from facesets_dagster import home as home_module
from facesets_dagster.doctor import Finding, run_doctor
from facesets_dagster.errors import SettingsError
from facesets_dagster.home import init_home, recorded_automation, recorded_precision
from facesets_dagster.photos import formats
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.settings import Settings, load_settings
from testing.forked import ForkedHome
from testing.homes import initialised_home


def settings_of(folder: Path, models_root: Path, **more: str) -> Settings:
    environment = {"FACESETS_HOME": str(folder), "FACESETS_MODELS": str(models_root), **more}
    return load_settings(environment, folder.parent)


@pytest.fixture
def dagster_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dagster's databases of every home are copies, for tests of all the rest of a home."""
    made = initialised_home() / "dagster"

    def copied(settings: Settings) -> None:
        shutil.copytree(made, settings.dagster_home, dirs_exist_ok=True)

    monkeypatch.setattr(home_module, "_make_dagster", copied)


def test_three_processes_that_meet_a_fresh_home_make_one(tmp_path: Path, embedded_models_root: Path) -> None:
    home = ForkedHome(tmp_path / "home", "embedded", embedded_models_root)
    children = [home.start("init", "--json") for _ in range(3)]
    for child in children:
        said, _ = child.communicate()
        assert child.returncode == 0, said
    record = json.loads((home.folder / "home.json").read_text())
    assert (record["model_pack"], record["dagster_ready"], record["automation"]) == ("embedded", True, False)
    config = yaml.safe_load((home.folder / "dagster" / "dagster.yaml").read_text())
    assert config["telemetry"] == config["nux"] == {"enabled": False}
    for path in (home.folder / "dagster").rglob("*.db"):
        with sqlite3.connect(path) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.usefixtures("dagster_copied")
def test_a_second_init_says_and_changes_nothing(tmp_path: Path, embedded_models_root: Path) -> None:
    settings = settings_of(tmp_path / "home", embedded_models_root, FACESETS_MODEL_PACK="embedded")
    said: list[str] = []
    init_home(settings, say=said.append)
    assert said == [f"making the home {tmp_path / 'home'}", "model pack of this home: embedded"]
    (settings.dagster_home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    before = {path: path.stat().st_mtime_ns for path in settings.home.rglob("*")}
    init_home(settings, say=pytest.fail)
    assert {path: path.stat().st_mtime_ns for path in settings.home.rglob("*")} == before


def test_an_init_that_was_cut_off_is_finished_and_keeps_dagster_yaml(
    tmp_path: Path, embedded_models_root: Path
) -> None:
    settings = settings_of(tmp_path / "home", embedded_models_root, FACESETS_MODEL_PACK="embedded")
    settings.dagster_home.mkdir(parents=True)
    mine = "telemetry:\n  enabled: false\n"
    (settings.dagster_home / "dagster.yaml").write_text(mine)
    init_home(settings, say=lambda _: None)
    assert (settings.dagster_home / "dagster.yaml").read_text() == mine
    assert (settings.home / "home.json").exists()


@pytest.mark.usefixtures("dagster_copied")
def test_automation_is_remembered_and_the_setting_wins(tmp_path: Path, embedded_models_root: Path) -> None:
    settings = settings_of(tmp_path / "home", embedded_models_root, FACESETS_MODEL_PACK="embedded")
    init_home(settings, say=lambda _: None)
    assert not recorded_automation(settings)
    init_home(settings, say=lambda _: None, automation=True)
    assert recorded_automation(settings)
    init_home(settings, say=lambda _: None)
    assert recorded_automation(settings)
    off = settings_of(tmp_path / "home", embedded_models_root, FACESETS_AUTOMATION="off")
    assert not recorded_automation(off)


@pytest.mark.usefixtures("dagster_copied")
def test_a_home_keeps_its_pack(tmp_path: Path, embedded_models_root: Path) -> None:
    init_home(settings_of(tmp_path / "home", embedded_models_root), say=lambda _: None)
    other = settings_of(tmp_path / "home", embedded_models_root, FACESETS_MODEL_PACK="buffalo_l")
    with pytest.raises(SettingsError, match="was made with the model pack 'embedded', FACESETS_MODEL_PACK is"):
        init_home(other, say=lambda _: None)


def test_a_home_that_cannot_be_written_and_a_broken_record_are_explained(
    tmp_path: Path, embedded_models_root: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(SettingsError, match="cannot be made"):
        init_home(settings_of(tmp_path / "file" / "home", embedded_models_root), say=lambda _: None)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "home.json").write_text("{")
    with pytest.raises(SettingsError, match=r"home\.json cannot be read"):
        init_home(settings_of(tmp_path / "home", embedded_models_root), say=lambda _: None)
    (tmp_path / "home" / "home.json").write_text('{"schema_version": 99}')
    with pytest.raises(SettingsError, match="another schema"):
        init_home(settings_of(tmp_path / "home", embedded_models_root), say=lambda _: None)


@pytest.mark.usefixtures("dagster_copied")
def test_a_home_keeps_the_precision_that_it_was_made_with(tmp_path: Path, embedded_models_root: Path) -> None:
    def settings_in(folder: str, **more: str) -> Settings:
        return settings_of(tmp_path / folder, embedded_models_root, FACESETS_MODEL_PACK="embedded", **more)

    half = settings_in("half", FACESETS_PRECISION="fp16")
    init_home(half, say=lambda _: None)
    init_home(settings_in("exact"), say=lambda _: None)
    assert recorded_precision(settings_in("half")) == "fp16"
    assert EmbedderResource.of(settings_in("half")).pack().precision == "fp16"
    assert recorded_precision(settings_in("exact")) == "fp32"
    with pytest.raises(SettingsError, match="made with fp16, FACESETS_PRECISION is fp32"):
        init_home(settings_in("half", FACESETS_PRECISION="fp32"), say=lambda _: None)
    with pytest.raises(SettingsError, match="made with fp32, FACESETS_PRECISION is fp16"):
        recorded_precision(settings_in("exact", FACESETS_PRECISION="fp16"))


def finding(settings: Settings, name: str) -> Finding:
    (found,) = [finding for finding in run_doctor(settings) if finding.name == name]
    return found


@pytest.mark.usefixtures("dagster_copied")
def test_the_doctor_sees_both_onnxruntimes_and_a_second_opencv(
    tmp_path: Path, embedded_models_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path / "home", embedded_models_root, FACESETS_MODEL_PACK="embedded")
    init_home(settings, say=lambda _: None)
    assert finding(settings, "onnxruntime").status == "ok"
    assert finding(settings, "opencv").status == "ok"
    monkeypatch.setattr("facesets_dagster.doctor.installed", lambda _: "1.0")
    both = finding(settings, "onnxruntime")
    assert (both.status, both.found) == ("problem", "onnxruntime 1.0 and onnxruntime-gpu 1.0")
    assert "ACCEL=cpu" in both.advice
    assert finding(settings, "opencv").status == "problem"


def test_the_doctor_names_a_missing_pack_a_missing_root_and_a_gpu_that_is_not_there(
    tmp_path: Path, embedded_models_root: Path
) -> None:
    import onnxruntime

    nowhere = settings_of(tmp_path / "home", tmp_path, FACESETS_BUCKETS=str(tmp_path / "unmounted"))
    assert "facesets models pull embedded" in finding(nowhere, "pack").advice
    assert "unmounted" in finding(nowhere, "buckets").found
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    gpu = settings_of(
        tmp_path / "home", embedded_models_root, FACESETS_PROVIDERS="cuda", FACESETS_MODEL_PACK="embedded"
    )
    wanted = finding(gpu, "providers")
    assert wanted.status == "problem"
    assert "make setup ACCEL=gpu" in wanted.advice


@pytest.mark.usefixtures("dagster_copied")
def test_a_misspelt_library_is_refused_and_makes_nothing(tmp_path: Path, embedded_models_root: Path) -> None:
    init_home(settings_of(tmp_path / "home", embedded_models_root), say=lambda _: None)
    (tmp_path / "home" / "facesets_swap_ready_fresh").mkdir()
    (tmp_path / "home" / "registry_other.db").touch()
    before = sorted(tmp_path.rglob("*"))
    slip = settings_of(tmp_path / "home", embedded_models_root, FACESETS_LIBRARY="frehs")
    for opened in (lambda: init_home(slip, say=lambda _: None), lambda: HomeResource.of(slip)):
        with pytest.raises(SettingsError, match=r"'frehs', and .*Expected one of: fresh, other.*new_library: frehs"):
            opened()
    assert finding(slip, "library").status == "problem"
    assert sorted(tmp_path.rglob("*")) == before
    meant = settings_of(tmp_path / "home", embedded_models_root, FACESETS_LIBRARY="fresh")
    init_home(meant, say=lambda _: None)
    assert HomeResource.of(meant).library().folder.name == "facesets_swap_ready_fresh"


def test_the_doctor_looks_at_hand_sorted_and_legacy_roots(tmp_path: Path) -> None:
    unset = settings_of(tmp_path / "home", tmp_path)
    assert {finding(unset, name).status for name in ("hand_sorted", "legacy", "names")} == {"ok"}
    (tmp_path / "people" / "Anna").mkdir(parents=True)
    (tmp_path / "a file").touch()
    roots = {"FACESETS_HAND_SORTED": str(tmp_path / "people"), "FACESETS_LEGACY": str(tmp_path / "people")}
    assert finding(settings_of(tmp_path / "home", tmp_path, **roots), "hand_sorted").found.endswith("people, 1 folder")
    wrong = {
        "FACESETS_HAND_SORTED": str(tmp_path / "unmounted"),
        "FACESETS_LEGACY": f"{tmp_path / 'people'}:{tmp_path / 'a file'}",
    }
    for name, said in (("hand_sorted", "unmounted does not exist"), ("legacy", "a file is not a folder")):
        found = finding(settings_of(tmp_path / "home", tmp_path, **wrong), name)
        assert (found.status, found.found.endswith(said)) == ("problem", True)
        assert f"FACESETS_{name.upper()}" in found.advice


def test_the_doctor_sees_folders_that_it_may_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "people" / "Anna"
    closed.mkdir(parents=True)
    monkeypatch.setattr("facesets_dagster.doctor.os.access", lambda path, _: path != closed)  # root may read all
    found = finding(settings_of(tmp_path / "home", tmp_path, FACESETS_HAND_SORTED=str(closed.parent)), "hand_sorted")
    assert (found.status, found.found) == ("problem", f"{closed} cannot be read")


def test_misspelt_names_are_told_by_the_doctor_and_at_the_start_of_a_command(
    tmp_path: Path, embedded_models_root: Path
) -> None:
    home = ForkedHome(tmp_path / "home", "embedded", embedded_models_root, {"FACESETS_BUKETS": str(tmp_path)})
    said = home.facesets("init")
    assert "warning: FACESETS_BUKETS is set and means nothing. Did you mean FACESETS_BUCKETS?" in said
    found = finding(settings_of(tmp_path / "home", embedded_models_root, FACESETS_BUKETS="x"), "names")
    assert (found.status, "FACESETS_BUCKETS?" in found.found) == ("warning", True)


def test_a_run_that_wants_a_gpu_fails_with_the_reason_instead_of_crawling(
    tmp_path: Path, embedded_models_root: Path
) -> None:
    import onnxruntime

    from testing.fakes import FakeFace, write_photo

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    home = ForkedHome(tmp_path / "home", "embedded", embedded_models_root, {"FACESETS_PROVIDERS": "cuda"}).made()
    write_photo(tmp_path / "home" / "buckets" / "a" / "one.png", [FakeFace(1, 0.0)])
    child = home.start("run")
    said, _ = child.communicate()
    assert child.returncode == 1
    assert "CUDAExecutionProvider is not available" in said
    assert "FACESETS_PROVIDERS=cpu" in said
    assert "Traceback" not in said
    assert os.listdir(tmp_path / "home" / "facesets_swap_ready") == []


def photos_in(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def test_the_doctor_says_which_folders_of_a_root_are_no_buckets_and_which_photos_are_in_none(tmp_path: Path) -> None:
    photos_in(tmp_path / "photos", "2019/a.jpg", "#recycle/b.jpg")
    settings = settings_of(tmp_path / "home", tmp_path, FACESETS_BUCKETS=str(tmp_path / "photos"))
    assert finding(settings, "loose_photos").status == "ok"
    found = finding(settings, "buckets")
    assert (found.status, found.found.startswith("1 bucket in ")) == ("ok", True)
    assert f"no buckets: {tmp_path / 'photos' / '#recycle'} (a recycle bin)" in found.found
    photos_in(tmp_path / "photos", "c.jpg")
    loose = finding(settings, "loose_photos")
    assert (loose.status, loose.found) == ("warning", "1 photo in no bucket")
    assert "Move such photos into a folder there." in loose.advice


def test_the_doctor_says_that_a_home_lies_beside_buckets(tmp_path: Path) -> None:
    photos_in(tmp_path, "2019/a.jpg", "home/reports/a.jpg")
    found = finding(settings_of(tmp_path / "home", tmp_path / "models", FACESETS_BUCKETS=str(tmp_path)), "buckets")
    assert found.status == "warning"
    assert f"{tmp_path / 'home'} (written by this platform)" in found.found
    assert "never read as photos" in found.advice


def test_the_doctor_counts_what_globs_match_and_names_those_that_match_nothing(tmp_path: Path) -> None:
    photos_in(tmp_path / "photos", "2019/a.jpg", "2019/a_thumb.jpg", "2020/thumb/b.jpg")
    places = {"FACESETS_BUCKETS": str(tmp_path / "photos")}
    assert finding(settings_of(tmp_path / "home", tmp_path, **places), "ignore").status == "ok"
    settings = settings_of(tmp_path / "home", tmp_path, **places, FACESETS_IGNORE="*_thumb*, thumb, *.tif")
    assert settings.ignore == ("*_thumb*", "thumb", "*.tif")
    found = finding(settings, "ignore")
    assert found.status == "warning"
    assert found.found.endswith("`*_thumb*` 1, `thumb` 1, `*.tif` 0")
    assert "`*.tif` matches no file" in found.advice


def test_the_doctor_names_decoders_that_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(tmp_path / "home", tmp_path)
    assert finding(settings, "formats").found == "read: RAW photos, JPEG XL photos"
    monkeypatch.setattr(formats, "_installed", lambda module: module == "pillow_jxl")
    found = finding(settings, "formats")
    assert (found.status, found.found) == ("warning", "read: JPEG XL photos; passed over: RAW photos")
    assert "facesets-dagster[raw]" in found.advice
