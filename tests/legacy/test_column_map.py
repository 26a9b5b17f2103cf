"""The column map: the shipped one is whole, a user's overrides it field by field, a wrong one teaches."""

from pathlib import Path

import pytest

from facesets_dagster.errors import SettingsError
from facesets_dagster.legacy.column_map import EXAMPLE, load_map


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "facesets_legacy.yaml"
    path.write_text(text)
    return path


def test_the_shipped_map_is_the_default() -> None:
    columns = load_map(None)
    assert columns == load_map(EXAMPLE)
    assert (columns.faceset.source, columns.faceset.bbox) == ("source", "bbox")
    assert "nl_full.npz" in columns.cache.files


def test_a_map_of_the_user_overrides_only_what_it_names(tmp_path: Path) -> None:
    columns = load_map(written(tmp_path, "faceset: {source: photo.path}\nlibrary: {kinds: {clustered: auto}}\n"))
    assert (columns.faceset.source, columns.faceset.bbox) == ("photo.path", "bbox")
    assert columns.library.kinds == {"clustered": "auto"}
    assert columns.cache == load_map(None).cache
    assert columns.origin == tmp_path / "facesets_legacy.yaml"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("faces: {}", "`faces` means nothing here. Known: schema_version, library"),
        ("origin: x", "`origin` means nothing here"),
        ("faceset: {photo: x}", "`faceset.photo` means nothing here. Known: faces, source, bbox"),
        ("faceset: {source: null}", "`faceset.source` is None. Expected the name of a field"),
        ("faceset: {bbox_format: cxcywh}", "`faceset.bbox_format` is 'cxcywh'. Expected 'xyxy' or 'xywh'"),
        (
            "library: {kinds: {osrc: found}}",
            "`library.kinds.osrc` is 'found'. Expected 'auto', 'hand_sorted', 'discovered' or 'era'",
        ),
        ("cache: {files: nl_full.npz}", "a list of paths"),
        ("schema_version: 2", "`schema_version` is 2. Expected 1"),
        ("library:", "`library` is None. Expected fields"),
        ("path_prefixes: [a]", "`old: new` pairs"),
        ("- a list", "expected sections"),
        ("{", "Expected YAML"),
    ],
)
def test_a_wrong_map_says_what_was_found_and_what_was_expected(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        load_map(written(tmp_path, text))
    assert said in str(error.value)
    assert str(tmp_path / "facesets_legacy.yaml") in str(error.value)


def test_a_map_that_is_not_there_teaches(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="copy that and change it"):
        load_map(tmp_path / "none.yaml")
