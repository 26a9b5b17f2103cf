"""The console script on real homes: what it prints, refuses and suggests, and that looking makes nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from testing.homes import RealHome, clean_environment

FACESETS = Path(sys.executable).with_name("facesets")
READING = (
    ["status"], ["show", "faceset_001"], ["verify"], ["explain", "a/b.jpg"], ["find", "Anna"], ["open"],
    ["what-if", "trip"], ["label", "faceset_001", "Anna"], ["merge", "faceset_001", "faceset_002"],
    ["export", "Anna", "--to", "facefusion"], ["rulings"], ["rulings", "undo", "01"],
    ["rule", "same", "faceset_001", "faceset_002"],
)  # fmt: skip


def facesets(*arguments: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """The installed program in a directory, with no setting but these, on a terminal of 80 columns."""
    environment = {**clean_environment(), "COLUMNS": "80", "PYTHONPATH": os.environ.get("PYTHONPATH", ""), **more}
    return subprocess.run(
        [str(FACESETS), *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def empty_home(tmp_path: Path, embedded_models_root: Path) -> RealHome:
    """A home that was made and never run."""
    return RealHome(tmp_path / "home", "embedded", embedded_models_root).made()


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_what_needs_a_home_makes_none_and_says_what_to_do(arguments: list[str], tmp_path: Path) -> None:
    done = facesets(*arguments, cwd=tmp_path)
    assert done.returncode == 1
    home = tmp_path / "data"
    told = f"There is no home at {home}. Set FACESETS_HOME to yours, or make one here with `facesets init`."
    assert done.stderr.splitlines() == [told]
    assert done.stdout == ""
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("arguments", [["models", "list"], ["doctor"], ["--version"], ["--help"]])
def test_what_needs_no_home_makes_none(arguments: list[str], tmp_path: Path) -> None:
    facesets(*arguments, cwd=tmp_path)
    assert [*tmp_path.iterdir()] == []


def test_with_json_an_error_is_a_json_document_too(tmp_path: Path) -> None:
    done = facesets("status", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    error = json.loads(done.stdout)["error"]
    assert error["kind"] == "settings_error"
    assert error["message"].startswith("There is no home at ")
    wrong = facesets("show", "--json", cwd=tmp_path)
    assert (wrong.returncode, wrong.stderr) == (2, "")
    assert json.loads(wrong.stdout)["error"]["kind"] == "usage"


def test_the_version_is_the_packages(tmp_path: Path) -> None:
    from facesets_dagster import __version__

    assert facesets("--version", cwd=tmp_path).stdout.startswith(f"facesets {__version__} (Python ")


@pytest.mark.parametrize(
    "path",
    [[], ["show"], ["run"], ["models"], ["models", "pull"], ["rule", "split"], ["rulings", "list"]],
    ids=" ".join,
)
def test_h_is_help_with_examples_within_80_columns(path: list[str], tmp_path: Path) -> None:
    short, long = facesets(*path, "-h", cwd=tmp_path), facesets(*path, "--help", cwd=tmp_path)
    assert (short.returncode, short.stdout) == (0, long.stdout)
    assert all(len(line) <= 80 for line in short.stdout.splitlines())
    if path and path != ["models"]:
        assert f"$ facesets {' '.join(path)}" in short.stdout


@pytest.mark.parametrize("path", [[], ["init"], ["export"], ["models"], ["models", "list"]], ids=" ".join)
def test_help_shows_no_type_beside_an_option_that_takes_no_value(path: list[str], tmp_path: Path) -> None:
    text = facesets(*path, "-h", cwd=tmp_path).stdout
    assert "--help" in text
    assert "bool" not in text


def test_commands_stand_in_groups(tmp_path: Path) -> None:
    text = facesets("-h", cwd=tmp_path).stdout
    places = [text.index(f"─ {group} ─") for group in ("Begin", "Look", "People", "Check")]
    assert places == sorted(places)


def test_a_command_or_option_that_is_almost_right_is_answered_with_the_right_one(tmp_path: Path) -> None:
    done = facesets("shwo", cwd=tmp_path)
    assert done.returncode == 2
    assert "Did you mean 'show'?" in done.stderr
    done = facesets("status", "--jsno", cwd=tmp_path)
    assert done.returncode == 2
    assert "--json" in done.stderr


def test_no_message_names_a_class_or_shows_a_traceback(tmp_path: Path) -> None:
    told = [facesets(*arguments, cwd=tmp_path).stderr for arguments in READING]
    told.append(facesets("status", cwd=tmp_path, FACESETS_SETTLE_SECONDS="soon").stderr)
    assert all(text and "Error" not in text and "Traceback" not in text for text in told)


def test_the_shell_completes_commands_buckets_and_people(empty_home: RealHome, tmp_path: Path) -> None:
    (empty_home.settings.bucket_roots[0] / "family album").mkdir(parents=True)
    manifest = {"facesets": [{"name": "faceset_001", "label": "Anna"}, {"name": "faceset_002", "label": None}]}
    (empty_home.settings.library_dir / "manifest.json").write_text(json.dumps(manifest))

    def completed(*words: str) -> list[str]:
        line = {"COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1), "_FACESETS_COMPLETE": "complete_bash"}
        return facesets(cwd=tmp_path, **{**empty_home.environment, **line}).stdout.split("\n")

    assert "status" in completed("facesets", "sta")
    assert "family album" in completed("facesets", "run", "fam")
    assert "Anna" in completed("facesets", "show", "An")
    assert "faceset_002" in completed("facesets", "show", "faceset")
    assert "not-person" in completed("facesets", "rule", "not")
    assert "Anna" in completed("facesets", "rule", "approve", "An")
    assert "cover_distance" in completed("facesets", "rule", "threshold", "cover")
    assert "not_person" in completed("facesets", "rulings", "list", "--kind", "not")
    assert not any(completed("facesets", "rulings", "undo", ""))


def test_doctor_says_that_there_is_no_home_yet(tmp_path: Path) -> None:
    found = json.loads(facesets("doctor", "--json", cwd=tmp_path).stdout)
    (home,) = [one for one in found if one["name"] == "home"]
    assert (home["status"], home["found"]) == ("warning", f"none at {tmp_path / 'data'} yet")
