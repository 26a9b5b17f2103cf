"""The scan reads what is new, once, and keeps what was done whatever interrupts it."""

import os
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image

from facesets_dagster.errors import DiskSpaceError, LibraryCorrupt
from facesets_dagster.faces import face_cache as scanning
from facesets_dagster.faces.face_cache import Reading, ScanResult, scan_bucket
from facesets_dagster.faces.store import CacheTables, FaceStore
from facesets_dagster.faces.unread import unread_of
from facesets_dagster.files.writing import write_parquet
from facesets_dagster.photos import formats
from facesets_dagster.photos.listing import list_bucket
from testing.fakes import PACK, FakeEmbedder, FakeFace, write_person, write_photo
from testing.photo_processes import WITHOUT_OPTIONAL_DECODERS, started_with
from testing.raw_photos import dng


class Bucket:
    """A bucket folder, its store and a model that counts its calls."""

    def __init__(self, root: Path, name: str = "a") -> None:
        self.name = name
        self.folder = root / "buckets" / name
        self.folder.mkdir(parents=True)
        self.store = FaceStore(root / "cache", name, PACK.model_id, PACK.dim)
        self.model = FakeEmbedder()

    def scan(self, **changes: Any) -> ScanResult:
        options = {
            "workers": 2, "max_pixels": 10**6, "retry_failed": False, "report": lambda *_: None,
        }  # fmt: skip
        listing = changes.pop("listing", None) or list_bucket(self.folder)
        return scan_bucket(listing, self.store, Reading(lambda: self.model, **{**options, **changes}))

    def statuses(self) -> dict[str, str]:
        return dict(self.store.read().files.select("path", "status").iter_rows())


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return Bucket(tmp_path)


def test_a_second_scan_opens_nothing_and_writes_nothing(bucket: Bucket) -> None:
    write_person(bucket.folder, 1, 4)
    first = bucket.scan()
    assert (first.opened, first.decoded, len(first.tables.faces)) == (4, 4, 4)
    before = {path: path.stat().st_mtime_ns for path in bucket.store.folder.rglob("[!.]*") if path.is_file()}
    bucket.model.detect = None  # type: ignore[assignment, method-assign]
    second = bucket.scan()
    assert (second.opened, second.decoded) == (0, 0)
    assert second.tables.faces.equals(first.tables.faces)
    assert {path: path.stat().st_mtime_ns for path in bucket.store.folder.rglob("[!.]*") if path.is_file()} == before


def test_a_touched_a_renamed_and_a_copied_file_are_not_decoded_again(bucket: Bucket) -> None:
    write_person(bucket.folder, 1, 3)
    faces = bucket.scan().tables.faces
    os.utime(bucket.folder / "p01_000.png", (1, 1))
    (bucket.folder / "p01_001.png").rename(bucket.folder / "renamed.png")
    shutil.copy(bucket.folder / "p01_002.png", bucket.folder / "a copy.png")
    again = bucket.scan()
    assert (again.opened, again.decoded) == (3, 0)
    assert again.tables.faces["face_id"].to_list() == faces["face_id"].to_list()
    rows = {row["path"]: row for row in again.tables.faces.iter_rows(named=True)}
    assert set(rows) == {"p01_000.png", "renamed.png", "a copy.png"}
    assert rows["a copy.png"]["aliases"] == ["p01_002.png"]
    assert not again.tables.faces["source_missing"].any()


def test_a_file_with_other_bytes_is_read_and_the_old_faces_are_flagged(bucket: Bucket) -> None:
    write_person(bucket.folder, 1, 2)
    old = bucket.scan().tables.faces.filter(pl.col("path") == "p01_000.png")["face_id"].item()
    write_photo(bucket.folder / "p01_000.png", [FakeFace(2, 0.0), FakeFace(3, 0.0, x=300)])
    again = bucket.scan()
    assert (again.opened, again.decoded) == (1, 1)
    missing = dict(again.tables.faces.select("face_id", "source_missing").iter_rows())
    assert len(missing) == 4
    assert [face_id for face_id, gone in missing.items() if gone] == [old]


def test_a_photo_that_vanished_keeps_its_faces_flagged_and_comes_back(bucket: Bucket, tmp_path: Path) -> None:
    write_person(bucket.folder, 1, 2)
    bucket.scan()
    (bucket.folder / "p01_000.png").rename(tmp_path / "away.png")
    gone = bucket.scan().tables
    assert gone.faces["source_missing"].sum() == 1
    assert gone.files["path"].to_list() == ["p01_001.png"]
    (tmp_path / "away.png").rename(bucket.folder / "p01_000.png")
    back = bucket.scan()
    assert (back.decoded, back.tables.faces["source_missing"].sum()) == (0, 0)


def test_the_same_bytes_in_two_buckets_are_embedded_once(bucket: Bucket, tmp_path: Path) -> None:
    write_person(bucket.folder, 1, 3)
    first = bucket.scan().tables.faces
    other = Bucket(tmp_path, "b")
    shutil.copytree(bucket.folder, other.folder / "deeper")
    write_person(other.folder, 2, 1)
    result = other.scan()
    assert (result.decoded, result.copied) == (1, 3)
    copied = result.tables.faces.filter(pl.col("path").str.starts_with("deeper/"))
    assert copied["face_id"].to_list() == first["face_id"].to_list()
    assert copied["embedding"].to_list() == first["embedding"].to_list()
    assert set(copied["bucket"]) == {"b"}


def test_work_is_on_disk_at_least_every_fifty_files(bucket: Bucket) -> None:
    for number in range(130):
        write_photo(bucket.folder / f"{number:03d}.png", [FakeFace(1, 0.0)], seed=number)
    behind = []

    def look(done: int, total: int, faces: int, failed: int) -> None:
        assert total == 130
        behind.append(done - len(bucket.store.read().contents))
        assert (faces, failed) == (done, 0)

    bucket.scan(report=look)
    assert len(behind) == 130
    assert max(behind) <= 50


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, RuntimeError])
def test_what_was_done_before_an_interruption_is_kept(bucket: Bucket, interruption: type[BaseException]) -> None:
    write_person(bucket.folder, 1, 12)

    def stop(done: int, *_: int) -> None:
        if done == 5:
            raise interruption

    with pytest.raises(interruption):
        bucket.scan(report=stop)
    rest = bucket.scan()
    assert rest.opened == rest.decoded == 12 - 5
    assert len(rest.tables.faces) == 12
    undisturbed = Bucket(bucket.folder.parents[1], "undisturbed")
    shutil.copytree(bucket.folder, undisturbed.folder, dirs_exist_ok=True)
    shutil.rmtree(bucket.store.folder.parents[1] / "a")
    whole = undisturbed.scan().tables.faces
    assert rest.tables.faces.drop("bucket").equals(whole.drop("bucket"))


def test_a_part_that_was_cut_off_before_its_contents_counts_for_nothing(bucket: Bucket) -> None:
    write_person(bucket.folder, 1, 3)
    whole = bucket.scan().tables
    shutil.rmtree(bucket.store.folder)
    bucket.store.append(whole)
    for kind in ("contents", "files"):
        (bucket.store.folder / "parts" / f"000001.{kind}.parquet").unlink()
    again = bucket.scan()
    assert again.decoded == 3
    assert again.tables.faces.equals(whole.faces)


def test_every_file_has_a_record(bucket: Bucket) -> None:
    write_person(bucket.folder, 1, 1)
    write_photo(bucket.folder / "empty street.png", [])
    (bucket.folder / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    (bucket.folder / "letter.jpg").write_bytes(b"a text")
    (bucket.folder / "nothing.png").write_bytes(b"")
    (bucket.folder / "notes.txt").write_text("notes")
    (bucket.folder / "gone.png").symlink_to(bucket.folder / "nowhere.png")
    (bucket.folder / ".hidden.png").write_bytes(b"hidden")
    result = bucket.scan()
    assert bucket.statuses() == {
        "p01_000.png": "faces",
        "empty street.png": "noface",
        "broken.jpg": "unreadable",
        "letter.jpg": "not_an_image",
        "nothing.png": "empty",
        "notes.txt": "foreign",
        "gone.png": "foreign",
    }
    assert result.tables.files.filter(pl.col("status") != "faces").filter(pl.col("status") != "noface")[
        "detail"
    ].str.len_chars().min() > 0  # fmt: skip


def test_failed_photos_are_read_again_only_when_asked_for(bucket: Bucket) -> None:
    (bucket.folder / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    write_photo(bucket.folder / "empty street.png", [])
    bucket.scan()
    assert bucket.scan().opened == 0
    again = bucket.scan(retry_failed=True)
    assert (again.opened, again.decoded) == (1, 1)
    assert bucket.statuses()["broken.jpg"] == "unreadable"


def test_too_many_pixels_are_refused_by_the_runs_own_limit(bucket: Bucket) -> None:
    write_person(bucket.folder, 1, 1)
    bucket.scan(max_pixels=1000)
    assert bucket.statuses() == {"p01_000.png": "too_large"}
    bucket.scan(max_pixels=10**6, retry_failed=True)
    assert bucket.statuses() == {"p01_000.png": "faces"}


def test_a_file_that_changes_or_goes_away_while_it_is_read_is_left_for_the_next_run(bucket: Bucket) -> None:
    write_person(bucket.folder, 1, 3)
    listing = list_bucket(bucket.folder)
    with open(bucket.folder / "p01_000.png", "ab") as stream:
        stream.write(b"more")
    (bucket.folder / "p01_001.png").unlink()
    bucket.scan(listing=listing)
    assert bucket.statuses() == {
        "p01_000.png": "changing",
        "p01_001.png": "unreadable_file",
        "p01_002.png": "faces",
    }
    bucket.scan()
    assert bucket.statuses() == {"p01_000.png": "faces", "p01_002.png": "faces"}


def test_too_little_space_is_said_before_the_work_begins(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    write_person(bucket.folder, 1, 2)
    monkeypatch.setattr(scanning.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**12, 10**12, 1000))
    with pytest.raises(DiskSpaceError, match="Nothing was started"):
        bucket.scan()
    assert bucket.model.detected == 0


def test_a_cache_that_cannot_be_read_says_what_to_do(bucket: Bucket) -> None:
    write_person(bucket.folder, 1, 1)
    bucket.scan()
    (bucket.store.folder / "faces.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(LibraryCorrupt, match="Delete that bucket's folder under cache/faces"):
        len(bucket.scan().tables.faces)
    (bucket.store.folder / "files.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(LibraryCorrupt, match="Delete that bucket's folder under cache/faces"):
        bucket.scan()


def test_faces_stand_in_the_table_as_they_stand_in_the_photo(bucket: Bucket) -> None:
    write_photo(bucket.folder / "two.png", [FakeFace(1, 0.0), FakeFace(2, 0.5, x=300, y=100, size=120)])
    faces = bucket.scan().tables.faces.sort("face_short", descending=True)
    assert faces["bbox"].to_list() == [[60.0, 60.0, 220.0, 220.0], [300.0, 100.0, 420.0, 220.0]]
    assert faces["face_short"].to_list() == [160.0, 120.0]
    assert faces["photo_width"].to_list() == [640, 640]
    assert faces["model_id"].unique().to_list() == [PACK.model_id]
    assert faces["frontality"].to_list() == pytest.approx([1.0, 1.0])
    assert faces["blur"].min() > 40


def test_a_photo_of_an_impossible_date_is_read_once_like_any_other(bucket: Bucket) -> None:
    write_person(bucket.folder, 1, 2)
    os.utime(bucket.folder / "p01_000.png", ns=(0, 10**10 * 10**9))  # in 2286, beyond 64 bits of nanoseconds
    assert bucket.scan().opened == 2
    assert bucket.statuses() == {"p01_000.png": "faces", "p01_001.png": "faces"}
    assert bucket.scan().opened == 0


def test_a_file_whose_name_says_nothing_is_looked_at_once(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    write_photo(bucket.folder / "tweet.png_large", [FakeFace(1, 0.0)])
    (bucket.folder / "Makefile").write_text("all:\n")
    (bucket.folder / "nothing").write_bytes(b"")
    first = bucket.scan()
    assert bucket.statuses() == {"tweet.png_large": "faces", "Makefile": "foreign", "nothing": "foreign"}
    assert (first.opened, first.decoded) == (3, 1)
    assert bucket.scan().opened == 0
    os.utime(bucket.folder / "Makefile", (1, 1))
    assert bucket.scan().opened == 1
    shutil.copy(bucket.folder / "tweet.png_large", bucket.folder / "Makefile")
    assert (bucket.scan().opened, bucket.statuses()["Makefile"]) == (1, "faces")


def test_a_photo_without_its_decoder_is_read_once_that_is_there(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("DSC_1.dng", "no suffix"):
        (bucket.folder / name).write_bytes(dng(Image.new("RGB", (40, 30), "grey")))
    fuji = b"FUJIFILMCCD-RAW 0201" + bytes(100)
    (bucket.folder / "of a fuji").write_bytes(fuji)
    with monkeypatch.context() as patch, started_with(WITHOUT_OPTIONAL_DECODERS, tmp_path / "site", monkeypatch):
        patch.setattr(formats, "_installed", lambda module: False)
        result = bucket.scan()
        assert bucket.statuses() == {"DSC_1.dng": "foreign", "no suffix": "unsupported", "of a fuji": "foreign"}
        assert unread_of(result.tables.files, list_bucket(bucket.folder)).lines() == [
            "passed over 2 (1 DNG, 1 without a suffix): DSC_1.dng, of a fuji",
            "not usable 1 (1 unsupported): no suffix",
            formats.RAW_DECODER.advice,
        ]  # fmt: skip
        assert bucket.scan().opened == 0
    bucket.scan()
    assert bucket.statuses() == {"DSC_1.dng": "noface", "no suffix": "noface", "of a fuji": "unreadable"}


def test_what_was_not_read_is_told_with_names(bucket: Bucket) -> None:
    for name in ("a.txt", "b.txt", "c.mov", "@eaDir/x.jpg", "d.txt", "e.txt", "f.txt"):
        (bucket.folder / name).parent.mkdir(exist_ok=True)
        (bucket.folder / name).write_bytes(b"x")
    (bucket.folder / "bad.jpg").write_bytes(b"")
    (bucket.folder / ".facesetsignore").write_text("exports\n")
    files = bucket.scan().tables.files
    assert unread_of(files, list_bucket(bucket.folder)).lines() == [
        "passed over 7 (5 TXT, 1 MOV, 1 folder): @eaDir/, a.txt, b.txt, c.mov, d.txt and 2 more",
        "not usable 1 (1 empty): bad.jpg",
        "`exports` in .facesetsignore matches nothing",
    ]
    write_person(bucket.folder, 1, 1)


def test_what_an_earlier_version_took_for_cut_off_is_read_again(bucket: Bucket, tmp_path: Path) -> None:
    write_photo(bucket.folder / "moving.png", [FakeFace(1, 0.0)])
    bucket.scan()
    old = bucket.store.read()
    wrong = {"status": pl.lit("unreadable"), "detail": pl.lit("truncated, no face in the intact part")}
    bucket.store.compact(
        CacheTables(old.faces.clear(), old.contents.with_columns(**wrong), old.files.with_columns(**wrong))
    )
    other = Bucket(tmp_path, "b")
    shutil.copy(bucket.folder / "moving.png", other.folder / "moving.png")
    assert (other.scan().copied, other.statuses()) == (0, {"moving.png": "faces"})
    assert (bucket.scan().copied, bucket.statuses()) == (1, {"moving.png": "faces"})


def test_a_cache_of_an_older_release_is_read_and_lacks_only_what_came_later(bucket: Bucket) -> None:
    before = bucket.scan().tables.faces
    folder = bucket.store.folder
    for table in folder.glob("*.parquet"):
        metadata = pl.read_parquet_metadata(table)
        kept = pl.read_parquet(table).drop("sharpness", "turn", "look", strict=False)
        write_parquet(table, kept, {name: metadata[name] for name in ("schema_version", "model_id")})
    write_person(bucket.folder, 2, 1)
    faces = bucket.scan().tables.faces
    old = faces.filter(pl.col("face_id").is_in(before["face_id"].to_list()))
    assert faces.columns == before.columns
    assert old.drop("sharpness", "turn").equals(before.drop("sharpness", "turn"))
    assert old["sharpness"].null_count() == len(before)
    assert faces["sharpness"].count() == len(faces) - len(before) == 1
