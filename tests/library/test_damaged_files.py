"""Any file of the library that is damaged costs itself: `verify` names it with a way out and looks at all others."""

from collections.abc import Callable
from pathlib import Path

import pytest

from facesets_dagster.cli.status import print_status, print_verification
from testing.fake_home import FakeHome
from testing.fakes import write_person

_DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda data: data[: len(data) // 2],
    "empty": lambda _: b"",
    "garbage": lambda _: bytes(range(256)) * 20,
    "deep": lambda _: b"[" * 200_000,
    "list": lambda _: b"[1, 2]",
    "null": lambda _: b'{"content_digest": null, "facesets": 3, "faces": {"a": 1}, "schema_version": "x"}',
}
_FILES = (
    "manifest.json",
    "faceset_001/manifest.json",
    "faceset_001/members.parquet",
    "faceset_001/faceset_001.npz",
    "faceset_001/faceset_001.fsz",
    "faceset_001/faces/0001.png",
)


def two_people(home: FakeHome) -> None:
    for person, bucket in enumerate("ab", start=1):
        write_person(home.buckets / bucket, person, 6)
        home.run(bucket)


@pytest.fixture
def home(fake_home: FakeHome) -> FakeHome:
    fake_home.begin(two_people)
    return fake_home


@pytest.mark.parametrize("damage", _DAMAGE)
def test_a_damaged_file_is_named_and_the_others_are_checked(
    home: FakeHome, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root = home.settings.library_dir
    other = root / "faceset_002" / "faces" / "0001.png"
    other.write_bytes(b"changed")
    for name in _FILES:
        path = root / name
        data = path.read_bytes()
        path.write_bytes(_DAMAGE[damage](data))
        flaws = home.flaws()
        told = [f"{flaw.where} {flaw.what}" for flaw in flaws]
        assert any(str(path) in line or (name == "manifest.json" and "manifest.json" in line) for line in told), name
        assert any(str(other) in line for line in told), name
        assert all(flaw.advice for flaw in flaws)
        assert print_verification(home.settings, as_json=False) == 1
        print_status(home.settings, as_json=False)
        assert "faceset_002" in capsys.readouterr().out
        path.write_bytes(data)


def test_damaged_notes_are_flaws_and_harm_no_run(home: FakeHome) -> None:
    noted = sorted((home.settings.library_dir / "_registry" / "buckets").iterdir())
    for path, harm in zip(noted, ("garbage", "empty"), strict=True):
        path.write_bytes(_DAMAGE[harm](b""))
    assert [flaw.where for flaw in home.flaws()] == ["_registry", "_registry"]
    write_person(home.buckets / "a", 1, 2, first=20)
    write_person(home.buckets / "b", 2, 2, first=20)
    home.run("a")
    home.run("b")
    assert home.flaws() == []


def test_a_run_that_meets_a_broken_top_manifest_says_so(home: FakeHome) -> None:
    path = Path(home.settings.library_dir / "manifest.json")
    path.write_bytes(_DAMAGE["deep"](b""))
    write_person(home.buckets / "a", 1, 2, first=20)
    done = home.run("a", raise_on_error=False)
    assert not done.success
    path.unlink()
    home.run("a")
    assert home.flaws() == []
