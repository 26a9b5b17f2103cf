"""How far apart the perceptual hashes of copies of one photo are, and of different photos of one person.

    python -m benchmarks.run duplicates

Copies: portraits that the shared data has in several sizes, copies that were found among its other photos by looking
at the most similar pairs (`KNOWN_COPIES`), and copies made here. Different photos: all other pairs of one person whose
embeddings have a cosine similarity of 0.8 and more.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.embedding.load import load_embedder
from facesets_dagster.photos.decode import decode_photo
from facesets_dagster.photos.perceptual_hash import FaceHashes, face_hashes
from testing.measurements.row import Row
from testing.paths import SHARED

ALIKE = 0.8
NEAR_DUPLICATE = 0.95
MADE_FROM = 220
BITS = (4, 6, 8, 10, 12)
KNOWN_COPIES = (
    ("Justin_Trudeau/cs412_18", "cs412_27"),
    ("Barack_Obama/fr_obama-480p", "fr_obama.jpg"),
    ("Bill_Nunn/spid_00000002", "spid_00000018"),
    ("Bill_Nunn/spid_00000021", "spid_00000023"),
    ("Bill_Clinton/1993-2019__cs_13", "cs_17"),
    ("Bill_Clinton/1993-2019__cs_17", "cs_7"),
    ("Bill_Clinton/1993-2019__cs_13", "cs_7"),
    ("Bill_Clinton/1993-2019__cs_20", "cs_5"),
    ("Serena_Williams/2002-2003__lfw_Serena_Williams_0029", "Williams_0031"),
    ("spid_00000005", "spid_00000014"),
)
MIRRORED = (("Bill_Clinton/1993-2019__cs_21", "cs_9"),)
"""A copy that was mirrored; counted neither as a copy nor as another photo."""


@dataclass(frozen=True)
class Seen:
    """The labelled face of a photo."""

    path: str
    bbox: NDArray[np.float32]
    unit: NDArray[np.float32]
    hashes: FaceHashes


def measure_duplicates(pack: str) -> list[Row]:
    """Shares of copies and counts of different photos within so many bits."""
    embedder = load_embedder(
        pack, models_root=Path(pack).parent, providers=("CPUExecutionProvider",), det_size=640, threads=1,
        recogniser_batch=16,
    )  # fmt: skip
    data = SHARED / "data"
    paths = [path for part in ("labelled", "eras", "duplicates") for path in sorted((data / part).rglob("*.*"))]
    with ThreadPoolExecutor(2) as pool:
        faces = [seen for seen in pool.map(lambda path: look(data, path, embedder), paths) if seen is not None]
        large = [seen for seen in faces if (seen.bbox[2:] - seen.bbox[:2]).min() >= 60]
        chosen = np.random.default_rng(0).choice(len(large), MADE_FROM, replace=False)
        made = [
            pair for pairs in pool.map(lambda index: copies(data, large[index], embedder), chosen) for pair in pairs
        ]
    copied, others = pairs_of(faces)
    alike = [pair for pair in others if pair[0] >= 0.85]
    sets = {"copies found in the data": copied, "copies made here, cosine >= 0.95": made, "different photos": others}
    rows = [Row(name, len(pairs), "pairs") for name, pairs in {**sets, "different, cosine >= 0.85": alike}.items()]
    nearer = sum(cosine >= NEAR_DUPLICATE for cosine, _ in others)
    rows.append(Row("different photos, cosine >= 0.95", nearer, "pairs", note="there are no bursts in this data"))
    for bits in BITS:
        found = [np.mean([apart <= bits for _, apart in pairs]) for pairs in (copied, made)]
        wrong = [sum(apart <= bits for _, apart in pairs) for pairs in (others, alike)]
        note = f"{found[1]:.3f} of the copies made here; different photos taken for copies: {wrong[0]} of {len(others)}"
        rows.append(
            Row(f"copies within {bits} bits", float(found[0]), "share", note=f"{note}, {wrong[1]} of {len(alike)}")
        )
    return rows


def look(data: Path, path: Path, embedder: Embedder) -> Seen | None:
    """The labelled face of a photo: the central one of 250 x 250 files, else the largest."""
    image = decode_photo(path.read_bytes(), max_pixels=300_000_000).image
    near = np.array([125.0, 125.0]) if image.shape[:2] == (250, 250) else None
    return seen_in(image, str(path.relative_to(data)), near, embedder)


def seen_in(image: NDArray[np.uint8], path: str, near: NDArray[np.float64] | None, embedder: Embedder) -> Seen | None:
    """The face nearest to a point, or the largest."""
    found = embedder.detect(image)
    if not len(found):
        return None
    centres = (found.bbox[:, :2] + found.bbox[:, 2:]) / 2
    sizes = (found.bbox[:, 2:] - found.bbox[:, :2]).prod(axis=1)
    best = int(sizes.argmax() if near is None else np.linalg.norm(centres - near, axis=1).argmin())
    vector = embedder.embed(image, found.kps[best : best + 1])[0]
    return Seen(path, found.bbox[best], vector / np.linalg.norm(vector), face_hashes(image, found.bbox[best]))


def apart(first: Seen, second: Seen) -> int:
    """Bits between two faces."""
    pairs = ((first.hashes.face, second.hashes.face), (first.hashes.head, second.hashes.head))
    return max((one ^ other).bit_count() for one, other in pairs)


def pairs_of(faces: list[Seen]) -> tuple[list[tuple[float, int]], list[tuple[float, int]]]:
    """(cosine, bits) of pairs that show one photo, and of pairs of one person that do not."""
    unit = np.array([seen.unit for seen in faces])
    copied, others = [], []
    for one, other in zip(*np.nonzero(np.triu(unit @ unit.T >= ALIKE, k=1)), strict=True):
        first, second = faces[one], faces[other]
        if Path(first.path).parent.name != Path(second.path).parent.name or _listed(MIRRORED, first, second):
            continue
        sizes = all("duplicates/" in seen.path or "congress" in seen.path for seen in (first, second))
        target = copied if sizes or _listed(KNOWN_COPIES, first, second) else others
        target.append((float(first.unit @ second.unit), apart(first, second)))
    return copied, others


def _listed(names: tuple[tuple[str, str], ...], first: Seen, second: Seen) -> bool:
    return any(
        (one in first.path and f"{other}." in f"{second.path}.")
        or (one in second.path and f"{other}." in f"{first.path}.")
        for one, other in names
    )


def copies(data: Path, seen: Seen, embedder: Embedder) -> list[tuple[float, int]]:
    """(cosine, bits) of a photo's face and of the same face in copies made of it; those with a cosine >= 0.95."""
    image = decode_photo((data / seen.path).read_bytes(), max_pixels=300_000_000).image
    found = []
    for changed, near in changes(image, seen.bbox):
        copy = seen_in(changed, seen.path, near, embedder)
        cosine = float(copy.unit @ seen.unit) if copy is not None else 0.0
        if copy is not None and cosine >= NEAR_DUPLICATE:
            found.append((cosine, apart(seen, copy)))
    return found


def changes(
    image: NDArray[np.uint8], bbox: NDArray[np.float32]
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float64]]]:
    """Copies of a photo as people make them, each with the place of the face's centre in it."""
    (height, width), side = image.shape[:2], float((bbox[2:] - bbox[:2]).max())
    centre = ((bbox[:2] + bbox[2:]) / 2).astype(np.float64)
    yield _jpeg(image, 40), centre
    for scale in (0.5, 0.75, 1.6):
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        yield _jpeg(cv2.resize(image, None, fx=scale, fy=scale, interpolation=way), 85), centre * scale
    for factor, offset in ((1.25, 10), (0.7, 0)):
        yield _jpeg(np.clip(image * factor + offset, 0, 255).astype(np.uint8), 85), centre
    yield _jpeg((255 * (image / 255) ** 0.7).astype(np.uint8), 85), centre
    yield _jpeg(np.repeat(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2), 85), centre
    x, y = width // 10, height // 10
    yield _jpeg(image[y : height - y, x : width - x], 85), centre - (x, y)
    for margin in (0.6, 0.3):
        x1, y1 = np.maximum(bbox[:2] - margin * side, 0).astype(int)
        x2, y2 = np.minimum(bbox[2:] + margin * side, (width, height)).astype(int)
        yield _jpeg(image[y1:y2, x1:x2], 85), centre - (x1, y1)
    turn = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), 3, 1)
    yield _jpeg(cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REPLICATE), 85), centre


def _jpeg(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    data = cv2.imencode(".jpg", np.ascontiguousarray(image), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
