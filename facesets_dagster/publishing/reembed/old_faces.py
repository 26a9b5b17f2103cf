"""The faces of a home as the model sees them that it has now: by its caches, and by the folders of its facesets."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

from facesets_dagster.errors import ModelMismatch
from facesets_dagster.faces.schema import face_schema
from facesets_dagster.faces.store import FaceStore
from facesets_dagster.identities.reanchoring import Boxes, as_stored
from facesets_dagster.identities.rulings import RulingFace
from facesets_dagster.library.library import Library
from facesets_dagster.photos.bucket_key import HAND_SORTED, LEGACY, is_pseudo, key_in

COLUMNS = tuple(name for name in face_schema(1) if name != "embedding")
"""Of the face table, all that does not depend on the length of an embedding."""
_OF_BOXES = ("sha256", "bbox", "turn", "photo_width", "photo_height")


def model_of(library: Library) -> str | None:
    """The model_id that a library was made with; None for one that holds nothing. Raises `ModelMismatch` for two."""
    registry = library.registry
    found = {run.model_id for run in registry.bucket_runs()}
    found |= {one.model_id for one in registry.identities() if one.model_id is not None}
    if len(found) > 1:
        raise ModelMismatch(
            f"{library.folder} holds faces of the models {', '.join(sorted(found))}. Expected one. `facesets verify` "
            "lists what is damaged. Nothing was changed."
        )
    return next(iter(found), None)


def cached_buckets(cache_dir: Path, model_id: str) -> list[str]:
    """Buckets, hand-sorted folders and legacy photos that were read with a model; not what was read to calibrate."""
    found = sorted(key_in(path.parent) for path in (cache_dir / "faces").glob(f"*/{model_id}"))
    return [bucket for bucket in found if not is_pseudo(bucket) or bucket in (HAND_SORTED, LEGACY)]


def old_faces(library: Library, cache_dir: Path, model_id: str) -> pl.DataFrame:
    """Rows of the face table (`COLUMNS`), by bucket and face; members whose cache is gone are `source_missing`."""
    names = [name for name in COLUMNS if name != "face_id"]
    frames = [pl.DataFrame(schema={name: face_schema(1)[name] for name in COLUMNS})]
    for bucket in cached_buckets(cache_dir, model_id):
        frames.append(FaceStore.cached(cache_dir, bucket, model_id).columns("faces", *names).select(COLUMNS))
    kept = library.member_rows([one.name for one in library.registry.identities()])
    if kept is not None:
        frames.append(kept.select(COLUMNS).with_columns(source_missing=pl.lit(True)))
    rows = pl.concat(frames).filter(pl.col("model_id") == model_id)
    return rows.unique(["bucket", "face_id"], keep="first", maintain_order=True).sort("bucket", "face_id")


def boxes_by_content(rows: pl.DataFrame) -> dict[str, Boxes]:
    """Content digest -> its faces, each once."""
    found: dict[str, dict[str, Sequence[float]]] = {}
    once = rows.unique("face_id", keep="first", maintain_order=True)
    for face_id, sha256, bbox, turn, width, height in once.select("face_id", *_OF_BOXES).iter_rows():
        found.setdefault(sha256, {})[face_id] = as_stored(bbox, turn or 0, width, height)
    return {sha256: Boxes.of(some) for sha256, some in found.items()}


def boxes_of_rulings(faces: Iterable[RulingFace]) -> dict[str, Boxes]:
    """The same of faces of rulings, of one model."""
    found: dict[str, dict[str, Sequence[float]]] = {}
    for face in faces:
        found.setdefault(face.photo_sha256, {})[face.face_id] = face.bbox
    return {sha256: Boxes.of(some) for sha256, some in found.items()}
