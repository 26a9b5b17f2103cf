"""Who did what: a line for each run, ruling and undoing; whole lines whatever dies, and only added to."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from facesets_dagster.errors import LibraryError
from facesets_dagster.library.audit import FILE, deeds, note_deed, without
from facesets_dagster.publishing.rulings.writing import Author, enter, take_back
from testing.fake_home import FakeHome
from testing.fakes import write_person


def test_runs_rulings_and_undoing_are_noted_with_who_and_from_where(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "Anna", 1, 7)
    result = fake_home.run("Anna")
    library, anna = fake_home.library, Author("anna", "ui")
    ruling = anna.ruling("name", names={"person": "faceset_001"}, payload={"text": "Anna K."})
    enter(library, [ruling])
    enter(library, [ruling])  # sent again by the browser
    take_back(library, [ruling.ruling_id], Author("ben", "cli", "a slip"))
    take_back(library, [ruling.ruling_id], Author("ben", "cli"))
    run, made, undone = deeds(fake_home.settings.home)
    assert (run["what"], run["via"], run["job"], run["run_id"]) == ("run", "ui", "discover_identities", result.run_id)
    assert run["bucket"] == "Anna"
    assert made == {
        **{"schema_version": 1, "at": made["at"], "who": "anna", "via": "ui", "what": "ruling", "kind": "name"},
        "ruling_ids": [ruling.ruling_id],
    }
    assert (undone["what"], undone["who"], undone["via"], undone["ruling_ids"]) == (
        *("undo", "ben", "cli"),
        [ruling.ruling_id],
    )
    assert [deed["at"] for deed in (run, made, undone)] == sorted(deed["at"] for deed in (run, made, undone))
    assert b"Anna K." not in (fake_home.settings.home / FILE).read_bytes()


def test_lines_of_many_writers_do_not_mix(tmp_path: Path) -> None:
    def noted(number: int) -> None:
        note_deed(tmp_path, "ruling", who=f"writer {number}", via="cli", ruling_ids=["x" * 5000])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(noted, range(40)))
    assert sorted(deed["who"] for deed in deeds(tmp_path)) == sorted(f"writer {number}" for number in range(40))


def test_a_line_that_a_power_cut_left_unfinished_costs_no_other(tmp_path: Path) -> None:
    note_deed(tmp_path, "run", who="a", via="cli")
    with open(tmp_path / FILE, "ab") as stream:
        stream.write(b'{"schema_version": 1, "who": "half')
    note_deed(tmp_path, "run", who="b", via="cli")
    assert [deed["who"] for deed in deeds(tmp_path)] == ["a", "b"]


def test_forgetting_changes_and_removes_lines_and_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    for bucket in ("a", "b", "c"):
        note_deed(tmp_path, "run", who="me", via="cli", bucket=bucket)
    before = (tmp_path / FILE).read_text().splitlines()
    changed = {"a": lambda deed: deed, "b": lambda deed: None, "c": lambda deed: {**deed, "bucket": "forgotten"}}
    assert without(tmp_path, lambda deed: changed[deed["bucket"]](deed)) == 2
    after = (tmp_path / FILE).read_text().splitlines()
    assert after[0] == before[0]
    assert json.loads(after[1])["bucket"] == "forgotten"
    assert without(tmp_path / "elsewhere", lambda deed: None) == 0


def test_a_log_that_cannot_be_written_stops_what_it_should_note(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(LibraryError, match=r"cannot be noted in .*audit\.jsonl: Is a directory. Expected a file"):
        note_deed(tmp_path, "run", who="me", via="cli")
