"""What a scan takes for new, and that the cost of bringing the cache up is that of what is new."""

import os
import shutil
from pathlib import Path

import polars as pl
import pytest

from facesets_dagster.faces.changes import find_changes
from facesets_dagster.faces.store import CacheTables, FaceStore
from facesets_dagster.photos.listing import BucketListing, list_bucket
from testing.fakes import write_person, write_photo
from tests.faces.test_face_cache import Bucket


def states(store: FaceStore) -> dict[str, tuple[int, int]]:
    """Path below the store -> inode and time of every file."""
    files = [path for path in store.folder.rglob("[!.]*") if path.is_file()]
    return {str(path.relative_to(store.folder)): (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


def scanned_at_once(bucket: Bucket, elsewhere: Path) -> CacheTables:
    """What a first scan of the same photos makes."""
    other = Bucket(elsewhere)
    shutil.rmtree(other.folder)
    shutil.copytree(bucket.folder, other.folder)
    return other.scan().tables


def is_as(found: CacheTables, expected: CacheTables) -> bool:
    """Whether two caches say the same, apart from inodes and times."""
    columns = ["path", "sha256", "status", "detail"]
    same_files = found.files.select(columns).equals(expected.files.select(columns))
    return same_files and found.faces.equals(expected.faces) and found.contents.equals(expected.contents)


def test_a_photo_more_is_a_row_beside_the_faces_and_rewrites_none(bucket: Bucket) -> None:
    before = states(bucket.store)
    write_person(bucket.folder, 2, 1)
    tables = bucket.scan().tables
    after = states(bucket.store)
    for kept in ("faces.parquet", "contents.parquet"):
        assert after[kept] == before[kept]
    assert set(after) - set(before) == {"parts/000001.faces.parquet", "parts/000001.contents.parquet"}
    assert len(tables.faces) == len(tables.files) == 31
    assert bucket.scan().opened == 0
    assert states(bucket.store) == after


def test_rows_beside_the_faces_read_as_if_all_had_been_scanned_at_once(bucket: Bucket, tmp_path: Path) -> None:
    write_person(bucket.folder, 2, 1)
    bucket.scan()
    (bucket.folder / "p01_003.png").rename(bucket.folder / "z moved.png")
    shutil.copy(bucket.folder / "p01_004.png", bucket.folder / "a copy.png")
    result = bucket.scan()
    assert result.decoded == 0
    assert not (states(bucket.store).keys() & {"parts/000001.files.parquet", "parts/000002.files.parquet"})
    assert is_as(result.tables, scanned_at_once(bucket, tmp_path / "other"))


def test_many_rows_beside_the_faces_are_taken_into_the_table(bucket: Bucket) -> None:
    for person in (2, 3, 4, 5):
        write_person(bucket.folder, person, 1)
        bucket.scan()
    assert set(states(bucket.store)) >= {"faces.parquet", "contents.parquet", "files.parquet"}
    assert not [path for path in states(bucket.store) if path.startswith("parts/")]
    assert len(bucket.store.read().faces) == 34


def test_many_small_additions_are_made_one_and_leave_the_table_as_it_lies(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facesets_dagster.faces.store._MAX_PARTS", 3)
    before = states(bucket.store)
    write_person(bucket.folder, 2, 1)
    bucket.scan()
    (bucket.folder / "p02_000.png").rename(bucket.folder / "moved.png")
    bucket.scan()
    assert len(states(bucket.store)) == len(before) + 5
    write_person(bucket.folder, 3, 1)
    bucket.scan()
    after = states(bucket.store)
    assert set(after) - set(before) == {"parts/000005.faces.parquet", "parts/000005.contents.parquet"}
    assert after["faces.parquet"] == before["faces.parquet"]
    assert is_as(bucket.store.read(), scanned_at_once(bucket, tmp_path / "other"))


def test_a_face_that_lies_beside_the_table_is_known_to_other_buckets(bucket: Bucket, tmp_path: Path) -> None:
    write_person(bucket.folder, 2, 1)
    bucket.scan()
    other = Bucket(tmp_path, "b")
    shutil.copy(bucket.folder / "p02_000.png", other.folder / "x.png")
    result = other.scan()
    assert (result.decoded, result.copied) == (0, 1)
    assert result.tables.faces["path"].to_list() == ["x.png"]


def test_a_scan_that_was_ended_before_it_brought_the_tables_up_is_finished_by_the_next(bucket: Bucket) -> None:
    shutil.copy(bucket.folder / "p01_004.png", bucket.folder / "a copy.png")
    row = bucket.store.read().files.filter(pl.col("path") == "p01_004.png")
    (copied,) = [file for file in list_bucket(bucket.folder).files if file.path == "a copy.png"]
    state = {"path": copied.path, "mtime_ns": copied.mtime_ns, "ctime_ns": copied.ctime_ns, "inode": copied.inode}
    known = row.with_columns(**{key: pl.lit(value, row.schema[key]) for key, value in state.items()})
    bucket.store.append(CacheTables(bucket.store.read().faces.clear(), bucket.store.read().contents.clear(), known))
    assert bucket.scan().opened == 0
    faces = bucket.store.read().faces.filter(pl.col("path") == "a copy.png")
    assert faces["aliases"].to_list() == [["p01_004.png"]]
    assert not bucket.store.has_loose_files()


def changed_after(bucket: Bucket, listing: BucketListing | None = None) -> list[str]:
    tables = bucket.store.read()
    found = find_changes(
        listing or list_bucket(bucket.folder), tables.files, tables.contents,
        retry_failed=False,
    )  # fmt: skip
    assert found.none == (not found.to_open and len(found.known) == len(tables.files))
    return [file.path for file in found.to_open]


def test_only_files_of_another_state_are_to_be_opened(bucket: Bucket) -> None:
    assert changed_after(bucket) == []
    os.utime(bucket.folder / "p01_007.png", (1, 1))
    write_photo(bucket.folder / "b" / "new.png", [])
    assert changed_after(bucket) == ["b/new.png", "p01_007.png"]
    (bucket.folder / "p01_001.png").rename(bucket.folder / "0.png")
    assert changed_after(bucket) == ["0.png", "b/new.png", "p01_007.png"]


def test_a_file_that_went_is_news_although_nothing_is_to_be_opened(bucket: Bucket) -> None:
    (bucket.folder / "p01_001.png").unlink()
    assert changed_after(bucket) == []
    assert len(bucket.scan().tables.files) == 29


def test_a_file_whose_content_is_not_on_record_is_to_be_opened(bucket: Bucket) -> None:
    tables, listing = bucket.store.read(), list_bucket(bucket.folder)
    contents = tables.contents.slice(1)
    (lost,) = find_changes(listing, tables.files, contents, retry_failed=False).to_open
    assert tables.files.filter(pl.col("path") == lost.path)["sha256"].item() == tables.contents["sha256"][0]


def test_another_file_that_is_passed_over_is_news(bucket: Bucket) -> None:
    (bucket.folder / "notes.txt").write_text("notes")
    tables = bucket.store.read()
    contents = tables.contents
    found = find_changes(list_bucket(bucket.folder), tables.files, contents, retry_failed=False)
    assert (found.to_open, found.none) == ((), False)
    assert "notes.txt" in bucket.scan().tables.files["path"].to_list()
    (bucket.folder / "notes.txt").unlink()
    assert "notes.txt" not in bucket.scan().tables.files["path"].to_list()
