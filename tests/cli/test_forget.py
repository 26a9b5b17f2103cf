"""`facesets forget`, through the program, over a home with the fake model."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from facesets_dagster.cli import forget as forgetting
from facesets_dagster.cli.commands import forget as commands
from facesets_dagster.cli.main import app
from testing.fake_home import FakeHome
from testing.forgetting import kept_instance
from testing.rulings import three_people


@pytest.fixture
def home(fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHome]:
    three_people(fake_home)
    with kept_instance(fake_home) as home:
        monkeypatch.setattr(forgetting, "instance_of", home.instance_of)
        monkeypatch.setattr(forgetting, "embedder_of", lambda _: home.embedder)
        monkeypatch.setattr(commands, "existing_home", lambda: home.settings)
        yield home


def facesets(*words: str) -> tuple[int, str]:
    """Exit code and what was printed."""
    done = CliRunner().invoke(app, ["forget", *words])
    return done.exit_code, done.output


def as_json(*words: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["forget", *words, "--json"])
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_dry_run_counts_and_changes_nothing(home: FakeHome) -> None:
    before = home.files()
    found = as_json("faceset_002", "--dry-run")
    assert (found["kind"], found["receipt"]) == ("faceset", None)
    assert found["counts"] == {"facesets": 1, "faces": 4, "photos": 4, "buckets": 0}
    code, text = facesets("faceset_002", "--dry-run")
    assert code == 0
    assert "1 face set, 4 faces, 4 photos would go" in text
    assert home.files() == before
    assert not (home.settings.home / "forgotten").exists()


def test_nothing_goes_without_a_yes(home: FakeHome) -> None:
    code, text = facesets("faceset_002")
    assert code == 1
    assert "cannot be taken back. Add --yes" in text
    assert not (home.settings.home / "forgotten").exists()


@pytest.mark.parametrize("words", [(), ("faceset_002", "--gone"), ("faceset_002", "--bucket", "a")])
def test_one_thing_is_named(home: FakeHome, words: tuple[str, ...]) -> None:
    code, text = facesets(*words, "--yes")
    assert code == 1
    assert "Name one thing to forget" in text
    assert not (home.settings.home / "forgotten").exists()


def test_a_photo_by_its_place_and_a_bucket_whose_folder_is_gone(home: FakeHome) -> None:
    photo = sorted(path.name for path in (home.buckets / "a").iterdir())[0]
    done = as_json(f"a/{photo}", "--yes")
    assert done["kind"] == "photo"
    assert done["counts"]["photos"] == 1
    assert Path(done["receipt"]).is_file()
    for path in (home.buckets / "a").iterdir():
        path.unlink()
    (home.buckets / "a").rmdir()
    done = as_json("--bucket", "a", "--yes")
    assert done["counts"]["buckets"] == 1
    assert home.library.snapshot().people() == []
    assert home.flaws() == []
    lines = [json.loads(line) for line in (home.settings.home / "audit.jsonl").read_text().splitlines()]
    assert [line["kind"] for line in lines if line["what"] == "forget"] == ["photo", "bucket"]
