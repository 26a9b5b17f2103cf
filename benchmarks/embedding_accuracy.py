"""Faces and embeddings against insightface's own, over all photos of the shared data that OpenCV reads."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.photos.decode import decode_photo
from testing.measurements.row import Row
from testing.paths import SHARED

MIN_IOU = 0.5
PARTS = ("labelled", "eras", "groups", "duplicates")


def compare(embedder: Embedder, app: Any, inexact: str = "") -> list[Row]:
    """Recall of the peer's faces, faces that only we find, cosine of the embeddings of those found by both.

    `inexact`: the precision of our models where it is not the peer's; no targets are set then.
    """
    theirs = found = extra = photos = 0
    cosines: list[float] = []
    for path in [path for part in PARTS for path in sorted((SHARED / "data" / part).rglob("*")) if path.is_file()]:
        image = cv2.imread(str(path))
        if image is None:
            continue
        photos += 1
        peer = app.get(image)
        pixels = decode_photo(path.read_bytes(), max_pixels=300_000_000).image
        ours = embedder.detect(pixels)
        vectors = embedder.embed(pixels, ours.kps)
        pairs = _pairs(np.array([face.bbox for face in peer], np.float32).reshape(-1, 4), ours.bbox)
        theirs, found, extra = theirs + len(peer), found + len(pairs), extra + len(ours) - len(pairs)
        for one, other in pairs:
            cosines.append(_cosine(peer[one].embedding, vectors[other]))
    recall, median = found / max(theirs, 1), float(np.median(cosines))
    note = f"{photos} photos, {theirs} faces of the peer"
    least = f"least {min(cosines):.6f}"
    if inexact:
        return [
            Row(f"{inexact}: recall of the peer's faces at IoU 0.5", recall, "share", note=note),
            Row(f"{inexact}: faces that the peer does not find", extra, "faces"),
            Row(f"{inexact}: cosine of the embeddings, median", median, "", note=least),
        ]
    return [
        Row("recall of the peer's faces at IoU 0.5", recall, "share", target=">= 0.999", met=recall >= 0.999,
            note=note),
        Row("faces that the peer does not find", extra, "faces", target="0", met=extra == 0),
        Row("cosine of the embeddings, median", median, "", target=">= 0.9999", met=median >= 0.9999, note=least),
    ]  # fmt: skip


def _pairs(theirs: NDArray[np.float32], ours: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Rows of boxes (n, 4) and (m, 4) that are the same face, each used once, best overlap first."""
    if not len(theirs) or not len(ours):
        return []
    low = np.maximum(theirs[:, None, :2], ours[None, :, :2])
    high = np.minimum(theirs[:, None, 2:], ours[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) for boxes in (theirs, ours)]
    overlap = shared / (areas[0][:, None] + areas[1][None] - shared)
    pairs: list[tuple[int, int]] = []
    while overlap.max() >= MIN_IOU:
        one, other = np.unravel_index(int(overlap.argmax()), overlap.shape)
        pairs.append((int(one), int(other)))
        overlap[one, :] = overlap[:, other] = -1
    return pairs


def _cosine(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))
