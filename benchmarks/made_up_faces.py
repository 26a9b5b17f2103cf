"""Faces that nobody ever had, in the number that a measurement wants, as a face cache without a photo."""

import hashlib
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import ModelPack
from facesets_dagster.faces.face_id import face_ids
from facesets_dagster.faces.schema import CONTENT_SCHEMA, FILE_SCHEMA, face_schema
from facesets_dagster.faces.store import CacheTables, FaceStore

PEOPLE, SPREAD = 0.06, 0.8
"""People per face, and the length of the noise beside a person's direction: average distance inside a person 0.39."""


@dataclass(frozen=True)
class MadeUp:
    """Two made-up buckets."""

    vectors: NDArray[np.float32]
    """Raw embeddings (n, dim) of the large bucket."""
    elsewhere: NDArray[np.float32]
    """Of another bucket: ten more faces each of some people whom the large bucket shows often."""


def make_up(faces: int, dim: int, *, seed: int) -> MadeUp:
    """Sizes fall off as in photo collections, nearly a third of the faces are passers-by who come once."""
    rng = np.random.default_rng(seed)
    count = max(int(faces * PEOPLE), 1)
    weight = 1 / np.arange(1, count + 1) ** 0.8
    person = rng.choice(count, faces, p=weight / weight.sum())
    person = np.where(rng.random(faces) < 0.3, count + np.arange(faces), person)
    _, person = np.unique(person, return_inverse=True)
    centre = rng.normal(size=(person.max() + 1, dim))
    centre /= np.linalg.norm(centre, axis=1, keepdims=True)
    known = np.repeat(np.flatnonzero(np.bincount(person) >= 6)[::20], 10)
    return MadeUp(_looks(rng, centre[person]), _looks(rng, centre[known]))


def _looks(rng: np.random.Generator, centre: NDArray[np.float64]) -> NDArray[np.float32]:
    """A look (n, dim) of each person (n, dim): some are almost equal, some hardly themselves."""
    noise = rng.normal(size=centre.shape) / np.sqrt(centre.shape[1])
    spread = SPREAD * np.exp(rng.normal(0, 0.35, (len(centre), 1)))
    return np.asarray(22 * (centre + spread * noise), np.float32)


def write_cache(store: FaceStore, vectors: NDArray[np.float32], bucket: str, pack: ModelPack, *, seed: int) -> None:
    """A bucket with these faces (n, dim), on photos of one to four, as `face_cache` would leave it."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, object]] = []
    contents: list[dict[str, object]] = []
    while len(rows) < len(vectors):
        path = f"{len(contents):06d}.jpg"
        sha256 = hashlib.sha256(f"{bucket}/{path}".encode()).hexdigest()
        count = min(int(rng.choice([1, 2, 3, 4], p=[0.5, 0.25, 0.15, 0.1])), len(vectors) - len(rows))
        short = np.exp(rng.normal(4.9, 0.45, count))
        left = 100 + 1000 * np.arange(count)
        bbox = np.stack([left, np.full(count, 200), left + short, 200 + short], axis=1).astype(np.float32)
        for number, face_id in enumerate(face_ids(sha256, bbox, 4000, 3000)):
            rows.append(
                {"face_id": face_id, "bucket": bucket, "sha256": sha256, "path": path, "aliases": [],
                 "photo_width": 4000, "photo_height": 3000, "bbox": bbox[number],
                 "kps": np.zeros((5, 2), np.float32), "det_score": rng.uniform(0.5, 0.95),
                 "face_short": short[number], "turn": 0, "sharpness": np.exp(rng.normal(4, 0.5)),
                 "blur": np.exp(rng.normal(5, 0.8)), "frontality": rng.uniform(0.2, 1),
                 "symmetry": rng.uniform(0.2, 1), "truncated": False, "source_missing": False,
                 "model_id": pack.model_id, "embedding": vectors[len(rows)]}
            )  # fmt: skip
        contents.append(
            {"sha256": sha256, "status": "faces", "detail": "", "faces": count, "format": "JPEG", "photo_width": 4000,
             "photo_height": 3000, "truncated": False, "model_id": pack.model_id}
        )  # fmt: skip
    files = [
        {"path": f"{number:06d}.jpg", "size": 1, "mtime_ns": 0, "ctime_ns": 0, "inode": number,
         "sha256": content["sha256"], "status": "faces", "detail": ""}
        for number, content in enumerate(contents)
    ]  # fmt: skip
    schema = face_schema(pack.dim)
    columns = {name: [row[name] for row in rows] for name in schema if name not in ("bbox", "kps", "embedding")}
    arrays = {name: np.array([row[name] for row in rows], np.float32) for name in ("bbox", "kps", "embedding")}
    faces = pl.DataFrame({**columns, **arrays}).select(schema.names()).cast(schema).sort("face_id")
    store.compact(
        CacheTables(faces, pl.DataFrame(contents, schema=CONTENT_SCHEMA), pl.DataFrame(files, schema=FILE_SCHEMA))
    )
    store.note_folder("made up")
