"""A bucket's coverage is the same whether its embeddings are in memory or read from disk a stretch at a time."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa

from facesets_dagster.assets._versions import frame_version, text_version
from facesets_dagster.errors import ModelMismatch
from facesets_dagster.faces import embedding_files
from facesets_dagster.faces.embedding_files import EmbeddingFiles
from facesets_dagster.faces.schema import CONTENT_SCHEMA, FILE_SCHEMA, face_schema
from facesets_dagster.faces.store import CacheTables, FaceStore
from facesets_dagster.files.writing import write_parquet
from facesets_dagster.identities.coverage import cover
from facesets_dagster.identities.geometry import normalised
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.coverage import cover_bucket
from facesets_dagster.library.library import Library
from facesets_dagster.library.membership import bucket_faces, judged_faces
from facesets_dagster.registry import tables as t
from facesets_dagster.registry.registry import Registry

DIM = 16


def faces(numbers: list[int], seed: int, missing: bool = False, model_id: str = "m") -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    schema = face_schema(DIM)
    frame = pl.DataFrame(
        {
            "face_id": [f"{number:016x}-00000000" for number in numbers],
            "bucket": "here",
            "source_missing": missing,
            "model_id": model_id,
            "embedding": pl.Series(rng.standard_normal((len(numbers), DIM), np.float32)),
        }
    )
    return frame.with_columns(pl.lit(None, schema[name]).alias(name) for name in schema if name not in frame.columns)\
        .select(schema.names()).cast(dict(schema))  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> FaceStore:
    """Compacted rows, some of them out of sight, and two parts of which the later replaces rows of both."""
    store = FaceStore(tmp_path / "cache", "here", "m", DIM)
    empty = (pl.DataFrame(schema=CONTENT_SCHEMA), pl.DataFrame(schema=FILE_SCHEMA))
    compacted = pl.concat([faces(list(range(0, 80, 2)), 0), faces(list(range(1, 80, 2)), 1, missing=True)])
    store.compact(CacheTables(compacted.sort("face_id"), *empty))
    store.append(CacheTables(faces([95, 90, 91, 99], 2), *empty))
    store.append(CacheTables(faces([91, 30, 7], 3), *empty))
    return store


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """Members here, a copy through another bucket, and a member whose row is only in its faceset's table."""
    library = Library(tmp_path / "library", Registry(f"sqlite:///{tmp_path / 'registry.sqlite'}"), ())
    library.registry.create()
    people = [{"name": f"faceset_{number:03d}", "number": number, "kind": "discovered", "live": True, "run_id": "r",
               "bucket": "here" if number % 3 else "there", "founded": number} for number in range(1, 8)]  # fmt: skip
    members = {0: 1, 8: 2, 9: 2, 90: 3, 200: 2}
    rows = [{"name": f"faceset_{who:03d}", "bucket": "here", "face_id": f"{face:016x}-00000000"}
            for face, who in members.items()]  # fmt: skip
    rows.append({"name": "faceset_003", "bucket": "there", "face_id": f"{10:016x}-00000000"})
    with library.registry.engine.begin() as connection:
        connection.execute(sa.insert(t.identities), people)
        connection.execute(sa.insert(t.members), [{**row, "joined_by": "founding", "run_id": "r"} for row in rows])
    (library.folder / "faceset_002").mkdir(parents=True)
    write_parquet(library.folder / "faceset_002" / "members.parquet", faces([8, 9, 200], 4), {})
    return library


def identities() -> list[Identity]:
    rng = np.random.default_rng(5)
    return [
        Identity(number, f"faceset_{number:03d}", number, "discovered", None, "here" if number % 3 else "there", None,
                 True, number, "m", normalised(rng.standard_normal((1, DIM)))[0])
        for number in range(1, 8)
    ]  # fmt: skip


def same(found: Mapping[str, object], expected: Mapping[str, object]) -> bool:
    return all(
        np.array_equal(found[name], value, equal_nan=True) if isinstance(value, np.ndarray) else found[name] == value
        for name, value in expected.items()
    )


@pytest.mark.parametrize("stretch", [1, 3, 16, 32_768])
def test_a_bucket_read_in_stretches_is_covered_as_in_memory(
    monkeypatch: pytest.MonkeyPatch, store: FaceStore, library: Library, stretch: int
) -> None:
    members = library.snapshot().members_of("here")
    table = judged_faces(bucket_faces(store, library, "here"), members)
    ids = table["face_id"].to_list()
    assert len(ids) == 40 + 4 + 1 + 2  # in sight, of the parts, replaced by one in sight, members out of sight or lost
    copies = library.snapshot().copies("here", ids)
    expected = cover(normalised(table["embedding"].to_numpy()), ids, "here", identities(), members, copies)
    monkeypatch.setattr(embedding_files, "_STRETCH", stretch)
    found_ids, found = cover_bucket(library, store, "here", identities(), model_id="m", dim=DIM)
    assert found_ids == ids
    assert same(asdict(found), asdict(expected))
    assert any(found.copy_of)


def test_rows_are_the_same_though_the_cache_is_compacted_meanwhile(store: FaceStore) -> None:
    expected = store.columns("faces")["embedding"].to_numpy()
    with store.open_faces() as (table, files):
        rows = EmbeddingFiles(table, files, np.empty((0, DIM), np.float32))
        store.compact(store.read())
        assert not list((store.folder / "parts").glob("*"))
        assert rows.shape == expected.shape
        assert np.array_equal(np.concatenate([rows[top : top + 5] for top in range(0, len(rows), 5)]), expected)
        assert np.array_equal(rows[3:4], expected[3:4])


def test_a_bucket_without_a_cache_has_no_faces(tmp_path: Path, library: Library) -> None:
    nothing = FaceStore(tmp_path / "cache", "elsewhere", "m", DIM)
    ids, coverage = cover_bucket(library, nothing, "elsewhere", identities(), model_id="m", dim=DIM)
    assert ids == []
    assert coverage.foreign == ()


def test_faces_of_another_model_are_refused(store: FaceStore, library: Library) -> None:
    with pytest.raises(ModelMismatch, match="the face cache of here"):
        cover_bucket(library, store, "here", identities(), model_id="another", dim=DIM)


def test_the_version_of_a_table_of_words_is_that_of_its_json(monkeypatch: pytest.MonkeyPatch, store: FaceStore) -> None:
    monkeypatch.setattr("facesets_dagster.assets._versions._ROWS_IN_WORDS", 7)
    faces = store.columns("faces")
    words = faces.drop(name for name, dtype in faces.schema.items() if isinstance(dtype, pl.Array))
    for rows in (0, 1, 7, 8, 30):
        table = words.head(rows)
        assert frame_version(table) == text_version(table.write_json())
