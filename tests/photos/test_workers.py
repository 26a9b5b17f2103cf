"""A photo that is made to harm its decoder costs one `PhotoError`, in bounded memory and time."""

import gc
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from facesets_dagster.errors import PhotoError
from facesets_dagster.photos.decode import decode_photo
from facesets_dagster.photos.workers.decoders import PhotoDecoders
from facesets_dagster.photos.workers.limits import PhotoLimits
from facesets_dagster.photos.workers.memory_budget import MemoryBudget, Stopped
from facesets_dagster.photos.workers.opened_file import FileState
from facesets_dagster.photos.workers.process_pool import StopSign
from testing.bombs import jpeg_of_scans, png_bomb
from testing.photo_processes import hostile_photos, photo_processes

LIMIT = 300_000_000
SCANS = 506


@pytest.fixture
def decoders() -> Iterator[PhotoDecoders]:
    made = PhotoDecoders(PhotoLimits.of(800, 50, 20), processes=2)
    yield made
    made.end_idle()


def impatient() -> PhotoDecoders:
    return PhotoDecoders(PhotoLimits.of(800, 50, 1), processes=2)


def refused(decoders: PhotoDecoders, path: Path, state: FileState | None = None) -> PhotoError:
    with pytest.raises(PhotoError) as caught, decoders.photo(path, state) as photo:
        photo.decode(LIMIT)
    return caught.value


def noise(path: Path, width: int = 300, height: int = 200, seed: int = 0) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif"])
def test_pixels_are_those_of_decoding_at_home(decoders: PhotoDecoders, tmp_path: Path, name: str) -> None:
    path = noise(tmp_path / name)
    with decoders.photo(path) as photo:
        image = photo.decode(LIMIT).image
    assert np.array_equal(image, decode_photo(path.read_bytes(), max_pixels=LIMIT).image)


def test_pixels_stay_as_long_as_somebody_looks_at_them(decoders: PhotoDecoders, tmp_path: Path) -> None:
    paths = [noise(tmp_path / f"{number}.png", seed=number) for number in range(4)]
    seen = []
    for path in paths:
        with decoders.photo(path) as photo:
            seen.append(photo.decode(LIMIT).image[10:20])
    for path, part in zip(paths, seen, strict=True):
        assert np.array_equal(part, decode_photo(path.read_bytes(), max_pixels=LIMIT).image[10:20])


def test_memory_of_pixels_is_used_again(decoders: PhotoDecoders, tmp_path: Path) -> None:
    path, places = noise(tmp_path / "a.png"), set()
    for _ in range(5):
        with decoders.photo(path) as photo:
            image = photo.decode(LIMIT).image
        places.add(image.__array_interface__["data"][0])
        del image, photo
        gc.collect()
    assert len(places) == 1


@pytest.mark.parametrize(
    ("word", "reason", "said"),
    [
        ("abort", "crashed", "SIGABRT, twice"),
        ("flood", "needs_too_much_memory", "FACESETS_PHOTO_MEMORY_MB"),
        ("killed", "needs_too_much_memory", "FACESETS_PHOTO_MEMORY_MB"),
    ],
)
def test_what_a_photo_does_to_its_decoder_is_its_own_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoders: PhotoDecoders, word: str, reason: str, said: str
) -> None:
    hostile, good = tmp_path / "hostile.jpg", noise(tmp_path / "good.jpg")
    hostile.write_bytes(f"HOSTILE {word}".encode())
    with hostile_photos(tmp_path / "site", monkeypatch):
        error = refused(decoders, hostile)
        assert error.reason == reason
        assert said in error.detail
        with decoders.photo(good) as photo:
            assert photo.decode(LIMIT).image.shape == (200, 300, 3)


@pytest.mark.parametrize("name", ["hangs.jpg", "does not answer.jpg"])
def test_a_photo_or_folder_that_hangs_is_waited_for_no_longer_than_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(b"HOSTILE hang")
    with hostile_photos(tmp_path / "site", monkeypatch):
        decoders, before = impatient(), dead_children()
        began = time.monotonic()
        error = refused(decoders, path)
        assert error.reason == "too_slow"
        assert "FACESETS_PHOTO_SECONDS" in error.detail
        assert time.monotonic() - began < 15
        assert dead_children() <= before
        decoders.end_idle()


def test_a_process_that_was_killed_by_others_costs_no_photo(decoders: PhotoDecoders, tmp_path: Path) -> None:
    path = noise(tmp_path / "a.png")
    with decoders.photo(path) as photo:
        running = photo_processes()
        assert running
        for process in running:
            process.kill()
        assert photo.decode(LIMIT).image.shape == (200, 300, 3)


def test_waiting_for_a_photo_can_be_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, stop = tmp_path / "hangs.jpg", StopSign()
    path.write_bytes(b"HOSTILE hang")

    def read(decoders: PhotoDecoders) -> None:
        with decoders.photo(path, stop=stop) as photo:
            photo.decode(LIMIT)

    with hostile_photos(tmp_path / "site", monkeypatch), ThreadPoolExecutor(1) as pool:
        decoders = PhotoDecoders(PhotoLimits.of(800, 50, 600), processes=2)
        waiting = pool.submit(read, decoders)
        time.sleep(1)
        stop.stop()
        with pytest.raises(Stopped):
            waiting.result(5)


BOMBS = {
    "1 bit": ("grey", 1, False),
    "1 bit, transparent": ("palette", 1, True),
    "16 bits": ("grey", 16, False),
    "16 bits, colour": ("colour", 16, False),
    "alpha": ("alpha", 8, False),
    "16 bits, alpha": ("alpha", 16, False),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_small_file_of_many_pixels_is_refused_by_its_header(
    decoders: PhotoDecoders, tmp_path: Path, bomb: str
) -> None:
    kind, bits, transparent = BOMBS[bomb]
    path = tmp_path / "bomb.png"
    path.write_bytes(png_bomb(13_000, kind, bits, transparent=transparent, rows=1))  # 169 megapixels
    began = time.monotonic()
    error = refused(decoders, path)
    assert error.reason in ("needs_too_much_memory", "too_large")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_that_fits_takes_no_more_memory_than_all_photos_may(tmp_path: Path, bomb: str) -> None:
    kind, bits, transparent = BOMBS[bomb]
    path = tmp_path / "bomb.png"
    path.write_bytes(png_bomb(3_000, kind, bits, transparent=transparent))
    limits = PhotoLimits.of(700, 50, 60)
    decoders = PhotoDecoders(limits, processes=2)
    with most_memory() as peak, ThreadPoolExecutor(2) as pool:
        shapes = list(pool.map(lambda _: shape_of(decoders, path), range(2)))
    decoders.end_idle()
    assert shapes == [(3_000, 3_000, 3)] * 2
    assert peak[0] < limits.memory_bytes


def shape_of(decoders: PhotoDecoders, path: Path) -> tuple[int, ...]:
    with decoders.photo(path) as photo:
        return photo.decode(LIMIT).image.shape


class most_memory:  # noqa: N801
    """Peak of the memory of all photo processes, shared pages counted once for each of them."""

    def __enter__(self) -> list[int]:
        self._peak, self._over = [0], threading.Event()
        self._watcher = threading.Thread(target=self._watch)
        self._watcher.start()
        return self._peak

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._over.wait(0.01):
            self._peak[0] = max(self._peak[0], sum(map(resident, photo_processes())))


def dead_children() -> set[int]:
    """Children that ended and that nobody waited for."""
    return {one.pid for one in psutil.Process().children() if one.status() == psutil.STATUS_ZOMBIE}


def resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def test_pixels_of_more_bits_or_channels_count_as_more(tmp_path: Path, decoders: PhotoDecoders) -> None:
    path = tmp_path / "a.png"
    for kind, bits, counted in (("colour", 8, 40_000), ("colour", 16, 80_000), ("alpha", 8, 53_333)):
        path.write_bytes(png_bomb(200, kind, bits))
        with decoders.photo(path) as photo:
            photo.decode(counted)
        with pytest.raises(PhotoError, match="too_large"), decoders.photo(path) as photo:
            photo.decode(counted - 1)


def test_a_sparse_file_of_200_gigabytes_is_not_read(tmp_path: Path, decoders: PhotoDecoders) -> None:
    path = tmp_path / "sparse.jpg"
    path.write_bytes(b"\xff\xd8\xff")
    os.truncate(path, 200 * 10**9)
    began = time.monotonic()
    assert refused(decoders, path).reason == "too_large"
    assert time.monotonic() - began < 5


def test_a_named_pipe_that_took_the_place_of_a_photo_is_not_waited_for(tmp_path: Path, decoders: PhotoDecoders) -> None:
    path = tmp_path / "pipe.jpg"
    os.mkfifo(path)
    began = time.monotonic()
    error = refused(decoders, path, FileState(10, 10, 10))
    assert (error.reason, error.detail) == ("unreadable_file", "not a regular file")
    assert time.monotonic() - began < 5


def test_another_file_that_took_the_place_of_the_listed_one_is_left_for_the_next_run(
    tmp_path: Path, decoders: PhotoDecoders
) -> None:
    path = noise(tmp_path / "a.png")
    listed = path.stat()
    state = FileState(listed.st_size, listed.st_mtime_ns, listed.st_ino + 1)
    assert refused(decoders, path, state).reason == "changing"


def test_a_jpeg_of_hundreds_of_scans_is_refused_and_one_of_twenty_is_not(
    tmp_path: Path, decoders: PhotoDecoders
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg_of_scans(SCANS, 4_000))
    began = time.monotonic()
    assert refused(decoders, path).detail.startswith("a JPEG of more than 100 scans")
    assert time.monotonic() - began < 5
    path.write_bytes(jpeg_of_scans(20))
    with decoders.photo(path) as photo:
        assert photo.decode(LIMIT).image.shape == (64, 64, 3)


def test_scans_of_what_lies_behind_a_photo_do_not_count(tmp_path: Path, decoders: PhotoDecoders) -> None:
    path = noise(tmp_path / "moving.jpg")
    with open(path, "ab") as stream:
        stream.write(b"\xff\xda\0\2" * 1000)
    with decoders.photo(path) as photo:
        assert not photo.decode(LIMIT).truncated


def test_memory_is_given_in_the_order_in_which_it_is_asked_for() -> None:
    budget, given = MemoryBudget(100), list[int]()
    budget.take(60, bool)

    def take(wanted: int) -> None:
        budget.take(wanted, bool)
        given.append(wanted)

    threads = []
    for wanted in (90, 30):
        threads.append(threading.Thread(target=take, args=(wanted,)))
        threads[-1].start()
        time.sleep(0.1)
    assert given == []  # 30 would fit, but 90 came before
    budget.give(60)
    threads[0].join(5)
    assert given == [90]
    budget.give(90)
    threads[1].join(5)
    assert given == [90, 30]


def test_waiting_for_memory_ends_when_it_is_stopped() -> None:
    budget = MemoryBudget(10)
    budget.take(10, bool)
    with pytest.raises(Stopped):
        budget.take(1, lambda: True)
    budget.give(10)
    budget.take(10, bool)
