"""The first look: groups by size with the nearest faces first, singletons, files without a face."""

import numpy as np
import polars as pl

from facesets_dagster.faces.schema import FILE_SCHEMA, face_schema
from facesets_dagster.identities.first_look import FIRST_LOOK_SCHEMA, first_look_at, groups_of

DIM = 8


def faces(*people: int) -> pl.DataFrame:
    """A face for each number: same number, same direction, slightly apart."""
    rng = np.random.default_rng(0)
    vectors = np.eye(DIM)[list(people)] * 5 + 0.2 * rng.normal(size=(len(people), DIM))
    rows = [
        {"face_id": f"{index:04d}", "path": f"{index}.jpg", "face_short": 100.0, "source_missing": False,
         "embedding": vector.astype(np.float32)}
        for index, vector in enumerate(vectors)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema={name: face_schema(DIM)[name] for name in rows[0]} if rows else face_schema(DIM))


def look(found: pl.DataFrame, *statuses: str) -> pl.DataFrame:
    files = pl.DataFrame(
        [{"path": f"{index}.png", "status": status} for index, status in enumerate(statuses)],
        schema={name: FILE_SCHEMA[name] for name in ("path", "status")},
    )
    return first_look_at(found, files, cluster_distance=0.55, max_faces=100, bucket="b", model_id="m")


def test_groups_come_by_size_then_singletons_then_files_without_a_face() -> None:
    table = look(faces(2, 0, 0, 0, 1, 1, 3), "faces", "noface", "unreadable", "noface", "foreign")
    assert table.schema == FIRST_LOOK_SCHEMA
    assert table["folder"].to_list() == [
        *["person_000"] * 3, *["person_001"] * 2, "_singletons", "_singletons", "_noface", "_noface",
    ]  # fmt: skip
    assert table["group"].to_list() == [0, 0, 0, 1, 1, -1, -1, None, None]
    assert set(table.filter(pl.col("group") == -1)["face_id"]) == {"0000", "0006"}
    assert table.filter(pl.col("folder") == "_noface")["path"].to_list() == ["1.png", "3.png"]


def test_the_faces_nearest_to_the_centroid_come_first() -> None:
    table = look(faces(0, 0, 0, 0, 0))
    assert table["distance"].is_sorted()
    assert 0 < table["distance"][0] < table["distance"][-1] < 0.1
    (group,) = groups_of(table).rows(named=True)
    assert (group["faces"], group["photos"], group["farthest"]) == (5, 5, table["distance"][-1])


def test_a_bucket_without_faces_has_a_table() -> None:
    assert look(faces()).is_empty()
    assert look(faces(), "noface")["folder"].to_list() == ["_noface"]
