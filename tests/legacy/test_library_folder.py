"""A legacy library as it lies on disk: names, kinds, parents, labels, faces, and what is odd about it."""

import json
from pathlib import Path
from typing import Any

import pytest

from facesets_dagster.errors import LibraryError, SettingsError
from facesets_dagster.legacy.column_map import load_map
from facesets_dagster.legacy.library_folder import LegacyLibrary, read_library


def library(root: Path, facesets: list[Any], thin: list[Any] | None = None, **manifests: dict[str, Any]) -> Path:
    root.mkdir(exist_ok=True)
    (root / "manifest.json").write_text(json.dumps({"facesets": facesets, "thin_eras": thin or []}))
    for name, manifest in manifests.items():
        (root / name).mkdir()
        (root / name / "manifest.json").write_text(json.dumps(manifest))
    return root


def read(root: Path, text: str = "{}") -> LegacyLibrary:
    path = root.parent / "map.yaml"
    path.write_text(text)
    return read_library(root, load_map(path))


FACE = {"source": "/a.jpg", "bbox": [1, 2, 3, 4]}


def test_kinds_parents_and_labels_come_from_the_entry_else_from_the_name(tmp_path: Path) -> None:
    root = library(
        tmp_path / "lib",
        [{"name": "faceset_001", "kind": "auto"}, {"name": "faceset_012", "kind": "hand-sorted", "label": "Anna"},
         {"name": "faceset_001_era_2010-2013", "kind": "era_split"}, "faceset_020"],
        [{"name": "faceset_012_era_1999-1999", "parent": "faceset_012"}],
        faceset_001={"faces": [FACE]},
        faceset_020={"faces": []},
    )  # fmt: skip
    (root / "faceset_020" / "NAME.txt").write_text("Bo & Co\nmore\n")
    found = {one.name: one for one in read(root).facesets}
    assert {name: (one.number, one.kind, one.parent, one.label) for name, one in found.items()} == {
        "faceset_001": (1, "auto", None, None),
        "faceset_001_era_2010-2013": (1, "era", "faceset_001", None),
        "faceset_012": (12, "hand_sorted", None, "Anna"),
        "faceset_012_era_1999-1999": (12, "thin_era", "faceset_012", None),
        "faceset_020": (20, "auto", None, "Bo & Co"),
    }
    assert found["faceset_012"].note == "its folder is not there"
    assert [face.source for face in found["faceset_001"].faces] == ["/a.jpg"]


def test_an_era_whose_parent_is_nowhere_stands_for_itself(tmp_path: Path) -> None:
    root = library(tmp_path / "lib", [{"name": "faceset_003_era_2010-2013", "parent": "faceset_003"}])
    assert [one.parent for one in read(root).facesets] == [None]


def test_what_cannot_be_adopted_is_listed_and_not_guessed(tmp_path: Path) -> None:
    root = library(
        tmp_path / "lib", ["faceset_001", "faceset_001", "anna", "faceset_001_/../../x", "faceset_007_era_2001-2002"]
    )
    (root / "faceset_099").mkdir()
    found = read(root)
    assert [one.name for one in found.facesets] == ["faceset_001", "faceset_007_era_2001-2002"]
    assert sorted(name for name, _ in found.left_out) == ["anna", "faceset_001", "faceset_001_/../../x"]
    assert found.unlisted == ["faceset_099"]


def test_dots_lead_into_nested_fields_and_boxes_may_be_left_top_width_height(tmp_path: Path) -> None:
    root = library(
        tmp_path / "lib", ["faceset_001"],
        faceset_001={"members": {"all": [{"photo": {"path": "/a.jpg"}, "rect": [1, 2, 10, 20]}]}},
    )  # fmt: skip
    found = read(root, "faceset: {faces: members.all, source: photo.path, bbox: rect, bbox_format: xywh}")
    (face,) = found.facesets[0].faces
    assert (face.source, face.bbox.tolist(), face.problem) == ("/a.jpg", [1, 2, 11, 22], None)


@pytest.mark.parametrize(
    ("text", "missing", "found"),
    [
        ("faceset: {faces: pictures}", "`faceset.faces: pictures`", "Found: faces, odd."),
        ("library: {name: id}", "`library.name: id`", "Found: name."),
        ("faceset: {source: file}", "`faceset.source: file`", "Found: bbox, source."),
        ("faceset: {bbox: box}", "`faceset.bbox: box`", "Found: bbox, source."),
    ],
)
def test_a_wrong_map_names_the_missing_field_and_the_fields_found(
    tmp_path: Path, text: str, missing: str, found: str
) -> None:
    root = library(tmp_path / "lib", [{"name": "faceset_001"}], faceset_001={"faces": [FACE], "odd": 1})
    with pytest.raises(SettingsError) as error:
        read(root, text)
    assert missing in str(error.value)
    assert found in str(error.value)


def test_a_kind_that_the_map_does_not_explain_teaches(tmp_path: Path) -> None:
    root = library(tmp_path / "lib", [{"name": "faceset_001", "kind": "mystery"}])
    with pytest.raises(SettingsError, match=r"'mystery'.*library\.kinds"):
        read(root)


def test_a_folder_without_manifest_is_no_library(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match=r"no manifest\.json"):
        read(tmp_path)
    with pytest.raises(LibraryError, match="Mount its disk"):
        read(tmp_path / "none")
    library(tmp_path / "lib", [])
    (tmp_path / "lib" / "manifest.json").write_text('{"facesets": {"faceset_001": 1}}')
    with pytest.raises(LibraryError, match="expected a list"):
        read(tmp_path / "lib")
