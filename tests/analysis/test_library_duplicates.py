"""Duplicates as a function of tables: bytes, photos, who has them, and which copies are meant to be."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from facesets_dagster.analysis.inventory import Inventory
from facesets_dagster.analysis.library_duplicates import DUPLICATE_SCHEMA, Duplicates, find_duplicates
from facesets_dagster.errors import PhotoError
from facesets_dagster.faces.schema import FILE_SCHEMA, face_schema
from facesets_dagster.identities.identity import Identity
from facesets_dagster.registry.registry import MEMBERSHIP_SCHEMA
from testing.fakes import PACK, FakeFace, draw_photo, person_vector

FACE = FakeFace(1, 0.0)


def face(photo: str, variant: float = 0.0, *, short: float = 160.0, person: int = 1) -> dict[str, object]:
    """The face of a drawn photo; `photo` is its digest, and its first letter what it shows."""
    return {
        "face_id": f"{photo}-0500-0500", "bucket": "b", "sha256": photo, "path": f"{photo}.png", "aliases": [],
        "bbox": [60.0, 60.0, 220.0, 220.0], "face_short": short, "det_score": 0.9, "blur": 100.0,
        "source_missing": False, "model_id": PACK.model_id,
        "embedding": (20 * person_vector(person, variant)).astype(np.float32),
    }  # fmt: skip


class Photos:
    """Photos by digest; those of one first letter are copies of each other. Counts how often it is asked."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.gone: set[str] = set()

    def __call__(self, sha256: str) -> NDArray[np.uint8]:
        if sha256 in self.gone:
            raise PhotoError("source_missing", sha256)
        self.opened.append(sha256)
        return draw_photo([FACE], seed=ord(sha256[0]))


def person(name: str, kind: str = "discovered", parent: str | None = None) -> Identity:
    return Identity(0, name, 1, kind, parent, "b", None, True, 1, PACK.model_id, None)


def inventory(
    faces: list[dict[str, object]],
    members: dict[str, list[str]] | None = None,
    files: list[tuple[str, str, str, int]] | None = None,
    identities: list[Identity] | None = None,
) -> Inventory:
    """`members`: identity -> digests of photos; `files`: bucket, path, digest, size."""
    members = members or {}
    columns = {name: face_schema(PACK.dim)[name] for name in face("x")}
    rows = [(name, "b", f"{photo}-0500-0500", "founded") for name, photos in members.items() for photo in photos]
    schema = {"bucket": pl.String, **{name: FILE_SCHEMA[name] for name in ("path", "sha256", "size")}}
    known = identities or [person(name) for name in members]
    return Inventory(
        pl.DataFrame(faces, schema=columns),
        pl.DataFrame(files or [], schema=schema, orient="row"),
        pl.DataFrame(rows, schema=MEMBERSHIP_SCHEMA, orient="row"),
        {identity.name: identity for identity in known},
    )


@pytest.fixture
def photos() -> Photos:
    return Photos()


def find(held: Inventory, photos: Photos, cache: Path) -> Duplicates:
    return find_duplicates(held, PACK, photos, cache, min_similarity=0.95, max_hash_bits=8)


def sets(found: Duplicates) -> list[list[str]]:
    table = found.table.filter(pl.col("kind") == "visual")
    return [group["sha256"].to_list() for _, group in table.group_by("set", maintain_order=True)]


def test_copies_are_found_and_other_photos_of_the_pose_are_not(photos: Photos, tmp_path: Path) -> None:
    found = find(inventory([face("a1"), face("a2", short=300), face("b1"), face("a3")]), photos, tmp_path)
    assert sets(found) == [["a2", "a1", "a3"]], "the largest face is the best copy"
    assert found.table.schema == DUPLICATE_SCHEMA
    assert found.table["best"].to_list() == [True, False, False]
    assert found.table["bits"].to_list() == [None, 0, 0]
    assert (found.copies("visual"), found.sets("visual"), found.copies("bytes")) == (2, 1, 0)


def test_a_hash_alone_makes_no_duplicate(photos: Photos, tmp_path: Path) -> None:
    found = find(inventory([face("a1", person=1), face("a2", person=2)]), photos, tmp_path)
    assert sets(found) == []
    assert photos.opened == [], "faces without a partner by their embedding are never decoded"


def test_two_faces_of_one_photo_are_no_copies_of_each_other(photos: Photos, tmp_path: Path) -> None:
    second = {**face("a1"), "face_id": "a1-0900-0900"}
    assert sets(find(inventory([face("a1"), second]), photos, tmp_path)) == []


def test_a_second_run_decodes_nothing(photos: Photos, tmp_path: Path) -> None:
    held = inventory([face("a1"), face("a2"), face("b1")])
    once = find(held, photos, tmp_path)
    assert sorted(photos.opened) == ["a1", "a2", "b1"]
    photos.opened.clear()
    assert find(held, photos, tmp_path).table.equals(once.table)
    assert photos.opened == []
    find(inventory([face("a1"), face("a2"), face("c1")]), photos, tmp_path)
    assert photos.opened == ["c1"]


def test_a_damaged_hash_cache_is_made_again(photos: Photos, tmp_path: Path) -> None:
    held = inventory([face("a1"), face("a2")])
    once = find(held, photos, tmp_path)
    (path,) = (tmp_path / "perceptual_hashes").iterdir()
    path.write_bytes(b"damaged")
    assert find(held, photos, tmp_path).table.equals(once.table)
    assert len(photos.opened) == 4


def test_a_photo_that_cannot_be_read_now_is_counted_and_tried_again(photos: Photos, tmp_path: Path) -> None:
    held = inventory([face("a1"), face("a2")])
    photos.gone = {"a2"}
    found = find(held, photos, tmp_path)
    assert (sets(found), found.not_compared) == ([], 1)
    photos.gone = set()
    assert sets(find(held, photos, tmp_path)) == [["a1", "a2"]]


def test_bytes_in_one_bucket_and_across_buckets(photos: Photos, tmp_path: Path) -> None:
    files = [("b", "1.jpg", "a1", 10), ("b", "copy/1.jpg", "a1", 10), ("c", "x.jpg", "a1", 10),
             ("b", "2.jpg", "b1", 900), ("c", "2.jpg", "b1", 900), ("c", "3.jpg", "c1", 5)]  # fmt: skip
    found = find(inventory([face("a1")], {"faceset_001": ["a1"]}, files), photos, tmp_path)
    rows = found.table.select("set", "best", "bucket", "path").rows()
    assert rows == [
        (0, True, "b", "2.jpg"), (0, False, "c", "2.jpg"),
        (1, True, "b", "1.jpg"), (1, False, "b", "copy/1.jpg"), (1, False, "c", "x.jpg"),
    ]  # fmt: skip
    assert found.table["facesets"].to_list() == [[], [], *[["faceset_001"]] * 3]
    assert (found.sets("bytes"), found.copies("bytes")) == (2, 3)


def test_copies_in_eras_are_intended(photos: Photos, tmp_path: Path) -> None:
    era = "faceset_001_era_2010-2013"
    thin = "faceset_001_era_1990-1990"
    members = {"faceset_001": ["a1", "b1", "c1"], era: ["a1", "b1"], thin: ["c1"]}
    identities = [person("faceset_001"), person(era, "era", "faceset_001"), person(thin, "thin_era", "faceset_001")]
    held = inventory([face("a1"), face("a2"), face("b1"), face("c1")], members, identities=identities)
    found = find(held, photos, tmp_path)
    assert found.era_copies == 3
    assert found.twice == []
    assert found.split_sets().is_empty()
    assert found.table["facesets"].to_list() == [["faceset_001"], []]


def test_a_face_in_two_identities_and_copies_in_two_are_pointed_out(photos: Photos, tmp_path: Path) -> None:
    era = "faceset_001_era_2010-2013"
    members = {"faceset_001": ["a1"], era: ["a1"], "faceset_002": ["a1", "b1"], "faceset_003": ["b2"]}
    identities = [person(name) for name in members if name != era] + [person(era, "era", "faceset_001")]
    found = find(inventory([face("a1"), face("b1"), face("b2")], members, identities=identities), photos, tmp_path)
    assert found.twice == [("a1-0500-0500", ["faceset_001", "faceset_002"])]
    assert found.split_sets()["sha256"].to_list() == ["b1", "b2"]
