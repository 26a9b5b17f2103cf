"""What systems and programs leave in folders is passed over, counted and said; what people ignore stays ignored."""

import json
from pathlib import Path

import pytest

from facesets_dagster.errors import BucketError
from facesets_dagster.photos.formats import RAW_SUFFIXES
from facesets_dagster.photos.ignoring import IGNORE_FILE
from facesets_dagster.photos.left_out import why_left_out
from facesets_dagster.photos.listing import BucketListing, list_bucket
from facesets_dagster.photos.roots import find_buckets, folders_by_hand, look_at_root

SYSTEM = (
    "#recycle", "$RECYCLE.BIN", "$Recycle.Bin", "@Recycle", "@eadir", "@eaDir", "#snapshot", "lost+found", "Thumbnails",
    "System Volume Information", "SYSTEM VOLUME INFORMATION", "Previews.lrdata", "Smart Previews.lrdata", "thumbs",
    "Adobe Bridge Cache", "__MACOSX", "facesets_swap_ready", "facesets_swap_ready_fresh",
)  # fmt: skip


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def make_home(folder: Path) -> None:
    make(folder, "cache/a.jpg", "reports/thumb.jpg")
    (folder / "home.json").write_text(json.dumps({"schema_version": 1, "model_pack": "embedded"}))


def paths(listing: BucketListing) -> list[str]:
    return [file.path for file in listing.files]


def left_out(listing: BucketListing) -> dict[str, str]:
    return {file.path: file.reason for file in listing.foreign}


@pytest.mark.parametrize("name", SYSTEM)
def test_a_folder_of_a_system_is_passed_over_in_a_bucket_and_is_no_bucket(tmp_path: Path, name: str) -> None:
    make(tmp_path, "IMG_1.jpg", f"{name}/x.jpg", f"deep/er/{name}/y/z.jpg")
    listing = list_bucket(tmp_path)
    assert paths(listing) == ["IMG_1.jpg"]
    assert set(left_out(listing)) == {f"{name}/", f"deep/er/{name}/"}
    assert all(left_out(listing).values())
    root = look_at_root(tmp_path)
    assert root.buckets == ("deep",)
    assert [folder for folder, _ in root.left_out] == [name]


def test_folders_are_not_entered_so_that_they_cost_nothing_and_cannot_fail(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "#recycle/x.jpg")
    (tmp_path / "#recycle").chmod(0)
    try:
        assert paths(list_bucket(tmp_path)) == ["a.jpg"]
    finally:
        (tmp_path / "#recycle").chmod(0o755)


def test_of_a_photo_library_the_originals_are_read(tmp_path: Path) -> None:
    make(
        tmp_path, "My.photoslibrary/originals/0/A.heic", "My.photoslibrary/resources/derivatives/x.jpg",
        "Old.aplibrary/Masters/2009/a.jpg", "Old.aplibrary/Previews/a.jpg", "resources/derivatives/mine.jpg",
    )  # fmt: skip
    listing = list_bucket(tmp_path)
    assert paths(listing) == [
        "My.photoslibrary/originals/0/A.heic", "Old.aplibrary/Masters/2009/a.jpg", "resources/derivatives/mine.jpg",
    ]  # fmt: skip
    assert set(left_out(listing)) == {"My.photoslibrary/resources/", "Old.aplibrary/Previews/"}


@pytest.mark.parametrize(
    "name", ["2019", "Originals", "masters", "cache", "Recycling trip", "previews", "resources", "Anna"]
)
def test_other_folders_are_photos_of_people(name: str) -> None:
    assert why_left_out(name) is None


def test_hand_sorted_folders_are_told_from_those_of_a_system(tmp_path: Path) -> None:
    make(tmp_path, "Anna/a.jpg", "@eaDir/x.jpg", ".hidden/x.jpg")
    assert folders_by_hand(tmp_path) == ["Anna"]


def test_globs_match_folders_too_and_those_that_match_nothing_are_told(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "a_thumb.jpg", "exports/b.jpg", "2019/exports/c.jpg", "2019/d.jpg")
    listing = list_bucket(tmp_path, ("exports", "*_thumb*", "nothing*"))
    assert paths(listing) == ["2019/d.jpg", "a.jpg"]
    assert left_out(listing) == {"exports/": "ignored", "2019/exports/": "ignored"}
    assert listing.ignored == 1
    assert listing.ignored_by == {"exports": 2, "*_thumb*": 1, "nothing*": 0}


@pytest.mark.parametrize("glob", ["2019/*", "2019", "2019/", "*2019"])
def test_a_glob_may_be_a_path(tmp_path: Path, glob: str) -> None:
    make(tmp_path, "2019/a.jpg", "2019/sub/b.jpg", "2020/c.jpg")
    assert paths(list_bucket(tmp_path, (glob,))) == ["2020/c.jpg"]


def test_a_bucket_has_globs_of_its_own_and_says_which_match_nothing(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "exports/b.jpg", "c.png")
    (tmp_path / IGNORE_FILE).write_text("# what I exported\nexports\n\n*.png\nmistyped\n", encoding="utf-8")
    listing = list_bucket(tmp_path)
    assert paths(listing) == ["a.jpg"]
    assert listing.unused_globs == ("mistyped",)
    assert listing.digest() != list_bucket_without_file(tmp_path).digest()


def list_bucket_without_file(folder: Path) -> BucketListing:
    (folder / IGNORE_FILE).unlink()
    return list_bucket(folder)


def test_a_file_of_globs_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / IGNORE_FILE).write_bytes(b"\xff\xfe\0")
    with pytest.raises(BucketError, match="a glob on each line"):
        list_bucket(tmp_path)


def test_a_home_is_never_a_bucket_nor_part_of_one(tmp_path: Path) -> None:
    make(tmp_path, "family/a.jpg")
    make_home(tmp_path / "my faces")
    make_home(tmp_path / "family" / "faces")
    assert list(find_buckets((tmp_path,))) == ["family"]
    listing = list_bucket(tmp_path / "family")
    assert paths(listing) == ["a.jpg"]
    assert left_out(listing) == {"faces/": "a home of this platform"}


def test_folders_that_are_written_to_are_no_buckets_and_the_default_root_in_the_home_holds_buckets(
    tmp_path: Path,
) -> None:
    make(tmp_path, "buckets/a/1.jpg", "cache/x.jpg", "reports/y.jpg", "trip/exports/z.jpg", "trip/1.jpg")
    own = (tmp_path, tmp_path / "cache", tmp_path / "reports", tmp_path / "trip" / "exports")
    assert list(find_buckets((tmp_path / "buckets",), own)) == ["a"]
    assert list(find_buckets((tmp_path,), own)) == ["buckets", "trip"]
    assert paths(list_bucket(tmp_path / "trip", own=own)) == ["1.jpg"]


def test_loose_photos_beside_buckets_are_said(tmp_path: Path) -> None:
    make(tmp_path, "2019/a.jpg", "2020/b.jpg", "IMG_1.jpg", "IMG_2.HEIC", "notes.txt", ".hidden.jpg")
    advice = look_at_root(tmp_path).advice
    assert advice.startswith(f"2 photos lie in {tmp_path} itself, beside 2 buckets, e.g. IMG_1.jpg")
    assert "Move such photos into a folder there." in advice


def test_a_root_that_is_a_folder_of_photos_is_recognised(tmp_path: Path) -> None:
    photos = tmp_path / "my photos"
    make(photos, "IMG_1.jpg", "@eaDir/x.jpg")
    advice = look_at_root(photos).advice
    assert "1 photo lies in" in advice
    assert "not a folder of buckets" in advice
    assert f"facesets run --folder '{photos}'" in advice
    (photos / "IMG_1.jpg").unlink()
    assert look_at_root(photos).advice == ""


def test_a_raw_photo_beside_the_cameras_jpeg_is_one_photo(tmp_path: Path) -> None:
    make(tmp_path, "DSC_1.NEF", "DSC_1.JPG", "DSC_2.NEF", "sub/DSC_2.jpg", "dsc_3.cr2", "DSC_3.heic")
    listing = list_bucket(tmp_path)
    assert paths(listing) == ["DSC_1.JPG", "DSC_2.NEF", "DSC_3.heic", "sub/DSC_2.jpg"]
    assert left_out(listing)["DSC_1.NEF"] == "the photo of DSC_1.JPG beside it"
    assert left_out(listing)["dsc_3.cr2"] == "the photo of DSC_3.heic beside it"
    assert ".nef" in RAW_SUFFIXES
