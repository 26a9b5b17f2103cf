"""Pictures of faces kept in one file: found again, replaced, forgotten, and made anew after damage."""

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from facesets_dagster.analysis.reviewed import reviewed
from facesets_dagster.faces.thumbnails import THUMBNAIL_PX, ThumbnailStore, cut_out, webp_of
from facesets_dagster.web.review.pictures import FacePictures
from testing.fake_home import FakeHome
from testing.fakes import FakeFace, write_photo


def test_pictures_are_found_at_their_size(tmp_path: Path) -> None:
    store = ThumbnailStore(tmp_path)
    assert store.find(["a"], 128) == {}
    store.keep({"a": b"one", "b": b"two"}, 128)
    store.keep({"a": b"large"}, 256)
    store.keep({"b": b"three"}, 128)
    assert ThumbnailStore(tmp_path).find(["a", "b", "c"], 128) == {"a": b"one", "b": b"three"}
    assert store.find([f"{number}" for number in range(2000)] + ["a"], 256) == {"a": b"large"}


def test_a_forgotten_picture_leaves_no_bytes(tmp_path: Path) -> None:
    store = ThumbnailStore(tmp_path)
    store.keep({"a": b"secret" * 50, "b": b"other" * 50}, 128)
    store.forget(["a"])
    assert store.find(["a", "b"], 128) == {"b": b"other" * 50}
    assert all(b"secretsecret" not in path.read_bytes() for path in tmp_path.iterdir())


def test_a_damaged_file_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "thumbnails.db").write_bytes(b"no database" * 1000)
    store = ThumbnailStore(tmp_path)
    store.keep({"a": b"one"}, 128)
    assert store.find(["a"], 128) == {"a": b"one"}


def test_a_face_is_cut_out_with_a_margin_inside_the_photo() -> None:
    photo = np.zeros((100, 200, 3), np.uint8)
    assert cut_out(photo, np.array([50.0, 30, 90, 70])).size == (68, 68)
    assert cut_out(photo, np.array([0.0, 0, 40, 40])).size == (54, 54)
    webp = webp_of(cut_out(photo, np.array([0.0, 0, 200, 100])), 128)
    with Image.open(io.BytesIO(webp)) as picture:
        assert picture.size == (128, 64)


def test_many_threads_may_make_the_file_at_once(tmp_path: Path) -> None:
    def keep(number: int) -> dict[str, bytes]:
        ThumbnailStore(tmp_path).keep({f"{number}": b"one"}, 128)
        return ThumbnailStore(tmp_path).find([f"{number}"], 128)

    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(keep, range(64)))
    assert found == [{f"{number}": b"one"} for number in range(64)]


def test_pictures_are_made_while_a_photo_is_read_and_are_those_that_would_be_made_later(fake_home: FakeHome) -> None:
    for photo in range(3):
        write_photo(fake_home.buckets / "a" / f"{photo}.png", [FakeFace(1, 0.1 * photo), FakeFace(2, 0.0, x=300)])
    fake_home.run("a", osrc_clusters={"min_faces": 3})
    settings, library = fake_home.settings, fake_home.library
    faces = [face for rows in reviewed(library).members.values() for face in rows]
    store = ThumbnailStore(settings.cache_dir)
    made = store.find(faces, THUMBNAIL_PX)
    assert len(made) == len(faces) == 6
    (settings.cache_dir / "thumbnails.db").unlink()
    later = FacePictures(settings).batch(reviewed(library), library, faces, THUMBNAIL_PX, 60.0)
    assert (later.found, later.later) == (made, [])
