"""The page on rulings shows what its commands print, one after the other, over one home."""

import re
import shlex

import pytest
from typer.testing import CliRunner

from facesets_dagster.cli import ruling_job
from facesets_dagster.cli.commands import look
from facesets_dagster.cli.commands import rule as rule_commands
from facesets_dagster.cli.commands import rulings as rulings_commands
from facesets_dagster.cli.main import app
from facesets_dagster.library import audit
from testing.fake_home import FakeHome
from testing.fakes import FakeFace, write_photo
from testing.labels import give_label
from testing.paths import REPOSITORY

PAGE = (REPOSITORY / "docs" / "rulings.md").read_text()
_ID = re.compile(r"\b01[0-9A-HJKMNP-TV-Z]{24}\b")
_WHEN = re.compile(r"\b20\d\d-\d\d-\d\d( \d\d:\d\d)?\b")


def filled(home: FakeHome) -> None:
    """Anna and Berta, who look alike, as one face set; Carl; somebody who sold ice."""
    people = {"anna": (1, [-0.6, -0.55, -0.5, -0.45]), "berta": (1, [0.45, 0.5, 0.55]), "carl": (5, [-0.9, -0.8, -0.7])}
    for number, (name, (person, looks)) in enumerate(people.items()):
        for place, look_ in enumerate(looks, start=1):
            path = home.buckets / "holiday" / f"{name} {place}.png"
            write_photo(path, [FakeFace(person, look_)], seed=10 * number + place)
    for place, look_ in enumerate([0.6, 0.7, 0.8], start=1):
        write_photo(home.buckets / "party" / f"carl {place}.png", [FakeFace(5, look_)], seed=70 + place)
        write_photo(home.buckets / "party" / f"ice {place}.png", [FakeFace(9, look_)], seed=80 + place)
    strict = {"osrc_clusters": {"min_faces": 3, "rematch_distance": 0.1}, "osrc_uncovered": {"cover_distance": 0.1}}
    for bucket in ("holiday", "party"):
        home.run(bucket, **strict)
    give_label(home.library.registry, "faceset_001", "Anna")


@pytest.fixture
def home(fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch) -> FakeHome:
    fake_home.begin(filled)
    monkeypatch.setattr(ruling_job, "instance_of", fake_home.instance_of)
    monkeypatch.setattr(ruling_job, "embedder_of", lambda _: fake_home.embedder)
    for module in (rule_commands, rulings_commands, look):
        monkeypatch.setattr(module, "existing_home", lambda: fake_home.settings)
    monkeypatch.setattr(audit.getpass, "getuser", lambda: "kim")
    monkeypatch.setenv("COLUMNS", "200")
    return fake_home


def blocks() -> list[tuple[str, str]]:
    """Command and what follows it, in the order of the page."""
    found = re.findall(r"^```\n\$ (facesets .*?)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(found) >= 8
    return found


def as_shown(text: str) -> list[str]:
    return [_WHEN.sub("WHEN", _ID.sub("ID", line.rstrip())) for line in text.splitlines() if line.strip()]


def test_the_page_shows_what_its_commands_print(home: FakeHome) -> None:
    ids: dict[str, str] = {}
    for command, shown in blocks():
        words = [_ID.sub(lambda found: ids[found[0]], word) for word in shlex.split(command)[1:]]
        done = CliRunner().invoke(app, words)
        printed = done.output
        assert as_shown(printed) == as_shown(shown), f"{command}\n{printed}"
        ids.update(zip(_ID.findall(shown), _ID.findall(printed), strict=True))
    assert home.flaws() == []
