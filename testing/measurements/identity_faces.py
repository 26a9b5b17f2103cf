"""Labelled faces of the shared photos as buckets, for measurements of who is who."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import ModelPack
from facesets_dagster.embedding.load import DET_SIZE, describe_pack, load_embedder
from facesets_dagster.faces.face_cache import Reading, scan_bucket
from facesets_dagster.faces.store import FaceStore
from facesets_dagster.identities.calibration import half_of
from facesets_dagster.identities.geometry import lengths, normalised
from facesets_dagster.photos.listing import list_bucket
from facesets_dagster.threads import cores
from testing.measurements.labels import labelled_faces, read_labels

BUCKETS = {
    "clean": ("labelled", "crowd"),
    "across ages": ("eras",),
    "groups": ("groups", "labelled"),
    "noisy": ("eras", "groups", "duplicates", "crowd"),
    "mixed": ("labelled", "crowd", "eras", "groups", "duplicates"),
}
"""Name -> parts of the shared photos in it."""
PARTS = tuple(sorted({part for parts in BUCKETS.values() for part in parts}))
ONE_PERSON = {
    "Nan_Wang": "Wang_Nan",
    "Bill_Pryor": "William_Pryor_Jr",
    "John_Burnett": "John_Barnett",
    "Ruano_Pascual": "Virgina_Ruano_Pascal",
    "Ahmed_Ibrahim_Bilal": "Muhammad_Ibrahim_Bilal",
}
"""Labels that are one person under two names."""
NOISE = frozenset({"Emmy_Rossum", "Eva_Amurri", "Takahiro_Mori", "Shinya_Taniguchi"})
"""Labels whose photos show each other's people; left out of every count."""


@dataclass(frozen=True)
class BucketFaces:
    """The faces of a bucket, some of them labelled."""

    frame: pl.DataFrame
    """Rows of the face table by face_id, with `person`."""
    unit: NDArray[np.float32]
    norms: NDArray[np.float64]
    people: NDArray[np.int64]
    """(n,): number of the person, -1 = not labelled."""
    names: tuple[str, ...]

    def of_half(self, half: int) -> NDArray[np.int64]:
        """`people` with those of the other half as not labelled."""
        mine = np.array([half_of(name) == half for name in self.names], bool)
        return np.where((self.people >= 0) & mine[self.people], self.people, -1)


def read_parts(data: Path, pack: str, models_root: Path, cache: Path, parts: Iterable[str] = PARTS) -> pl.DataFrame:
    """The face tables of these parts with `part` and `person`; what `cache` holds already is not read again."""
    described = describe_pack(pack, models_root=models_root, det_size=DET_SIZE)
    labels = read_labels(data)
    frames = []
    for part in sorted(set(parts)):
        store = FaceStore(cache, part, described.model_id, described.dim)
        _scan(data / part, store, pack, models_root)
        faces = store.read().faces
        own = {path.removeprefix(f"{part}/"): name for path, name in labels.items() if path.startswith(f"{part}/")}
        names = {face: ONE_PERSON.get(name, name) for face, name in labelled_faces(faces, own).items()}
        known = {face: name for face, name in names.items() if name not in NOISE}
        person = pl.col("face_id").replace_strict(known, default=None, return_dtype=pl.String)
        frames.append(faces.with_columns(part=pl.lit(part), person=person))
    return pl.concat(frames)


def _scan(folder: Path, store: FaceStore, pack: str, models_root: Path) -> None:
    def opened():  # type: ignore[no-untyped-def]
        providers = ("CPUExecutionProvider",)
        return load_embedder(
            pack, models_root=models_root, providers=providers, det_size=DET_SIZE, threads=1, recogniser_batch=16
        )

    scan_bucket(list_bucket(folder, (), ()), store, Reading(opened, cores(), 300_000_000, False, lambda *_: None))


def bucket_of(parts: pl.DataFrame, name: str) -> BucketFaces:
    """One of `BUCKETS`."""
    return faces_in(parts.filter(pl.col("part").is_in(BUCKETS[name])))


def faces_in(rows: pl.DataFrame) -> BucketFaces:
    """Rows of `read_parts` as one bucket."""
    frame = rows.unique("face_id", maintain_order=True).sort("face_id")
    names = tuple(sorted(frame["person"].drop_nulls().unique()))
    number = {one: place for place, one in enumerate(names)}
    people = np.array([number.get(one, -1) for one in frame["person"].to_list()], np.int64)
    raw = frame["embedding"].to_numpy()
    return BucketFaces(frame, normalised(raw), lengths(raw), people, names)


def pack_of(pack: str, models_root: Path) -> ModelPack:
    """What identifies the models."""
    return describe_pack(pack, models_root=models_root, det_size=DET_SIZE)
