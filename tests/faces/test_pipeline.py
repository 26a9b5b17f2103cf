"""Workers share photos and faces: order, bounds, failures and interruptions, whatever the timing."""

import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import cv2
import insightface
import numpy as np
import pytest
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.embedding.load import load_embedder
from facesets_dagster.faces import pipeline
from facesets_dagster.faces.face_cache import Reading, ScanResult, scan_bucket
from facesets_dagster.faces.pipeline import in_order
from facesets_dagster.faces.store import FaceStore
from facesets_dagster.photos.listing import list_bucket
from testing.fakes import PACK, FakeEmbedder, FakeFace, write_person, write_photo


def reading(model: Embedder, workers: int) -> Reading:
    return Reading(lambda: model, workers, max_pixels=10**8, retry_failed=False, report=lambda *_: None)


@dataclass
class Opened:
    number: int
    aligned: Sequence[NDArray[np.uint8]]


@dataclass
class CountedWork:
    """Photo `n` has `faces(n)` faces; a face's vector is its photo's number and its place."""

    faces: Callable[[int], int]
    batch: int = 1
    slow: Callable[[int], float] = lambda number: 0.0
    fail_open: int = -1
    fail_recognise: int = -1
    begun: list[int] = field(default_factory=list)
    batches: list[list[tuple[int, int]]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def open(self, item: int) -> Opened:
        with self.lock:
            self.begun.append(item)
        time.sleep(self.slow(item))
        if item == self.fail_open:
            raise RuntimeError(f"open {item}")
        return Opened(item, [np.array([item, face], np.uint8) for face in range(self.faces(item))])

    def recognise(self, faces: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        with self.lock:
            self.batches.append([(int(number), int(face)) for number, face in faces])
        if any(number == self.fail_recognise for number, _ in faces):
            raise RuntimeError(f"recognise {self.fail_recognise}")
        return np.array(faces, np.float32)

    def finish(self, opened: Opened, embeddings: NDArray[np.float32]) -> tuple[int, list[list[float]]]:
        return opened.number, embeddings.tolist()


def jitter(number: int) -> float:
    return 0.004 if number % 7 == 0 else 0.0


def expected(count: int, faces: Callable[[int], int]) -> list[tuple[int, list[list[float]]]]:
    return [(number, [[float(number), float(face)] for face in range(faces(number))]) for number in range(count)]


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("batch", [1, 4, 64])
def test_outcomes_come_in_order_with_every_face_at_its_photo(workers: int, batch: int) -> None:
    def faces(number: int) -> int:
        return (number * 5) % 4

    work = CountedWork(faces, batch=batch, slow=jitter)
    with in_order(work, range(80), workers) as outcomes:
        assert list(outcomes) == expected(80, faces)
    assert max(map(len, work.batches)) <= batch
    each = Counter(face for part in work.batches for face in part)
    assert set(each.values()) == {1}
    assert len(each) == sum(map(faces, range(80)))


def test_nothing_to_do_is_done_at_once() -> None:
    with in_order(CountedWork(lambda _: 1), [], 4) as outcomes:
        assert list(outcomes) == []


def test_batches_are_filled_from_several_photos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "AHEAD", 64)  # however slowly the outcomes are taken
    work = CountedWork(lambda _: 3, batch=8)
    with in_order(work, range(64), 1) as outcomes:
        list(outcomes)
    sizes = [len(part) for part in work.batches]
    assert sizes[:-1] == [8] * (len(sizes) - 1)
    assert any(len({number for number, _ in part}) > 1 for part in work.batches)


def test_with_single_faces_the_faces_go_before_the_next_photo() -> None:
    events: list[str] = []

    class Noted(CountedWork):
        def open(self, item: int) -> Opened:
            events.append("photo")
            return super().open(item)

        def recognise(self, faces: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
            events.append("face")
            return super().recognise(faces)

    with in_order(Noted(lambda _: 2), range(5), 1) as outcomes:
        list(outcomes)
    assert events == ["photo", "face", "face"] * 5


def test_no_photo_is_begun_far_beyond_the_one_that_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "AHEAD", 3)
    work = CountedWork(lambda _: 1, batch=1000)
    with in_order(work, range(200), 2) as outcomes:
        for place, _ in enumerate(outcomes):
            with work.lock:
                assert max(work.begun) < place + 1 + 2 * 3


def test_a_photo_that_takes_long_holds_up_all_beyond_the_room_ahead_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    idle, held = threading.Event(), threading.Event()

    class Noticed(threading.Condition):
        def wait(self, timeout: float | None = None) -> bool:
            idle.set()
            return super().wait(timeout)

    monkeypatch.setattr(pipeline, "AHEAD", 3)
    monkeypatch.setattr(pipeline, "threading", SimpleNamespace(Condition=Noticed, Thread=threading.Thread))
    work = CountedWork(lambda _: 1, slow=lambda number: float(number == 0 and not held.wait(600)))
    with in_order(work, range(200), 2) as outcomes:
        try:
            assert idle.wait(600), "the other worker never ran out of photos that it may begin"
            assert sorted(work.begun) == list(range(6))
        finally:
            held.set()
        assert len(list(outcomes)) == 200


@pytest.mark.parametrize("where", ["fail_open", "fail_recognise"])
def test_an_exception_of_a_worker_comes_out_at_its_place_after_all_before_it(where: str) -> None:
    work = CountedWork(lambda _: 1, slow=jitter)
    setattr(work, where, 20)
    handed: list[tuple[int, list[list[float]]]] = []
    threads = threading.active_count()

    def hand_on() -> None:
        with in_order(work, range(60), 3) as outcomes:
            handed.extend(outcomes)

    with pytest.raises(RuntimeError, match="20"):
        hand_on()
    assert handed == expected(20, lambda _: 1)
    assert threading.active_count() == threads


def test_whoever_stops_half_way_begins_nothing_more_and_leaves_no_thread() -> None:
    work = CountedWork(lambda _: 1)
    threads = threading.active_count()

    def stop_half_way() -> None:
        with in_order(work, range(1000), 2) as outcomes:
            for place, _ in enumerate(outcomes):
                if place == 10:
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_half_way()
    assert threading.active_count() == threads
    assert len(work.begun) <= 11 + 2 * pipeline.AHEAD


def test_a_content_that_is_met_twice_at_once_is_read_once(tmp_path: Path) -> None:
    folder = tmp_path / "buckets" / "a"
    for number in range(12):
        write_photo(folder / f"{number:02d}.png", [FakeFace(number, 0.0)], seed=number)
        shutil.copy(folder / f"{number:02d}.png", folder / f"{number:02d} copy.png")
    tables = []
    for workers in (1, 2, 8):
        model = FakeEmbedder()
        store = FaceStore(tmp_path / f"cache{workers}", "a", PACK.model_id, PACK.dim)
        result = scan_bucket(list_bucket(folder), store, reading(model, workers))
        assert (model.detected, result.decoded, result.opened) == (12, 12, 24)
        tables.append(result.tables)
    for other in tables[1:]:
        assert other.faces.equals(tables[0].faces)
        assert other.contents.equals(tables[0].contents)
        assert other.files.equals(tables[0].files)


def test_a_photo_that_breaks_the_model_keeps_what_came_before_it(tmp_path: Path) -> None:
    folder = tmp_path / "buckets" / "a"
    write_person(folder, 1, 12)
    store = FaceStore(tmp_path / "cache", "a", PACK.model_id, PACK.dim)

    class Broken(FakeEmbedder):
        def recognise(self, faces: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
            if self.detected > 7:
                raise RuntimeError("out of device memory")
            return super().recognise(faces)

    def scan(model: FakeEmbedder, workers: int) -> ScanResult:
        return scan_bucket(list_bucket(folder), store, reading(model, workers))

    with pytest.raises(RuntimeError, match="out of device memory"):
        scan(Broken(), 1)
    kept = len(store.read().contents)
    assert 4 <= kept <= 7
    rest = scan(FakeEmbedder(), 2)
    assert rest.decoded == 12 - kept
    assert len(rest.tables.faces) == 12


def test_faces_of_several_photos_share_a_call_of_the_real_recogniser(
    embedded_models_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = cv2.imread(str(Path(insightface.__file__).parent / "data" / "images" / "t1.jpg"))
    assert group is not None
    bucket = tmp_path / "bucket"
    bucket.mkdir()
    for percent in range(50, 100, 10):
        cv2.imwrite(str(bucket / f"{percent}.png"), cv2.resize(group, None, fx=percent / 100, fy=percent / 100))
    found = {}
    for batch in (0, 8):
        model = load_embedder(
            "embedded", models_root=embedded_models_root, providers=("CPUExecutionProvider",), det_size=640,
            threads=1, recogniser_batch=batch,
        )  # fmt: skip
        sizes: list[int] = []
        real = model.recognise

        def counted(faces: Sequence[NDArray[np.uint8]], real: object = real, sizes: list[int] = sizes) -> object:
            sizes.append(len(faces))
            return real(faces)  # type: ignore[operator]

        monkeypatch.setattr(model, "recognise", counted)
        store = FaceStore(tmp_path / f"cache{batch}", "a", model.pack.model_id, model.pack.dim)
        found[batch] = scan_bucket(list_bucket(bucket), store, reading(model, 2)).tables.faces
        assert max(sizes) == (batch or 1)
    assert len(found[0]) == 5 * 6
    assert found[0]["face_id"].to_list() == found[8]["face_id"].to_list()
    one, many = (found[batch]["embedding"].to_numpy() for batch in (0, 8))
    assert np.abs(one - many).max() < 1e-3
