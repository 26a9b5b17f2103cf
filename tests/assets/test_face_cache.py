"""The face cache of a bucket: bad files, folders that are gone, runs at once."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Event, Thread
from typing import Any

import dagster as dg
import polars as pl
import pytest

from facesets_dagster.analysis.explanation import reason
from facesets_dagster.faces.store import FaceStore
from facesets_dagster.library.verification import verify_library
from facesets_dagster.resources.home import HomeResource
from testing.fake_home import FakeHome
from testing.fakes import PACK, FakeFace, write_person, write_photo


def states(home: FakeHome, bucket: str) -> dict[str, int]:
    return dict(home.library.registry.decisions(bucket).group_by("state").len().iter_rows())


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    events = [e for e in result.get_asset_materialization_events() if e.asset_key == dg.AssetKey(asset)]
    return {key: value.value for key, value in events[0].materialization.metadata.items()}


def test_a_bucket_folder_that_is_gone_is_an_error_and_nothing_changes(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    fake_home.run("a")
    before = fake_home.files()
    (fake_home.buckets / "a").rename(fake_home.buckets.parent / "elsewhere")
    with pytest.raises(dg.Failure, match="never taken for an empty bucket"):
        fake_home.run("a")
    assert fake_home.files() == before


def test_every_face_ends_in_one_state_and_bad_files_stop_nothing(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    (fake_home.buckets / "a" / "bad.jpg").write_bytes(b"no picture")
    (fake_home.buckets / "a" / "empty.png").write_bytes(b"")
    (fake_home.buckets / "a" / "notes.txt").write_text("foreign")
    write_photo(fake_home.buckets / "a" / "view.png", [])
    result = fake_home.run("a")
    cache = metadata(result, "face_cache")
    assert (cache["failed_files"], cache["noface_files"], cache["foreign_files"]) == (2, 1, 1)
    assert sum(states(fake_home, "a").values()) == cache["faces"] == 8


def test_a_run_that_waited_for_another_lists_the_bucket_afterwards(
    fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came while it waited would else be taken for gone."""
    write_person(fake_home.buckets / "a", 1, 3)
    held, asked, alone = Event(), Event(), FaceStore.alone
    other = HomeResource.of(fake_home.settings).store_of(PACK)("a")

    def hold() -> None:
        with alone(other, print):
            held.set()
            assert asked.wait(60)
            write_person(fake_home.buckets / "a", 1, 1, first=3)

    def told(store: FaceStore, say: Callable[[str], None]) -> AbstractContextManager[None]:
        asked.set()
        return alone(store, say)

    monkeypatch.setattr(FaceStore, "alone", told)
    thread = Thread(target=hold)
    thread.start()
    assert held.wait(60)
    result = fake_home.materialize("face_cache", bucket="a")
    thread.join()
    assert metadata(result, "face_cache")["files"] == 4


def test_a_face_of_a_damaged_photo_is_a_member_that_is_not_exported_and_the_sums_close(fake_home: FakeHome) -> None:
    """Cut below the face: its box was decoded, its crop was not. The photo cut in the sky has no face."""
    bucket = fake_home.buckets / "a"
    write_person(bucket, 1, 8)
    stored = write_photo(bucket / "cut.png", [FakeFace(1, 0.0, size=190)]).read_bytes()
    (bucket / "cut.png").write_bytes(stored[: len(stored) * 260 // 480])
    (bucket / "sky.png").write_bytes(stored[: len(stored) * 40 // 480])
    (bucket / "#recycle").mkdir()
    write_photo(bucket / "#recycle" / "x.png", [FakeFace(3, 0.0)])
    cache = metadata(fake_home.run("a"), "face_cache")
    assert (cache["failed_files"], cache["faces"]) == (1, 9)
    assert cache["not_read"] == [
        "passed over 1 (1 folder): #recycle/", "not usable 1 (1 unreadable): sky.png",
    ]  # fmt: skip
    found = states(fake_home, "a")
    assert (found["cut_off"], sum(found.values())) == (1, 9)
    (left_out,) = fake_home.library.registry.decisions("a").filter(pl.col("state") == "cut_off").rows(named=True)
    assert left_out["identity"] == "faceset_001"
    assert "of its crop could not be decoded" in reason(left_out)
    assert verify_library(fake_home.library) == []
