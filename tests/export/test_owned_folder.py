"""A folder of exports: only what was written here is replaced or removed, and a run that dies does no harm."""

import json
from pathlib import Path

import pytest

from facesets_dagster.errors import LibraryCorrupt
from facesets_dagster.export.consumers import owned_folder
from facesets_dagster.export.consumers.consumer import ExportFile
from facesets_dagster.export.consumers.owned_folder import INDEX, FolderOutcome, update_folder


def file(path: str, text: str, faceset: str = "faceset_001") -> ExportFile:
    made = ExportFile.of(path, text.encode(), [])
    return ExportFile(made.path, made.sha256, made.read, (faceset,))


def bring(folder: Path, *files: ExportFile, unnamed: tuple[str, ...] = ()) -> FolderOutcome:
    provenance = {name: {"model_id": "m", "manifest_sha256": "d"} for made in files for name in made.facesets}
    return update_folder(folder, files, provenance, unnamed=unnamed)


def state(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        str(path.relative_to(folder)): (path.read_text(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_what_is_there_already_is_not_written_again(tmp_path: Path) -> None:
    files = (file("a.txt", "one"), file("sub/b.txt", "two"))
    assert bring(tmp_path, *files).written == ["a.txt", "sub/b.txt"]
    before = state(tmp_path)
    again = bring(tmp_path, *files)
    assert (again.written, again.removed, again.kept) == ([], [], ["a.txt", "sub/b.txt"])
    assert state(tmp_path) == before
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_changed_face_set_is_written_anew_and_a_gone_one_is_removed_with_its_folder(tmp_path: Path) -> None:
    bring(tmp_path, file("a.txt", "one"), file("sub/deep/b.txt", "two"))
    outcome = bring(tmp_path, file("a.txt", "new"))
    assert (outcome.written, outcome.removed) == (["a.txt"], ["sub/deep/b.txt"])
    assert (tmp_path / "a.txt").read_text() == "new"
    assert not (tmp_path / "sub").exists()
    assert bring(tmp_path).removed == ["a.txt"]
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_somebody_changed_is_neither_replaced_nor_removed(tmp_path: Path) -> None:
    bring(tmp_path, file("a.txt", "one"), file("b.txt", "two"))
    (tmp_path / "a.txt").write_text("mine")
    (tmp_path / "b.txt").write_text("mine too")
    outcome = bring(tmp_path, file("a.txt", "newer"))
    assert outcome.foreign == ["a.txt", "b.txt"]
    assert (tmp_path / "a.txt").read_text() == "mine"
    assert (tmp_path / "b.txt").read_text() == "mine too"
    (tmp_path / "a.txt").rename(tmp_path / "a of mine.txt")
    assert bring(tmp_path, file("a.txt", "newer")).written == ["a.txt"]


def test_a_file_that_was_there_before_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("not ours")
    (tmp_path / "sub").write_text("a file where a folder should be")
    (tmp_path / "c.txt").mkdir()
    outcome = bring(tmp_path, file("a.txt", "one"), file("sub/b.txt", "two"), file("c.txt", "three"))
    assert outcome.foreign == ["a.txt", "c.txt", "sub/b.txt"]
    assert outcome.written == []
    assert not (tmp_path / INDEX).exists()


def test_files_beside_ours_stay(tmp_path: Path) -> None:
    bring(tmp_path, file("sub/b.txt", "two"))
    (tmp_path / "sub" / "notes.txt").write_text("mine")
    assert bring(tmp_path).removed == ["sub/b.txt"]
    assert (tmp_path / "sub" / "notes.txt").read_text() == "mine"


def test_what_cannot_be_exported_now_stays_and_is_still_ours(tmp_path: Path) -> None:
    bring(tmp_path, file("a.txt", "one", "faceset_001"), file("b.txt", "two", "faceset_002"))
    outcome = bring(tmp_path, file("b.txt", "two", "faceset_002"), unnamed=("faceset_001",))
    assert outcome.kept == ["a.txt", "b.txt"]
    assert bring(tmp_path, file("b.txt", "two", "faceset_002")).removed == ["a.txt"]


def test_a_run_that_dies_between_two_files_leaves_nothing_foreign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(tmp_path, file("a.txt", "one"), file("b.txt", "two"), file("c.txt", "three"))
    real = owned_folder.write_bytes

    def dies(path: Path, data: bytes) -> None:
        if path.name == "b.txt":
            raise KeyboardInterrupt
        real(path, data)

    monkeypatch.setattr(owned_folder, "write_bytes", dies)
    with pytest.raises(KeyboardInterrupt):
        bring(tmp_path, file("a.txt", "1"), file("b.txt", "2"))
    monkeypatch.undo()
    # The library moved on meanwhile: neither the old nor the half-written state is what is wanted now.
    outcome = bring(tmp_path, file("a.txt", "i"), file("b.txt", "ii"))
    assert outcome.foreign == []
    assert (outcome.written, outcome.removed) == (["a.txt", "b.txt"], ["c.txt"])
    index = json.loads((tmp_path / INDEX).read_text())
    assert all(len(entry["sha256"]) == 1 for entry in index["files"].values())


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"schema_version": 2, "files": {}}',
        '{"schema_version": 1, "files": {"../a": {"sha256": [], "facesets": {}}}}',
    ],
)
def test_an_index_that_cannot_be_used_stops_the_run_with_advice(tmp_path: Path, text: str) -> None:
    (tmp_path / INDEX).write_text(text)
    with pytest.raises(LibraryCorrupt, match=r"Move the folder .* away"):
        bring(tmp_path, file("a.txt", "one"))
