"""A bucket whose disk goes while its photos are read and comes back as it was: what was not read is read then."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import Detections, Embedder
from facesets_dagster.faces.folder_state import state_as_read
from facesets_dagster.faces.schema import FILE_SCHEMA
from facesets_dagster.photos.listing import list_bucket
from facesets_dagster.resources.home import HomeResource
from testing.fake_home import FakeHome, fake_home_in
from testing.fakes import FakeEmbedder, FakeEmbedderResource, write_person
from tests.crash.snapshots import snapshot


class AtPhoto(FakeEmbedder):
    """Something happens once it is shown its third photo."""

    def __init__(self, happens: Callable[[], Any]) -> None:
        super().__init__()
        self.happens: Callable[[], Any] | None = happens
        self.once = threading.Lock()

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        found = super().detect(image)
        with self.once:  # photos are looked at in several threads
            if self.detected >= 3 and self.happens is not None:
                self.happens()
                self.happens = None
        return found


class Shown(FakeEmbedderResource):
    """The resource of one such model."""

    def embedder(self) -> Embedder:
        return _SHOWN[0]


_SHOWN: list[Embedder] = []


def test_photos_of_a_disk_that_was_unmounted_in_mid_run_are_read_when_it_is_back(
    fake_home: FakeHome, tmp_path: Path
) -> None:
    with fake_home_in(tmp_path / "undisturbed") as other:
        write_person(other.buckets / "a", 1, 9)
        other.run("a")
    write_person(fake_home.buckets / "a", 1, 9)
    bucket, elsewhere = fake_home.buckets / "a", tmp_path / "elsewhere"
    unmounted = fake_home.buckets.parent / "mount point"
    unmounted.mkdir()

    def unmount() -> None:
        bucket.rename(elsewhere)
        unmounted.rename(bucket)

    _SHOWN[:] = [AtPhoto(unmount)]
    replace(fake_home, embedder=Shown()).run("a")
    assert fake_home.flaws() == []
    bucket.rmdir()
    elsewhere.rename(bucket)  # not one time or inode of a file is another
    home = HomeResource.of(fake_home.settings)
    assert fake_home.library.registry.folder_digests(["a"])["a"] != home.listing("a").digest(), "it has news"
    fake_home.run("a")
    assert snapshot(fake_home.settings.library_dir) == snapshot(other.settings.library_dir)
    assert fake_home.library.registry.folder_digests(["a"])["a"] == home.listing("a").digest()


@pytest.mark.parametrize(
    ("detail", "there", "settled"),
    [
        ("No such file or directory", True, False),
        ("Permission denied", True, True),
        ("Input/output error", True, True),
        ("Input/output error", False, False),
        ("Permission denied", False, False),
    ],
)
def test_only_a_file_that_was_gone_is_news_when_it_is_there_again(
    tmp_path: Path, detail: str, there: bool, settled: bool
) -> None:
    write_person(tmp_path / "a", 1, 2)
    listing = list_bucket(tmp_path / "a")
    unread, read = ({**row, "sha256": None} for row in listing.candidates.rows(named=True))
    rows = [{**unread, "status": "unreadable_file", "detail": detail}, {**read, "status": "faces", "detail": None}]
    if not there:
        (tmp_path / "a" / unread["path"]).unlink()
    state = state_as_read(listing, pl.DataFrame(rows, schema=FILE_SCHEMA))
    assert state == (listing if settled else listing.without([unread["path"]])).digest()
