"""Names as people type them: buckets, people, facesets, photos."""

import io
import shutil
import unicodedata
from pathlib import Path

import pytest

from facesets_dagster.cli import asking
from facesets_dagster.cli.asking import bucket_named, person_called
from facesets_dagster.cli.explain import explain
from facesets_dagster.cli.find import print_photos
from facesets_dagster.cli.show import show
from facesets_dagster.errors import BucketError, LibraryError, SettingsError
from facesets_dagster.photos.bucket_key import partition_key
from testing.fake_home import FakeHome
from testing.fakes import FakeFace, write_looks, write_person, write_photo
from testing.labels import give_label
from testing.merges import LEFT, RIGHT, apply, meet

DECOMPOSED = unicodedata.normalize("NFD", "Zoë Käßler")


def filled(home: FakeHome) -> None:
    """Anna founded by `a`, covered in `b`, where Bo is founded; a photo of both and one of nobody."""
    home.discovers_alone()
    write_looks(home.buckets / "a", 1, [-0.9, -0.45, 0.0, 0.45, 0.9, 0.44])
    home.run("a")
    write_person(home.buckets / "b [2019]", 2, 7)
    write_looks(home.buckets / "b [2019]", 1, [-0.3, 0.3])
    both = [FakeFace(1, 0.1, x=20), FakeFace(2, 0.1, x=320)]
    write_photo(home.buckets / "b [2019]" / DECOMPOSED / "both.png", both, seed=5)
    write_photo(home.buckets / "b [2019]" / "nobody.png", [], seed=6)
    home.run(partition_key("b [2019]"))
    give_label(home.library.registry, "faceset_001", "Anna")


@pytest.fixture
def home(fake_home: FakeHome) -> FakeHome:
    fake_home.begin(filled)
    fake_home.discovers_alone()
    return fake_home


def printed(home: FakeHome, capsys: pytest.CaptureFixture, who: str, **options: object) -> list[str]:
    print_photos(home.settings, who, **{"copy_to": None, "link": False, "as_json": False, **options})  # type: ignore[arg-type]
    return capsys.readouterr().out.splitlines()


def test_a_bucket_is_found_by_folder_name_key_path_and_decomposed_letters(tmp_path: Path) -> None:
    names = ["press [2019]", unicodedata.normalize("NFD", "Fête"), "family album"]
    folders = {partition_key(name): tmp_path / name for name in names}
    for folder in folders.values():
        folder.mkdir()
    press, party, family = folders
    assert bucket_named("press [2019]", folders) == press
    assert bucket_named(press, folders) == press
    assert bucket_named("Fête", folders) == bucket_named("fête/", folders) == party
    assert bucket_named(f"{tmp_path}/family album/", folders) == family


def test_a_bucket_that_is_almost_right_is_answered_with_titles_not_keys(tmp_path: Path) -> None:
    folders = {partition_key(name): tmp_path / name for name in ("press [2019]", "family album")}
    for text, near in (("family", "'family album'"), ("famly", "'family album'"), ("pres 2019", "'press [2019]'")):
        with pytest.raises(BucketError, match="Did you mean") as told:
            bucket_named(text, folders)
        assert near in str(told.value)
    with pytest.raises(BucketError) as told:
        bucket_named("xyz", folders)
    assert "Buckets here: family album, press [2019]." in str(told.value)
    assert "%5B" not in str(told.value)


def test_a_folder_that_is_no_bucket_is_offered_as_one(tmp_path: Path) -> None:
    with pytest.raises(BucketError, match=f"facesets run --folder {tmp_path}/"):
        bucket_named(f"{tmp_path}/", {})


def test_a_person_is_found_by_name_faceset_and_path(home: FakeHome) -> None:
    for text in ("Anna", "anna", " ANNA ", "faceset_001", f"{home.library.folder}/faceset_001/", "x/faceset_001.fsz"):
        assert person_called(home.library, text).name == "faceset_001"


@pytest.mark.parametrize(
    ("text", "near"), [("1", "Anna (faceset_001)"), ("Ana", "Anna (faceset_001)"), ("faceset_2", "faceset_002")]
)
def test_a_person_that_is_almost_right_is_answered_with_the_nearest(home: FakeHome, text: str, near: str) -> None:
    with pytest.raises(LibraryError) as told:
        person_called(home.library, text)
    assert f"Did you mean {near}" in str(told.value)


def test_a_name_that_two_people_have_is_not_guessed(home: FakeHome) -> None:
    give_label(home.library.registry, "faceset_002", "ANNA")
    with pytest.raises(LibraryError, match="2 people are called 'Anna': faceset_001, faceset_002"):
        person_called(home.library, "Anna")


def test_a_person_at_a_terminal_is_asked_until_the_answer_is_one_of_them(
    home: FakeHome, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    give_label(home.library.registry, "faceset_002", "Anna")
    monkeypatch.setattr(asking, "at_a_terminal", lambda: True)
    monkeypatch.setattr("sys.stdin", io.StringIO("3\nfaceset_002\n2\n"))
    assert person_called(home.library, "Anna").name == "faceset_002"
    asked = capsys.readouterr().err
    assert "  1  faceset_001, 6 faces, first seen in a" in asked
    assert "  2  faceset_002, 8 faces, first seen in b [2019]" in asked
    assert asked.count("A number from 1 to 2 is expected.") == 2


def test_show_takes_a_persons_name(home: FakeHome, capsys: pytest.CaptureFixture) -> None:
    show(home.settings, "anna", as_json=False)
    said = capsys.readouterr().out
    assert said.startswith("faceset_001: Anna")
    assert "a/p01_+0.000.png" in said


def test_find_lists_every_photo_covered_and_not_exported_ones_included(
    home: FakeHome, capsys: pytest.CaptureFixture
) -> None:
    lines = printed(home, capsys, "Anna")
    assert lines[1] == "Anna (faceset_001): 9 photos"
    rows = [line for line in lines if ".png" in line]
    assert sum(row.startswith("exported") for row in rows) == 5
    assert sum(row.startswith("near_duplicate") for row in rows) == 1
    assert sum(row.startswith("covered") for row in rows) == 3
    assert [row for row in rows if row.startswith("covered") and row.endswith("  b [2019]/p01_-0.300.png")]
    assert not any("%5B" in line for line in lines)


def test_find_of_a_photo_lists_those_who_are_in_it_and_composed_letters_find_it(
    home: FakeHome, capsys: pytest.CaptureFixture
) -> None:
    composed = unicodedata.normalize("NFC", DECOMPOSED)
    lines = printed(home, capsys, f"b [2019]/{composed}/both.png")
    assert [line for line in lines if line.endswith("photos")] == [
        "Anna (faceset_001): 9 photos",
        "faceset_002: 8 photos",
    ]
    explain(home.settings, f"b [2019]/{composed}/both.png", as_json=False)
    assert "2. " in capsys.readouterr().out
    with pytest.raises(BucketError, match=r"Nobody in b \[2019\]/nobody.png has a faceset"):
        printed(home, capsys, "b [2019]/nobody.png")


def test_find_follows_a_merge(fake_home: FakeHome, capsys: pytest.CaptureFixture) -> None:
    one, two = meet(fake_home, LEFT, RIGHT)
    before = len([*printed(fake_home, capsys, one), *printed(fake_home, capsys, two)])
    apply(fake_home, [one, two])
    after = printed(fake_home, capsys, two)
    assert after[1].startswith(f"{one}: ")
    assert len(after) == before - 4, "one heading of four lines instead of two"


def test_find_copies_each_photo_once_and_replaces_nothing(
    home: FakeHome, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    target = tmp_path / "out"
    shutil.copy(home.buckets / "a" / "p01_+0.000.png", home.buckets / "a" / "again.png")
    home.run("a")
    (target / "b [2019]").mkdir(parents=True)
    (target / "b [2019]" / "p01_-0.300.png").write_text("mine")
    print_photos(home.settings, "Anna", copy_to=target, link=False, as_json=True)
    assert "8 photos copied" in capsys.readouterr().err
    assert (target / "b [2019]" / "p01_-0.300.png").read_text() == "mine"
    assert len([path for path in target.rglob("*.png") if path.is_file()]) == 9
    print_photos(home.settings, "Anna", copy_to=target / "links", link=True, as_json=True)
    assert all(path.is_symlink() for path in (target / "links").rglob("*.png"))
    with pytest.raises(SettingsError, match="Name a folder outside of it"):
        print_photos(home.settings, "Anna", copy_to=home.buckets / "c", link=False, as_json=True)
