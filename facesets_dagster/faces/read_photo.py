"""One photo through the models: pixels in, face rows out. Pure but for the models; called from several threads.

In two steps, so that a photo's pixels can go before its faces are recognised: `look_at_photo` and `with_embeddings`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import Detections, Embedder
from facesets_dagster.errors import PhotoError
from facesets_dagster.faces import quality
from facesets_dagster.faces.face_id import face_ids
from facesets_dagster.faces.looking import look_at
from facesets_dagster.faces.schema import LOOK, face_schema
from facesets_dagster.faces.thumbnails import THUMBNAIL_PX, cut_out, webp_of
from facesets_dagster.photos.decode import DecodedPhoto, turned_photo

FaceColumn = Sequence[object] | NDArray[np.float32]
"""A value a face."""


@dataclass(frozen=True)
class SeenPhoto:
    """A photo after detection, without its pixels."""

    content: dict[str, object]
    """Row of the content table."""
    columns: dict[str, FaceColumn]
    """Of its face rows, the embedding only after recognition; none without a face."""
    aligned: list[NDArray[np.uint8]]
    """What the recogniser needs of each face; none after it."""
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    """face_id -> small WebP: made now, because the photo's pixels are here."""


def unusable_photo(error: PhotoError, sha256: str, embedder: Embedder) -> SeenPhoto:
    """A content row with the reason why the photo cannot be used."""
    return SeenPhoto(_content(sha256, error.reason, error.detail, None, 0, embedder), {}, [])


def look_at_photo(photo: DecodedPhoto, sha256: str, bucket: str, path: str, embedder: Embedder) -> SeenPhoto:
    """Detects, measures and aligns; nothing of what it gives looks at the photo's pixels."""
    look = look_at(photo.image, embedder)
    photo = turned_photo(photo, look.turn)
    detections = _inside(look.found, photo)
    if not len(detections):
        cut = ("unreadable", "cut off or damaged, no face in what was decoded")
        status, detail = cut if photo.truncated else ("noface", "")
        return SeenPhoto(_content(sha256, status, detail, photo, 0, embedder), {}, [])
    content = _content(sha256, "faces", "", photo, len(detections), embedder)
    columns = _face_columns(photo, detections, sha256, bucket, path, embedder)
    return SeenPhoto(
        {**content, "turn": look.turn},
        {**columns, "turn": [look.turn] * len(detections)},
        embedder.align(photo.image, detections.kps),
        _pictures(photo, detections, columns["face_id"]),
    )


def with_embeddings(photo: SeenPhoto, embeddings: NDArray[np.float32]) -> SeenPhoto:
    """The photo after recognition; `embeddings` (n, dim) in the order of its faces."""
    columns: dict[str, FaceColumn] = {**photo.columns, "embedding": embeddings} if photo.columns else {}
    return SeenPhoto(photo.content, columns, [], photo.pictures)


def with_faces(photo: SeenPhoto, keep: NDArray[np.bool_]) -> SeenPhoto:
    """The photo after recognition with these of its faces (n,); itself with all of them. None left: as without any."""
    if keep.all():
        return photo
    count = int(keep.sum())
    content = {**photo.content, "faces": count, "status": photo.content["status"] if count else "noface"}
    columns = {name: _chosen(values, keep) for name, values in photo.columns.items()} if count else {}
    stay = {str(face_id) for face_id in columns.get("face_id", ())}
    pictures = {face_id: webp for face_id, webp in photo.pictures.items() if face_id in stay}
    return SeenPhoto(content, columns, [], pictures)


def _chosen(values: FaceColumn, keep: NDArray[np.bool_]) -> FaceColumn:
    if isinstance(values, np.ndarray):
        return values[keep]
    return [value for value, stays in zip(values, keep, strict=True) if stays]


def face_rows(photos: Sequence[SeenPhoto], dim: int) -> pl.DataFrame:
    """The faces of many photos, in their order: a frame for each one costs more than reading a small file."""
    found = [photo.columns for photo in photos if photo.columns]
    if not found:
        return pl.DataFrame(schema=face_schema(dim))
    columns = {name: _joined([columns[name] for columns in found]) for name in found[0]}
    return pl.DataFrame(columns, schema=face_schema(dim))


def _joined(parts: Sequence[FaceColumn]) -> FaceColumn:
    arrays = [part for part in parts if isinstance(part, np.ndarray)]
    return np.concatenate(arrays) if arrays else [value for part in parts for value in part]


def _inside(detections: Detections, photo: DecodedPhoto) -> Detections:
    """Drops boxes without area inside the photo; such a face has no pixels to judge or to crop."""
    height, width = photo.image.shape[:2]
    box = np.clip(detections.bbox, 0, np.array([width, height, width, height], np.float32))
    keep = (box[:, 2] - box[:, 0] >= 1) & (box[:, 3] - box[:, 1] >= 1)
    return Detections(detections.bbox[keep], detections.kps[keep], detections.det_score[keep])


def _pictures(photo: DecodedPhoto, detections: Detections, ids: FaceColumn) -> dict[str, bytes]:
    boxes = np.asarray(detections.bbox, np.float64)
    return {
        str(face_id): webp_of(cut_out(photo.image, bbox), THUMBNAIL_PX)
        for face_id, bbox in zip(ids, boxes, strict=True)
    }


def _face_columns(
    photo: DecodedPhoto, detections: Detections, sha256: str, bucket: str, path: str, embedder: Embedder
) -> dict[str, FaceColumn]:
    height, width = photo.image.shape[:2]
    count = len(detections)
    return {
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
        "sharpness": quality.sharpness(photo.image, detections.bbox),
        "frontality": quality.frontality(detections.kps),
        "symmetry": quality.symmetry(detections.kps),
        "truncated": [photo.truncated] * count,
        "source_missing": [False] * count,
        "model_id": [embedder.pack.model_id] * count,
    }


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
        "turn": 0,
        "truncated": photo.truncated if photo else False,
        "model_id": embedder.pack.model_id,
        "look": LOOK,
    }
