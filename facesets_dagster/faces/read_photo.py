"""One photo through the models: bytes in, face rows out. Pure but for the models; called from several threads."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from facesets_dagster.embedding.embedder import Detections, Embedder
from facesets_dagster.errors import PhotoError
from facesets_dagster.faces import quality
from facesets_dagster.faces.face_id import face_ids
from facesets_dagster.faces.schema import face_schema
from facesets_dagster.photos.decode import DecodedPhoto, decode_photo


@dataclass(frozen=True)
class PhotoResult:
    """What one content holds: a row of the content table and its faces."""

    content: dict[str, object]
    faces: pl.DataFrame | None


def read_photo(data: bytes, sha256: str, bucket: str, path: str, embedder: Embedder, max_pixels: int) -> PhotoResult:
    """Decodes, detects and embeds. A photo that cannot be used gives a content row with its reason."""
    try:
        photo = decode_photo(data, max_pixels=max_pixels)
    except PhotoError as error:
        return PhotoResult(_content(sha256, error.reason, error.detail, None, 0, embedder), None)
    detections = _inside(embedder.detect(photo.image), photo)
    if not len(detections):
        status, detail = ("unreadable", "truncated, no face in the intact part") if photo.truncated else ("noface", "")
        return PhotoResult(_content(sha256, status, detail, photo, 0, embedder), None)
    embeddings = embedder.embed(photo.image, detections.kps)
    faces = _face_rows(photo, detections, embeddings, sha256, bucket, path, embedder)
    return PhotoResult(_content(sha256, "faces", "", photo, len(faces), embedder), faces)


def _inside(detections: Detections, photo: DecodedPhoto) -> Detections:
    """Drops boxes without area inside the photo; such a face has no pixels to judge or to crop."""
    height, width = photo.image.shape[:2]
    box = np.clip(detections.bbox, 0, np.array([width, height, width, height], np.float32))
    keep = (box[:, 2] - box[:, 0] >= 1) & (box[:, 3] - box[:, 1] >= 1)
    return Detections(detections.bbox[keep], detections.kps[keep], detections.det_score[keep])


def _face_rows(
    photo: DecodedPhoto,
    detections: Detections,
    embeddings: np.ndarray[Any, np.dtype[np.float32]],
    sha256: str,
    bucket: str,
    path: str,
    embedder: Embedder,
) -> pl.DataFrame:
    height, width = photo.image.shape[:2]
    count = len(detections)
    columns = {
        "face_id": face_ids(sha256, detections.bbox, width, height),
        "bucket": [bucket] * count,
        "sha256": [sha256] * count,
        "path": [path] * count,
        "aliases": [[]] * count,
        "photo_width": [width] * count,
        "photo_height": [height] * count,
        "bbox": detections.bbox,
        "kps": detections.kps,
        "det_score": detections.det_score,
        "face_short": quality.face_short_px(detections.bbox),
        "blur": quality.blur(photo.image, detections.bbox),
        "frontality": quality.frontality(detections.kps),
        "symmetry": quality.symmetry(detections.kps),
        "truncated": [photo.truncated] * count,
        "source_missing": [False] * count,
        "model_id": [embedder.pack.model_id] * count,
        "embedding": embeddings.astype(np.float32),
    }
    return pl.DataFrame(columns, schema=face_schema(embedder.pack.dim))


def _content(
    sha256: str, status: str, detail: str, photo: DecodedPhoto | None, faces: int, embedder: Embedder
) -> dict[str, object]:
    height, width = photo.image.shape[:2] if photo else (None, None)
    return {
        "sha256": sha256,
        "status": status,
        "detail": detail,
        "faces": faces,
        "format": photo.format if photo else None,
        "photo_width": width,
        "photo_height": height,
        "truncated": photo.truncated if photo else False,
        "model_id": embedder.pack.model_id,
    }
