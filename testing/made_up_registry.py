"""A made-up library of any size: its registry, and a folder with a manifest for each identity."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.identities.geometry import normalised
from facesets_dagster.library.library import Library
from facesets_dagster.library.notes import bring_up_notes
from facesets_dagster.library.top_manifest import merge_manifest
from facesets_dagster.registry import tables as t
from facesets_dagster.registry.schema import next_generation
from testing.fakes import PACK, FakeEmbedder, FakeEmbedderResource, FakeFace, write_photo

DIM = 512
PACK_512 = replace(PACK, dim=DIM)
_BUCKETS = 2_000
_AT_ONCE = 50_000


class ManyPeople(FakeEmbedder):
    """A fake model of 512 numbers to which every bucket shows another person."""

    pack = PACK_512

    def __init__(self) -> None:
        super().__init__()
        self.bucket = 0

    def recognise(self, faces: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        basis, _ = np.linalg.qr(np.random.default_rng(self.bucket).normal(size=(DIM, 2)))
        looks = [float(np.median(cv2.cvtColor(face, cv2.COLOR_BGR2HSV)[..., 1])) for face in faces]
        angles = (np.array(looks) - 190) / 50 * np.pi / 4
        vectors = np.outer(np.cos(angles), basis[:, 0]) + np.outer(np.sin(angles), basis[:, 1])
        return (20 * vectors).astype(np.float32).reshape(-1, DIM)


MODEL = ManyPeople()


class ManyPeopleResource(FakeEmbedderResource):
    """Gives `MODEL`."""

    def embedder(self) -> Embedder:
        return MODEL


def write_bucket(folder: Path, number: int, photos: int = 10) -> None:
    """Portraits of one person that no other bucket has."""
    for index in range(photos):
        variant = -0.9 + 1.8 * ((index * 7) % 20) / 19
        write_photo(folder / f"{index:02d}.png", [FakeFace(1, variant)], seed=1000 * (number + 1) + index)


def fill(library: Library, identities: int, members: int) -> None:
    """Live identities from other buckets with as many members in all, a faceset folder for each."""
    rng, each = np.random.default_rng(7), members // identities
    vectors = normalised(rng.normal(size=(identities, DIM))).astype(np.float32)
    merge_manifest(library.folder, [_entry(place, each) for place in range(identities)], [], [])
    with library.registry.engine.begin() as connection:
        next_generation(connection)
        connection.execute(sa.insert(t.identities), [_identity(library, n, vectors[n]) for n in range(identities)])
        numbers = [{"number": n + 1, "name": _name(n), "run_id": "made up"} for n in range(identities)]
        connection.execute(sa.insert(t.numbers), numbers)
        rows = [
            {"name": _name(n), "bucket": _bucket(n), "face_id": f"{n * each + face:016x}-00000000",
             "joined_by": "founded", "run_id": "made up"}
            for n in range(identities)
            for face in range(each)
        ]  # fmt: skip
        for start in range(0, len(rows), _AT_ONCE):
            connection.execute(sa.insert(t.members), rows[start : start + _AT_ONCE])
    bring_up_notes(library.folder, library.registry, 0, has_id=False)


def _entry(place: int, members: int) -> dict[str, object]:
    """In the top-level manifest."""
    return {
        "name": _name(place),
        "number": place + 1,
        "kind": "discovered",
        "parent": None,
        "bucket": _bucket(place),
        "label": None,
        "exported": members,
        "input": members,
        "excluded": {},
        "run_id": "made up",
        "model_id": PACK.model_id,
        "sha256": f"{place:064x}",
    }


def _identity(library: Library, place: int, vector: NDArray[np.float32]) -> dict[str, object]:
    folder = library.folder / _name(place)
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    return {
        "name": _name(place), "number": place + 1, "kind": "discovered", "bucket": _bucket(place), "live": True,
        "founded": 1, "model_id": PACK.model_id, "centroid": vector.tobytes(), "manifest_sha256": f"{place:064x}",
        "run_id": "made up",
    }  # fmt: skip


def _name(place: int) -> str:
    return f"faceset_{place + 1:03d}"


def _bucket(place: int) -> str:
    return f"other {place % _BUCKETS:04d}"
