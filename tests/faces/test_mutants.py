"""Damaged photos of every format: each costs its own row, and neither the run nor a sound photo beside it."""

from pathlib import Path

import pytest

from facesets_dagster.faces.face_cache import Reading, scan_bucket
from facesets_dagster.faces.store import FaceStore
from facesets_dagster.photos.decode import decode_photo
from facesets_dagster.photos.listing import list_bucket
from facesets_dagster.photos.workers.decoders import PhotoDecoders
from facesets_dagster.photos.workers.limits import PhotoLimits
from testing.fakes import PACK, FakeEmbedder, write_person
from testing.glossary import codes_of
from testing.mutants import FORMATS, mutant, sound

SOUND = 6
_MEMORY_MB, _SECONDS = 800, 10


def read_mutants(folder: Path, numbers: range) -> dict[str, str]:
    """Path -> status of these mutants, in a bucket with photos of a person."""
    write_person(folder / "a", 1, SOUND)
    for number in numbers:
        name, data = mutant(number)
        (folder / "a" / name).write_bytes(data)
    decoders = PhotoDecoders(PhotoLimits.of(_MEMORY_MB, 50, _SECONDS), processes=2)
    store = FaceStore(folder / "cache", "a", PACK.model_id, PACK.dim)
    try:
        reading = Reading(FakeEmbedder, 2, 10**7, False, report=lambda *_: None, decoders=decoders)
        result = scan_bucket(list_bucket(folder / "a"), store, reading)
        again = scan_bucket(list_bucket(folder / "a"), store, reading)
    finally:
        decoders.end_idle()
    assert again.opened == 0, "what was found out once is known"
    return dict(result.tables.files.select("path", "status").iter_rows())


def check(found: dict[str, str], numbers: range) -> None:
    photos = {path: status for path, status in found.items() if path.startswith("p01_")}
    assert list(photos.values()) == ["faces"] * SOUND
    assert len(found) == SOUND + len({mutant(number)[0] for number in numbers})
    assert set(found.values()) - codes_of("Status of a file") == set()
    harmful = {path: status for path, status in found.items() if status in ("crashed", "too_slow")}
    assert len(harmful) <= len(numbers) // 100, harmful


def test_every_format_is_read_before_it_is_damaged() -> None:
    for kind in FORMATS:
        assert decode_photo(sound(kind), max_pixels=10**6).image.shape == (96, 96, 3), kind


def test_a_mutant_is_the_same_at_every_call() -> None:
    assert [mutant(number) for number in range(40)] == [mutant(number) for number in range(40)]
    assert len({mutant(number)[1] for number in range(200)}) > 190


def test_a_hundred_mutants_cost_a_row_each(tmp_path: Path) -> None:
    numbers = range(100)
    check(read_mutants(tmp_path, numbers), numbers)


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(4))
def test_two_thousand_mutants_cost_a_row_each(tmp_path: Path, part: int) -> None:
    numbers = range(100 + 500 * part, 600 + 500 * part)
    check(read_mutants(tmp_path, numbers), numbers)
