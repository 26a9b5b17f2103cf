"""Faces of people who are known from another bucket are covered."""

import json

import polars as pl

from testing.fake_home import FakeHome
from testing.fakes import write_person


def exported(home: FakeHome) -> dict[str, int]:
    manifest = json.loads((home.settings.library_dir / "manifest.json").read_text())
    return {entry["name"]: entry["exported"] for entry in manifest["facesets"]}


def test_people_of_another_bucket_are_covered_and_nothing_of_theirs_changes(fake_home: FakeHome) -> None:
    fake_home.discovers_alone()
    write_person(fake_home.buckets / "a", 1, 8)
    fake_home.run("a")
    before = fake_home.files()
    write_person(fake_home.buckets / "b", 1, 6, first=30)
    write_person(fake_home.buckets / "b", 2, 7)
    fake_home.run("b")
    after = fake_home.files()
    assert {path: data for path, data in after.items() if path.startswith("faceset_001")} == {
        path: data for path, data in before.items() if path.startswith("faceset_001")
    }
    decisions = fake_home.library.registry.decisions("b")
    assert set(decisions.filter(pl.col("identity") == "faceset_001")["state"]) == {"covered"}
    assert set(exported(fake_home)) == {"faceset_001", "faceset_002"}
