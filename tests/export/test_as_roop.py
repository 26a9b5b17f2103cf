"""An archive as roop-unleashed opens it."""

import io
import zipfile
from collections.abc import Mapping

import numpy as np
import pytest

from facesets_dagster.export.as_roop import SeenArchive, SeenPicture, look_at_archive
from testing.fakes import PACK, FakeEmbedder, FakeFace, draw_photo, png_bytes

ONE = png_bytes(draw_photo([FakeFace(1, 0.0)]))
OTHER = png_bytes(draw_photo([FakeFace(1, 0.8)], seed=1))
BOTH = png_bytes(draw_photo([FakeFace(1, 0.0, x=20), FakeFace(2, 0.0, x=300)]))
NOBODY = png_bytes(draw_photo([]))


def archive(entries: Mapping[str, bytes]) -> io.BytesIO:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as opened:
        for name, data in entries.items():
            opened.writestr(name, data)
    stream.seek(0)
    return stream


def look(entries: Mapping[str, bytes], embedder: FakeEmbedder | None = None, **more: object) -> SeenArchive:
    embedder = embedder or FakeEmbedder()
    known: list[SeenPicture] = more.get("known", [])  # type: ignore[assignment]
    return look_at_archive(archive(entries), lambda: embedder, PACK.dim, workers=2, known=known)


def test_all_faces_of_all_pictures_are_averaged_raw() -> None:
    seen = look({"b.png": BOTH, "a.png": ONE})
    assert [(picture.file, picture.faces) for picture in seen.pictures] == [("a.png", 1), ("b.png", 2)]
    faces = seen.embeddings()
    assert faces.shape == (3, PACK.dim)
    mean = seen.mean()
    assert mean is not None
    assert mean == pytest.approx(faces.mean(axis=0), abs=1e-5)
    assert np.linalg.norm(faces, axis=1) == pytest.approx([20, 20, 20], rel=1e-3)


def test_only_png_files_at_the_top_spelt_in_lower_case_are_taken() -> None:
    seen = look({"a.png": ONE, "B.PNG": ONE, "c.jpg": ONE, "more/d.png": ONE})
    assert [picture.file for picture in seen.pictures] == ["a.png"]
    assert seen.passed_over == ("B.PNG", "c.jpg", "more/d.png")


def test_what_cannot_be_read_or_shows_nobody_is_left_out_of_the_mean() -> None:
    seen = look({"a.png": ONE, "b.png": b"no picture", "c.png": NOBODY, "d.png": b""})
    assert [(picture.readable, picture.faces) for picture in seen.pictures] == [
        (True, 1), (False, 0), (True, 0), (False, 0),
    ]  # fmt: skip
    assert len(seen.embeddings()) == 1
    assert look({"c.png": NOBODY}).mean() is None
    assert look({}).mean() is None


def test_a_damaged_entry_is_not_readable_and_does_not_stop_the_rest() -> None:
    stream = archive({"a.png": ONE, "b.png": OTHER})
    data = bytearray(stream.getvalue())
    data[data.index(OTHER) + 200] ^= 255
    seen = look_at_archive(io.BytesIO(bytes(data)), FakeEmbedder, PACK.dim, workers=1, known=[])
    assert [picture.readable for picture in seen.pictures] == [True, False]


def test_what_is_no_archive_is_refused() -> None:
    with pytest.raises(zipfile.BadZipFile):
        look_at_archive(io.BytesIO(b"no zip"), FakeEmbedder, PACK.dim, workers=1, known=[])


def test_a_picture_that_was_looked_at_is_told_by_its_bytes_and_not_looked_at_again() -> None:
    before, embedder = look({"a.png": ONE}), FakeEmbedder()
    seen = look({"new name.png": ONE, "b.png": OTHER}, embedder, known=before.pictures)
    assert embedder.detected == 1
    assert {picture.file: picture.faces for picture in seen.pictures} == {"b.png": 1, "new name.png": 1}
