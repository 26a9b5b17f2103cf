"""Faces that only a legacy cache knows, as rows of our face table: no photo, no sharpness, flagged `source_missing`.

Such a row can make a centroid and is a member; it can never be exported, because there is nothing to crop.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.faces import quality
from facesets_dagster.faces.schema import CONTENT_SCHEMA, FILE_SCHEMA, face_schema
from facesets_dagster.faces.store import CacheTables
from facesets_dagster.identities.geometry import iou
from facesets_dagster.legacy.cache_file import LegacyCache
from facesets_dagster.legacy.photos import WITHOUT_PHOTO
from facesets_dagster.legacy.same_model import ModelVerdict
from facesets_dagster.legacy.sources import SourcePaths
from facesets_dagster.photos.bucket_key import LEGACY
from facesets_dagster.photos.listing import escape_path

_MOST_PX = 9999


@dataclass(frozen=True)
class CacheRow:
    """A row of a legacy cache."""

    cache: LegacyCache
    verdict: ModelVerdict
    row: int
    face_id: str
    """What it is called if it becomes a face of ours."""


class CacheRows:
    """The usable rows of all legacy caches, by photo."""

    def __init__(self, caches: Sequence[tuple[LegacyCache, ModelVerdict]], paths: SourcePaths) -> None:
        self._paths = paths
        self._rows: dict[str, list[CacheRow]] = {}
        for cache, verdict in caches:
            by_photo: dict[str, list[int]] = {}
            for row, source in enumerate(cache.sources):
                if cache.problems[row] is None:
                    by_photo.setdefault(paths.key(source), []).append(row)
            for photo, rows in by_photo.items():
                ids = _face_ids(self._path(photo), cache.bbox[rows])
                found = [CacheRow(cache, verdict, row, face_id) for row, face_id in zip(rows, ids, strict=True)]
                self._rows.setdefault(photo, []).extend(found)

    def find(self, source: str, bbox: NDArray[np.float32], min_iou: float) -> CacheRow | None:
        """The row whose box (4,) overlaps best; one of a cache of our model before others."""
        rows = self._rows.get(self._paths.key(source), [])
        if not rows:
            return None
        boxes = np.array([row.cache.bbox[row.row] for row in rows], np.float32)
        overlap = iou(bbox[None], boxes)[0]
        near = [index for index in range(len(rows)) if overlap[index] >= min_iou]
        best = min(near, key=lambda index: (rows[index].verdict.reason is not None, -overlap[index]), default=None)
        return None if best is None else rows[best]

    def tables(self, found: Sequence[CacheRow], dim: int, model_id: str) -> CacheTables:
        """The rows as part of the cache of `LEGACY`."""
        unique = {row.face_id: row for row in found}
        faces = [self._face(row, model_id) for _, row in sorted(unique.items())]
        frame = pl.DataFrame(faces, schema=face_schema(dim))
        counts = frame.group_by("sha256").len().sort("sha256").rows()
        contents = [
            {
                "sha256": sha256,
                "status": "faces",
                "detail": "known to a legacy cache only",
                "faces": count,
                "format": WITHOUT_PHOTO,
                "truncated": False,
                "model_id": model_id,
            }
            for sha256, count in counts
        ]
        return CacheTables(frame, pl.DataFrame(contents, schema=CONTENT_SCHEMA), pl.DataFrame(schema=FILE_SCHEMA))

    def _path(self, photo: str) -> str:
        return self._paths.moved(photo)

    def _face(self, found: CacheRow, model_id: str) -> dict[str, object]:
        cache, row = found.cache, found.row
        path = self._path(self._paths.key(cache.sources[row]))
        bbox = cache.bbox[row]
        kps = np.zeros((5, 2), np.float32) if cache.kps is None else np.nan_to_num(cache.kps[row])
        known = cache.kps is not None
        return {
            "face_id": found.face_id,
            "bucket": LEGACY,
            "sha256": _digest(path),
            "path": escape_path(path.lstrip("/")),
            "aliases": [],
            "photo_width": 0,
            "photo_height": 0,
            "turn": 0,
            "bbox": bbox.tolist(),
            "kps": kps.tolist(),
            "det_score": float(cache.det_score[row]),
            "face_short": float(quality.face_short_px(bbox[None])[0]),
            "blur": 0.0,
            "sharpness": None,
            "frontality": float(quality.frontality(kps[None])[0]) if known else 0.0,
            "symmetry": float(quality.symmetry(kps[None])[0]) if known else 0.0,
            "truncated": False,
            "source_missing": True,
            "model_id": model_id,
            "embedding": cache.embeddings[row].tolist(),
        }


def _digest(path: str) -> str:
    """In place of the digest of bytes that are gone; never equal to one of real bytes."""
    return hashlib.sha256(b"legacy cache\0" + path.encode("utf-8", "surrogatepass")).hexdigest()


def _face_ids(path: str, boxes: NDArray[np.float32]) -> list[str]:
    """Ids of the boxes (n, 4) on one photo: as `faces.face_id`, but in px, because the photo's size is not known."""
    centres = np.rint((boxes[:, :2] + boxes[:, 2:]) / 2).clip(0, _MOST_PX).astype(int)
    bases = [f"{_digest(path)[:16]}-{x:04d}-{y:04d}" for x, y in centres.tolist()]
    ids = [""] * len(boxes)
    for index in sorted(range(len(boxes)), key=lambda index: tuple(boxes[index].tolist())):
        copies = sum(1 for other in ids if other == bases[index] or other.startswith(f"{bases[index]}-"))
        ids[index] = bases[index] if copies == 0 else f"{bases[index]}-{copies + 1}"
    return ids
