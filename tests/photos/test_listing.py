"""Names as keys, listings, states of folders."""

import os
import shutil
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesets_dagster.automation.news import state_of
from facesets_dagster.errors import BucketError
from facesets_dagster.photos import tree
from facesets_dagster.photos.bucket_key import folder_name, partition_key
from facesets_dagster.photos.listing import escape_path, list_bucket, unescape_path
from facesets_dagster.photos.roots import bucket_folder, find_buckets

names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60).filter(
    lambda name: name not in (".", "..") and len(name.encode()) <= 255
)


@given(names)
def test_every_folder_name_has_a_key_and_comes_back(name: str) -> None:
    assert folder_name(partition_key(name)) == name


@given(names, names)
def test_two_names_never_share_a_key(first: str, second: str) -> None:
    assert (partition_key(first) == partition_key(second)) == (first == second)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("osrc", "osrc"),
        ("Urlaub Österreich", "Urlaub Österreich"),
        ("osrc [Originaldateien]", "osrc %5BOriginaldateien%5D"),
        (".hidden", "%2Ehidden"),
        ("a..b", "a.%2Eb"),
        ("100%", "100%25"),
        ("\udcff", "%FF"),
    ],
)
def test_keys_stay_readable(name: str, key: str) -> None:
    assert partition_key(name) == key
    assert folder_name(key) == name


@pytest.mark.parametrize("key", ["../../evil", "..", "", "a/b", "[Orig]", "%2e", "%", "a%", "%41", "a\nb", "%00"])
def test_keys_that_no_folder_gives_are_refused(key: str) -> None:
    with pytest.raises(BucketError):
        folder_name(key)


@given(st.text())
def test_paths_are_escaped_reversibly(path: str) -> None:
    assert unescape_path(escape_path(path)) == path
    escape_path(path + "\udc80").encode()


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def test_a_listing_tells_photos_foreign_and_hidden_files_apart(tmp_path: Path) -> None:
    make(tmp_path, "b.JPG", "a/c.psd", "a/.hidden.jpg", "@eaDir/t.jpg", "Thumbs.db", "notes.txt", "a/raw_x.png")
    listing = list_bucket(tmp_path, ("raw_*",))
    assert [file.path for file in listing.files] == ["a/c.psd", "b.JPG"]
    assert listing.ignored == 3
    assert [file.path for file in listing.foreign] == ["@eaDir/", "notes.txt"]


def test_a_dangling_link_is_foreign_and_a_linked_folder_is_not_followed(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg")
    (tmp_path / "gone.jpg").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to(tmp_path)
    listing = list_bucket(tmp_path)
    assert [file.path for file in listing.files] == ["a.jpg"]
    assert len(listing.foreign) == 2


def test_undecodable_names_are_listed(tmp_path: Path) -> None:
    try:
        (tmp_path / os.fsdecode(b"bad\xff.jpg")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes Unicode names only")
    (file,) = list_bucket(tmp_path).files
    assert file.path == "bad\\xff.jpg"
    assert (tmp_path / file.os_path).exists()


def test_the_digest_moves_with_any_change(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "b.jpg")
    digests = {list_bucket(tmp_path).digest()}
    (tmp_path / "a.jpg").write_bytes(b"longer")
    digests.add(list_bucket(tmp_path).digest())
    (tmp_path / "a.jpg").rename(tmp_path / "c.jpg")
    digests.add(list_bucket(tmp_path).digest())
    assert len(digests) == 3
    assert list_bucket(tmp_path).digest() in digests


def test_the_digest_moves_when_a_file_is_made_readable_or_replaced_by_one_of_the_same_time(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg")
    digests = {list_bucket(tmp_path).digest()}
    (tmp_path / "a.jpg").chmod(0o640)
    digests.add(list_bucket(tmp_path).digest())
    (tmp_path / "new").write_bytes(b"y")
    shutil.copystat(tmp_path / "a.jpg", tmp_path / "new")
    (tmp_path / "new").replace(tmp_path / "a.jpg")
    digests.add(list_bucket(tmp_path).digest())
    assert len(digests) == 3


def test_an_absent_bucket_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BucketError, match="never taken for an empty bucket"):
        bucket_folder("gone", (tmp_path,))


def test_a_name_in_two_roots_is_refused_and_the_others_are_found(tmp_path: Path) -> None:
    make(tmp_path, "r1/same/a.jpg", "r2/same/a.jpg", "r1/other/a.jpg")
    roots = (tmp_path / "r1", tmp_path / "r2")
    assert list(find_buckets(roots)) == ["other", "same"]
    with pytest.raises(BucketError, match=r"2 buckets are called 'same': .*r1/same and .*r2/same"):
        bucket_folder("same", roots)
    assert bucket_folder("other", roots) == tmp_path / "r1" / "other"


@pytest.mark.parametrize("year", [1600, 2300])
def test_a_file_of_an_impossible_date_is_listed_and_does_not_keep_its_bucket_waiting(tmp_path: Path, year: int) -> None:
    make(tmp_path, "a.jpg", "b.jpg")
    dated = (year - 1970) * 365 * 86_400 * 10**9
    os.utime(tmp_path / "a.jpg", ns=(dated, dated))
    listing = list_bucket(tmp_path)
    assert [file.path for file in listing.files] == ["a.jpg", "b.jpg"]
    assert state_of(listing, time.time() + 60).quiet_seconds >= 59


@pytest.mark.parametrize("odd", [False, True])
def test_sizes_times_and_inodes_are_those_of_the_file_system(tmp_path: Path, odd: bool) -> None:
    """`odd`: a dangling link, for which a folder is read file by file."""
    make(tmp_path, "a.jpg", "sub/b.PNG", "sub/c.txt", "sub/none")
    os.utime(tmp_path / "a.jpg", ns=(-5, -5))
    if odd:
        (tmp_path / "sub" / "gone.jpg").symlink_to("nowhere")
    listing = list_bucket(tmp_path)
    assert [file.path for file in listing.files] == ["a.jpg", "sub/b.PNG", "sub/none"]
    assert listing.unsure["path"].to_list() == ["sub/none"]
    for file in listing.files:
        status = (tmp_path / file.path).stat()
        told = (file.size, file.mtime_ns, file.ctime_ns, file.inode)
        assert told == (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    reasons = {file.path: file.reason for file in listing.foreign}
    assert reasons.pop("sub/gone.jpg", None) == ("leads to no file" if odd else None)
    assert set(reasons) == {"sub/c.txt"}


def test_an_inode_of_64_bits_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some network and union file systems make inodes of hashes."""
    make(tmp_path, "a.jpg")
    plain = tree._STATE
    monkeypatch.setattr(tree, "_STATE", lambda status: (*plain(status)[:4], 2**64 - 5))
    assert [file.inode for file in list_bucket(tmp_path).files] == [2**64 - 5]
