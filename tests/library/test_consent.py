"""`consent.yaml`: what is understood, and what the sentence says where it is not."""

from pathlib import Path

import pytest

from facesets_dagster.errors import SettingsError
from facesets_dagster.identities.consent import Policy, Rule
from facesets_dagster.library.consent import read_policy


def read(folder: Path, text: str | bytes) -> Policy | None:
    path = folder / "consent.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_policy(path)


def test_a_policy_is_read_with_lines_and_reasons(tmp_path: Path) -> None:
    found = read(tmp_path, "# ours\nexport: approved\nnever:\n- person: Anna\n  reason: asked\n- faceset: 4\n")
    assert found == Policy("approved", (Rule("person", "Anna", "asked", 4), Rule("faceset", "4", None, 6)))


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "never:\n", "export: all\n"])
def test_a_policy_may_say_nothing(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == Policy()


def test_there_may_be_none(tmp_path: Path) -> None:
    assert read_policy(tmp_path / "consent.yaml") is None


def test_the_digest_is_of_what_it_says_alone(tmp_path: Path) -> None:
    first = read(tmp_path, "never: [{person: Anna}, {folder: a/b}]")
    same = read(tmp_path, "# another order\nnever:\n- folder: a/b\n- person: Anna\n  reason: why\n- person: Anna\n")
    other = read(tmp_path, "never: [{person: Berta}, {folder: a/b}]")
    assert first is not None
    assert same is not None
    assert other is not None
    assert first.digest == same.digest != other.digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- person: Anna\n", "line 1: the file holds a list, expected keys: export, never, minimum_age"),
        ("minimum_age: young\n", "line 1: `minimum_age` is 'young', expected years between 0 and 120"),
        ("minimum_age: .nan\n", "line 1: `minimum_age` is '.nan', expected years"),
        ("minimum_age: 0\n", "line 1: `minimum_age` is '0', expected years"),
        ("export: all\nnevr: []\n", "line 2: `nevr` is no key of the file; expected export, never, minimum_age"),
        ("export: All\n", "line 1: `export` is 'All', expected all or approved"),
        ("export: [all]\n", "line 1: `export` is a list, expected a text"),
        ("export: all\nexport: approved\n", "line 2: `export` is given twice in the file"),
        ("never: Anna\n", "line 1: `never` is no list"),
        ("never:\n- Anna\n", "line 2: an entry of `never` holds 'Anna', expected keys: person, faceset, "),
        ("never:\n- person: Anna\n- persn: B\n", "line 3: `persn` is no key of an entry of `never`"),
        ("never:\n- person: Anna\n  folder: a\n", "names one of person, faceset, folder, photo, found `person` and"),
        (
            "never:\n- reason: no\n",
            "line 2: an entry of `never` names one of person, faceset, folder, photo, ",
        ),
        ("never:\n- person:\n", "line 2: `person` is nothing, expected a text"),
        ("never:\n- person: ''\n", "line 2: `person` is nothing, expected a text"),
        ("never:\n- {person: {a: 1}}\n", "line 2: `person` is a mapping, expected a text"),
        ("never: [\n", "cannot be read"),
        (b"never: \xff\xfe", "cannot be read"),
        (b"export: a\x00ll", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ("never: !!python/object:os.system [a]\n", "line 1: an entry of `never` holds 'a'"),
        ("x" * 1_100_000, "is larger than 1,000,000 bytes"),
    ],
)
def test_what_is_not_understood_names_line_and_key(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        read(tmp_path, text)
    assert said in str(error.value)
    assert "nothing is published or exported" in str(error.value)


def test_what_is_no_file_is_no_policy_that_allows_everything(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    for name in ("folder", "link"):
        with pytest.raises(SettingsError):
            read_policy(tmp_path / name)
