"""`facesets recover` and `upgrade` as they are printed, and what other commands say of a registry that is lost."""

import json
from pathlib import Path

import pytest

from facesets_dagster.cli.recover import print_backups, print_recovery, print_restored, print_upgrade, require_no_name
from facesets_dagster.cli.status import print_status, print_verification
from facesets_dagster.doctor import run_doctor
from facesets_dagster.errors import LibraryUnpaired, SettingsError
from facesets_dagster.files.writing import write_json
from testing.fake_home import FakeHome
from testing.fakes import write_person


def one_person(home: FakeHome) -> None:
    write_person(home.buckets / "a", 1, 6)
    home.run("a")


@pytest.fixture
def home(fake_home: FakeHome) -> FakeHome:
    fake_home.begin(one_person)
    write_json(fake_home.settings.home / "home.json", {"schema_version": 1, "dagster_ready": True})
    return fake_home


def lose(home: FakeHome) -> None:
    for path in home.settings.home.glob("registry.db*"):
        path.unlink()


def test_a_lost_registry_is_named_by_every_command_and_rebuilt(
    home: FakeHome, capsys: pytest.CaptureFixture[str]
) -> None:
    print_recovery(home.settings, dry_run=False, as_json=False)
    assert "there is nothing to recover" in capsys.readouterr().out
    lose(home)
    with pytest.raises(LibraryUnpaired, match="knows none: it is lost"):
        print_status(home.settings, as_json=False)
    with pytest.raises(LibraryUnpaired, match="knows none: it is lost"):
        print_verification(home.settings, as_json=False)
    (finding,) = [one for one in run_doctor(home.settings) if one.name == "library"]
    assert (finding.status, "facesets recover" in finding.advice) == ("problem", True)

    print_recovery(home.settings, dry_run=True, as_json=False)
    said = capsys.readouterr().out
    assert (
        "It would be rebuilt from the library: 1 faceset in use, 0 out of use, 6 members, 0 rulings, 1 bucket." in said
    )
    assert said.endswith("Nothing was written.\n")
    assert not Path(home.settings.home / "registry.db").exists()
    print_recovery(home.settings, dry_run=False, as_json=True)
    assert json.loads(capsys.readouterr().out)["facesets"] == 1
    assert print_verification(home.settings, as_json=False) == 0
    (finding,) = [one for one in run_doctor(home.settings) if one.name == "library"]
    assert finding.status == "ok"


def test_copies_are_listed_and_one_is_restored(home: FakeHome, capsys: pytest.CaptureFixture[str]) -> None:
    print_backups(home.settings, as_json=True)
    (copy,) = json.loads(capsys.readouterr().out)["backups"]
    print_backups(home.settings, as_json=False)
    assert "`latest` is the newest" in capsys.readouterr().out
    lose(home)
    print_restored(home.settings, "latest", as_json=False)
    assert capsys.readouterr().out == f"The registry is the copy {copy['name']} (generation {copy['generation']}).\n"
    assert print_verification(home.settings, as_json=False) == 0
    with pytest.raises(SettingsError, match="write `--from-backup x`"):
        require_no_name("x")


def test_a_home_of_this_release_has_nothing_to_upgrade(home: FakeHome, capsys: pytest.CaptureFixture[str]) -> None:
    for dry_run in (True, False):
        print_upgrade(home.settings, dry_run=dry_run, as_json=False)
        assert capsys.readouterr().out == "The home is of this release: there is nothing to upgrade.\n"
