"""Small JPEGs of faces: of exported crops, and of faces that were not exported, cut out of their photo and kept.

    cache/thumbnails/<first two characters>/<face_id>.jpg

The cache may be deleted; a face whose photo is gone by then has no picture.
"""

import io
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from facesets_dagster.errors import PhotoError
from facesets_dagster.faces.photo_loader import LoadPhoto
from facesets_dagster.faces.thumbnails import cut_out
from facesets_dagster.files.writing import write_bytes
from facesets_dagster.photos.workers.decoders import photo_decoders
from facesets_dagster.threads import in_threads

THUMBNAIL_PX, PHOTO_PX = 128, 320


def of_file(path: Path) -> bytes | None:
    """A JPEG of a picture file; None for a damaged one, of which the checks and `facesets verify` speak."""
    try:
        with Image.open(path) as picture:
            return thumbnail(picture.convert("RGB"))
    except (OSError, SyntaxError):
        return None


def of_photo(path: Path, max_pixels: int) -> bytes:
    """A small JPEG of a whole photo in any format, upright. Raises `PhotoError` if it cannot be read."""
    import cv2

    with photo_decoders().photo(path) as photo:
        pixels = photo.decode(max_pixels).image
    return thumbnail(Image.fromarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)), px=PHOTO_PX)


def of_faces(rows: pl.DataFrame, load_photo: LoadPhoto, cache: Path) -> dict[str, bytes]:
    """face_id -> JPEG for rows of the face table; a face whose photo cannot be read now is left out."""
    photos: dict[str, list[tuple[str, list[float]]]] = {}
    for face_id, sha256, bbox in rows.sort("sha256").select("face_id", "sha256", "bbox").iter_rows():
        photos.setdefault(sha256, []).append((face_id, bbox))

    def of_photo(sha256: str) -> list[tuple[str, bytes | None]]:
        return [(face_id, _of_face(face_id, bbox, sha256, load_photo, cache)) for face_id, bbox in photos[sha256]]

    pictures = [picture for of_one in in_threads(of_photo, list(photos)) for picture in of_one]
    return {face_id: jpeg for face_id, jpeg in pictures if jpeg is not None}


def photo_by_face(rows: pl.DataFrame) -> dict[str, tuple[str, str]]:
    """face_id -> bucket and path of its photo, for rows of the face table."""
    return {face_id: (bucket, path) for face_id, bucket, path in rows.select("face_id", "bucket", "path").iter_rows()}


def _of_face(face_id: str, bbox: list[float], sha256: str, load_photo: LoadPhoto, cache: Path) -> bytes | None:
    path = cache / "thumbnails" / face_id[:2] / f"{face_id}.jpg"
    if path.exists():
        return path.read_bytes()
    try:
        photo = load_photo(sha256)
    except PhotoError:
        return None
    jpeg = thumbnail(cut_out(photo, np.asarray(bbox, np.float64)))
    write_bytes(path, jpeg)
    return jpeg


def thumbnail(picture: Image.Image, quality: int = 80, px: int = THUMBNAIL_PX) -> bytes:
    """A small JPEG, at most `px` wide and high; `picture` is made smaller."""
    picture.thumbnail((px, px))
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return stream.getvalue()
