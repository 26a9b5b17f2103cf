"""The labelled photos beside the repository through the whole platform. Long; skipped where they are not there."""

from itertools import permutations
from pathlib import Path

import pytest

from benchmarks.curation import measure_curation
from benchmarks.homes import RealHome
from benchmarks.three_buckets import BUCKETS, LibraryOutcome, cached_home, run_at_once, run_in_order
from tests.odd_formats import UNUSED_IN_A_BUCKET

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.mark.parametrize("pack", ["buffalo_sc", "embedded"])
def test_people_are_not_mixed_and_every_odd_file_is_accounted_for(
    shared: Path, embedded_models_root: Path, tmp_path: Path, pack: str
) -> None:
    name = pack if pack == "embedded" else str(shared / "models" / pack)
    rows = {row.name: row for row in measure_curation(name, embedded_models_root, tmp_path / "home")}
    for what in ("clusters before the gates", "candidates before the export gates", "exported facesets"):
        row = rows[f"pairwise precision: {what}"]
        assert row.value is not None
        assert row.value >= 0.99, row
    home = RealHome(tmp_path / "home", name, embedded_models_root)
    odd = {
        path.removeprefix("formats/"): status
        for path, status in home.cached("all").files.select("path", "status").iter_rows()
        if path.startswith("formats/") and status not in ("faces", "noface")
    }
    assert odd == UNUSED_IN_A_BUCKET


@pytest.fixture(scope="module")
def start(shared: Path, embedded_models_root: Path, tmp_path_factory: pytest.TempPathFactory) -> RealHome:
    pack = str(shared / "models" / "buffalo_sc")
    return cached_home(tmp_path_factory.mktemp("orders") / "start", pack, embedded_models_root)


def check(outcome: LibraryOutcome) -> None:
    """`outcome` has verified the library already."""
    assert outcome.identities >= 15
    assert outcome.numbers_used_twice == 0
    assert outcome.near_pairs == 0
    assert outcome.merged == set()


@pytest.mark.parametrize("order", list(permutations(BUCKETS)), ids="-".join)
def test_every_order_makes_a_sound_library(start: RealHome, tmp_path: Path, order: tuple[str, ...]) -> None:
    check(run_in_order(start, order, tmp_path / "home"))


def test_all_at_once_found_nobody_twice(start: RealHome, tmp_path: Path) -> None:
    outcome = run_at_once(start, tmp_path / "home")
    check(outcome)
    assert outcome.split == set()
