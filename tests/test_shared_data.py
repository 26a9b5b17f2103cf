"""The labelled photos beside the repository through the whole platform. Long; skipped where they are not there."""

from itertools import permutations
from pathlib import Path

import pytest

from benchmarks.curation import measure_curation
from benchmarks.homes import RealHome
from benchmarks.three_buckets import BUCKETS, LibraryOutcome, cached_home, run_at_once, run_in_order

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
    assert odd == {
        "bad/broken.png": "unreadable",
        "bad/broken_data_stream.png": "unreadable",
        "bad/combined_larger_than_size.psd": "unreadable",
        "bad/crash-0e16d3bfb83be87356d026d66919deaefca44dac.tif": "unreadable",
        "bad/crash-2020-10-test.tif": "unreadable",
        "bad/crash-63b1dffefc8c075ddc606c0a2f5fdc15ece78863.tif": "unreadable",
        "bad/decompression_bomb.gif": "too_large",
        "bad/decompression_bomb.ico": "too_large",
        "bad/heif_corrupted_corrupted.heic": "unreadable",
        "bad/heif_corrupted_corrupted.hif": "unreadable",
        "bad/heif_corrupted_empty.heic": "empty",
        "bad/hopper_unknown_pixel_mode.tif": "unreadable",
        "bad/oom-8ed3316a4109213ca96fb8a256a0bfefdece1461.icns": "too_large",
        "bad/psd-oob-write.psd": "unreadable",
        "bad/timeout-1ee28a249896e05b83840ae8140622de8e648ba9.psd": "unreadable",
        "bad/truncated_image.png": "unreadable",
        "bad/truncated_jpeg.jpg": "unreadable",
        "hopper_face/hopper_webp.tif": "unsupported",
        "not_an_image/README.md": "foreign",
        "not_an_image/training.xml": "foreign",
    }


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
