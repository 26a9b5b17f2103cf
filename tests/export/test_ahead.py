"""Crops made ahead by several threads: the same choice as one by one, nothing made that is not asked for."""

import threading
from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesets_dagster.export.ahead import CropsAhead, Reserve
from facesets_dagster.export.curation import Curated, ExportParameters
from facesets_dagster.export.rendering import choose
from facesets_dagster.identities.gates import Verdict

LIMIT = 0.95
PARAMETERS = ExportParameters(100, 0.45, LIMIT, 8, 512, 0.5, fill_to=8, fill_floor_px=60)


def candidates(angles: list[float], photos: list[int]) -> pl.DataFrame:
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    columns = {"face_id": [f"f{place}" for place in range(len(angles))], "sha256": [f"s{photo}" for photo in photos]}
    return pl.DataFrame({**columns, "embedding": vectors})


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 6), st.integers(0, 8), st.booleans()), min_size=1, max_size=90),
    st.integers(0, 90),
    st.booleans(),
)
def test_what_is_made_ahead_is_what_would_be_asked_for_one_by_one(
    faces: list[tuple[float, int, bool]], strict: int, looked: bool
) -> None:
    """The candidates from `strict` on are in reserve."""
    rows = candidates([angle for angle, _, _ in faces], [photo for _, photo, _ in faces])
    missed = {face_id: Verdict("below_export_gate:face_short", 80, 100) for face_id in rows["face_id"][strict:]}
    curated = Curated(rows, {}, missed)
    asked: list[int] = []

    def outcome(place: int) -> bytes | Verdict:
        return Verdict("crop_failed:no_face_found") if faces[place][2] else b"png"

    def one_by_one(place: int) -> Verdict | None:
        asked.append(place)
        made = outcome(place)
        return made if isinstance(made, Verdict) else None

    looks = np.array([photo % 5 for _, photo, _ in faces]) if looked else np.arange(len(faces))
    expected = choose(curated, PARAMETERS, looks, one_by_one)
    made: list[int] = []
    lock = threading.Lock()

    def crop(place: int) -> bytes | Verdict:
        with lock:
            made.append(place)
        return outcome(place)

    crops = CropsAhead(crop, rows["embedding"].to_numpy(), rows["sha256"].to_list(), LIMIT, looks,
                        Reserve(curated.strict, PARAMETERS.fill_to))  # fmt: skip

    def refused(place: int) -> Verdict | None:
        found = crops(place)
        return found if isinstance(found, Verdict) else None

    assert choose(curated, PARAMETERS, looks, refused) == expected
    assert sorted(made) == asked


def test_faces_of_one_photo_are_cropped_by_one_thread_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facesets_dagster.threads.cores", lambda: 2)
    rows = candidates([0.35 * place for place in range(16)], [place % 4 for place in range(16)])
    order: list[tuple[int, int]] = []
    together = threading.Barrier(2, timeout=600)

    def crop(place: int) -> bytes:
        if place in (0, 1):
            together.wait()  # two photos are under way at once
        order.append((threading.get_ident(), place % 4))
        return b"png"

    crops = CropsAhead(crop, rows["embedding"].to_numpy(), rows["sha256"].to_list(), LIMIT, np.arange(16),
                        Reserve(16, 0))  # fmt: skip
    assert all(crops(place) == b"png" for place in range(16))
    threads_of = Counter(photo for _, photo in set(order))
    assert threads_of == {0: 1, 1: 1, 2: 1, 3: 1}
    assert len({thread for thread, _ in order}) == 2
