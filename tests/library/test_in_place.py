"""A faceset that a publication replaced without naming it is noticed."""

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from facesets_dagster.library.in_place import in_place, touched_since
from facesets_dagster.library.library import Library
from facesets_dagster.registry import tables as t
from facesets_dagster.registry.registry import open_registry
from facesets_dagster.registry.schema import next_generation
from testing.labels import give_label


@pytest.fixture
def library(tmp_path: Path) -> Library:
    for name in ("faceset_001", "faceset_002", "_thin/faceset_001_era_2010-2010", "_retired/faceset_003", ".staging/x"):
        (tmp_path / "library" / name).mkdir(parents=True)
    return Library(tmp_path / "library", open_registry(f"sqlite:///{tmp_path / 'registry.db'}"), ())


def test_nothing_is_touched_where_nothing_moved(library: Library) -> None:
    before = in_place(library)
    assert set(before.folders) == {"faceset_001", "faceset_002", "faceset_001_era_2010-2010"}
    (library.folder / "_retired" / "faceset_004").mkdir()
    assert touched_since(library, before, "run") == set()


def test_a_folder_that_was_replaced_taken_away_or_added_is_touched(library: Library) -> None:
    before = in_place(library)
    (library.folder / "other").mkdir()
    (library.folder / "other").replace(library.folder / "faceset_002")
    shutil.rmtree(library.folder / "_thin" / "faceset_001_era_2010-2010")
    (library.folder / "faceset_009").mkdir()
    touched = touched_since(library, before, "run")
    assert touched == {"faceset_002", "faceset_001_era_2010-2010", "faceset_009"}


def test_a_row_that_the_run_published_is_touched_and_a_label_of_somebody_else_is_not(library: Library) -> None:
    with library.registry.engine.begin() as connection:
        generation = next_generation(connection)
        for number in (1, 2):
            row = {"number": number, "kind": "discovered", "live": True, "founded": generation, "run_id": "before"}
            connection.execute(sa.insert(t.identities).values(name=f"faceset_00{number}", **row))
    before = in_place(library)
    give_label(library.registry, "faceset_001", "Anna")
    with library.registry.engine.begin() as connection:
        next_generation(connection)
        this = sa.update(t.identities).where(t.identities.c.name == "faceset_002")
        connection.execute(this.values(manifest_sha256="x", run_id="run"))
    assert touched_since(library, before, "run") == {"faceset_002"}
