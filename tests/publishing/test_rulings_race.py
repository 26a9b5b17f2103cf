"""Two processes that write rulings at one moment: never two that contradict each other, never one of them twice."""

import sys
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from facesets_dagster.library.library import Library
from facesets_dagster.publishing.rulings.writing import require_consistent
from facesets_dagster.registry.registry import Registry
from facesets_dagster.registry.rulings import all_rulings, rulings_in_force, rulings_written

ROUNDS = 15
_WRITES = """
import sys
from pathlib import Path
from facesets_dagster.errors import RulingRefused
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.library.library import Library
from facesets_dagster.publishing.rulings.writing import Author, enter, take_back
from facesets_dagster.registry.registry import Registry

url, folder, kind, prefix, rounds = sys.argv[1:]
library = Library(Path(folder), Registry(url), ())
library.registry.state()
print("ready", flush=True)
sys.stdin.readline()
refused = 0
for place in range(int(rounds)):
    ruling = Ruling(f"{prefix}{place}", kind, "2026-05-03T00:00:00+00:00", "somebody", "cli",
                    names={"a": f"faceset_{2 * place}", "b": f"faceset_{2 * place + 1}"})
    try:
        enter(library, [ruling])
        if prefix == "undone":
            assert take_back(library, [ruling.ruling_id], Author("somebody", "cli")) == (ruling.ruling_id,)
    except RulingRefused as error:
        assert error.rulings, "the refusal names what it contradicts"
        refused += 1
print(refused)
"""

pytestmark = pytest.mark.both_databases


def at_one_moment(url: str, folder: Path, *writers: tuple[str, str]) -> list[int]:
    """How many rulings were refused of each (kind, prefix of its ids)."""
    registry = Registry(url)
    registry.create()
    registry.engine.dispose()
    children = []
    for kind, prefix in writers:
        command = [sys.executable, "-c", _WRITES, url, str(folder), kind, prefix, str(ROUNDS)]
        children.append(Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True))
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n", child.communicate()[1]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("now\n")
        child.stdin.flush()
    said = [child.communicate() for child in children]
    assert [child.returncode for child in children] == [0] * len(children), said
    return [int(out) for out, _ in said]


@pytest.fixture
def url(database_url: str | None, tmp_path: Path) -> str:
    return database_url or f"sqlite:///{tmp_path / 'registry.db'}"


@pytest.mark.both_databases(fast=True)
def test_of_two_that_contradict_each_other_one_is_refused(url: str, tmp_path: Path) -> None:
    refused = at_one_moment(url, tmp_path, ("same", "x"), ("different", "y"))
    assert sum(refused) == ROUNDS
    registry = Registry(url)
    found = rulings_in_force(registry)
    assert len(found) == ROUNDS == rulings_written(registry)
    assert sorted(ruling.names["a"] for ruling in found) == sorted(f"faceset_{2 * place}" for place in range(ROUNDS))
    require_consistent(Library(tmp_path, registry, ()), found)


def test_one_that_two_write_is_one(url: str, tmp_path: Path) -> None:
    assert at_one_moment(url, tmp_path, ("same", "x"), ("same", "x")) == [0, 0]
    registry = Registry(url)
    assert [ruling.ruling_id for ruling in all_rulings(registry)] == [f"x{place}" for place in range(ROUNDS)]
    assert rulings_written(registry) == ROUNDS


def test_the_order_has_no_gap_and_no_place_twice_while_others_are_taken_back(url: str, tmp_path: Path) -> None:
    assert at_one_moment(url, tmp_path, ("different", "x"), ("different", "undone"), ("different", "y")) == [0, 0, 0]
    registry = Registry(url)
    found = all_rulings(registry)
    assert [ruling.sequence for ruling in found] == list(range(1, 3 * ROUNDS + 1))
    assert {ruling.state for ruling in found if ruling.ruling_id.startswith("undone")} == {"undone"}
    assert rulings_written(registry) == 4 * ROUNDS
