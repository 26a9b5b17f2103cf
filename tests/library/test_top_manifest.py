"""The top-level manifest is merged: what a run did not touch keeps its bytes."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesets_dagster.errors import LibraryCorrupt
from facesets_dagster.library.top_manifest import merge_manifest


def entry(name: str, **more: object) -> dict[str, object]:
    return {"name": name, "number": int(name[8:11]), "sha256": "s" + name, **more}


def grave(name: str) -> dict[str, object]:
    return {"name": name, "number": int(name[8:11]), "reason": "vanished", "merged_into": None, "run_id": "r"}


def read(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text())


def test_the_first_merge_makes_the_contract_shape(tmp_path: Path) -> None:
    assert merge_manifest(tmp_path, [entry("faceset_001")], [], [])
    assert read(tmp_path) == {
        "schema_version": 1,
        "facesets": [entry("faceset_001")],
        "thin_eras": [],
        "tombstones": [],
    }


def test_merging_the_same_again_changes_nothing(tmp_path: Path) -> None:
    merge_manifest(tmp_path, [entry("faceset_001")], [], [grave("faceset_002")])
    before = (tmp_path / "manifest.json").read_bytes()
    assert not merge_manifest(tmp_path, [entry("faceset_001")], [], [grave("faceset_002")])
    assert (tmp_path / "manifest.json").read_bytes() == before


def test_untouched_entries_keep_their_bytes_however_they_are_written(tmp_path: Path) -> None:
    odd = '{"name":"faceset_001",   "number": 1, "sha256": "sfaceset_001",\n "my note": [1,  2]}'
    (tmp_path / "manifest.json").write_text(f'{{"owner": "me", "facesets": [{odd}], "thin_eras": []}}')
    merge_manifest(tmp_path, [entry("faceset_001"), entry("faceset_002")], [], [])
    text = (tmp_path / "manifest.json").read_text()
    assert odd in text
    assert read(tmp_path)["owner"] == "me"
    assert [row["name"] for row in read(tmp_path)["facesets"]] == ["faceset_001", "faceset_002"]


def test_a_changed_entry_keeps_the_keys_that_someone_added(tmp_path: Path) -> None:
    merge_manifest(tmp_path, [entry("faceset_001", note="mine")], [], [])
    merge_manifest(tmp_path, [entry("faceset_001") | {"sha256": "new"}], [], [])
    assert read(tmp_path)["facesets"] == [entry("faceset_001", note="mine") | {"sha256": "new"}]


def test_facesets_of_a_legacy_library_stay(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"facesets": [{"name": "faceset_009"}], "thin_eras": [{"name": "t"}]}')
    merge_manifest(tmp_path, [entry("faceset_010")], [], [])
    assert [row["name"] for row in read(tmp_path)["facesets"]] == ["faceset_009", "faceset_010"]
    assert read(tmp_path)["thin_eras"] == [{"name": "t"}]


def test_a_retired_faceset_becomes_a_tombstone_and_back(tmp_path: Path) -> None:
    merge_manifest(tmp_path, [entry("faceset_001")], [], [])
    merge_manifest(tmp_path, [], [], [grave("faceset_001")])
    assert (read(tmp_path)["facesets"], read(tmp_path)["tombstones"]) == ([], [grave("faceset_001")])
    merge_manifest(tmp_path, [entry("faceset_001")], [], [])
    assert (read(tmp_path)["facesets"], read(tmp_path)["tombstones"]) == ([entry("faceset_001")], [])


@pytest.mark.parametrize("text", ["{", "[]", '{"facesets": 3}', '{"facesets": [3]}'])
def test_a_manifest_that_cannot_be_merged_is_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(LibraryCorrupt, match=r"manifest\.json"):
        merge_manifest(tmp_path, [entry("faceset_001")], [], [])
    assert (tmp_path / "manifest.json").read_text() == text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
)


@given(extra=st.dictionaries(st.text(), json_values, max_size=3), indent=st.none() | st.integers(0, 4))
def test_any_keys_that_someone_added_survive(
    tmp_path_factory: pytest.TempPathFactory, extra: dict, indent: int | None
) -> None:
    folder = tmp_path_factory.mktemp("library")
    old = {**extra, **entry("faceset_001")}
    text = json.dumps(old, indent=indent, ensure_ascii=False)
    whole = {
        key: value
        for key, value in extra.items()
        if key not in ("facesets", "thin_eras", "tombstones", "schema_version")
    }
    head = json.dumps(whole, ensure_ascii=False)[1:-1]
    (folder / "manifest.json").write_text(
        "{" + head + (", " if head else "") + f'"facesets": [ {text} ]}}', encoding="utf-8"
    )
    merge_manifest(folder, [entry("faceset_001"), entry("faceset_002")], [], [])
    assert text in (folder / "manifest.json").read_text(encoding="utf-8")
    merged = read(folder)
    assert {key: merged[key] for key in whole} == whole
