"""An `.fsz` as roop-unleashed opens it: a flat zip, every `.png` of it, every face found in each, raw mean.

roop-unleashed (4.x: `faceswap_tab.py`, `face_util.py`, `FaceSet.py`) extracts the archive into a folder, goes over what
`os.listdir` gives, takes names that end in `.png` as they are spelt, asks FaceAnalysis (detector size 640, or 320 with
"Use default Det-Size" off) for the faces of each, appends *all* of them, and replaces the first face's embedding by the
mean of all raw ones. A picture that it cannot read, or without a face, is left out in silence.

Knows nothing of the library: `analysis.consumer_simulation` compares what is seen here with it.
"""

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import Embedder


@dataclass(frozen=True)
class SeenPicture:
    """A `.png` of an archive and what is found in it."""

    file: str
    sha256: str
    readable: bool
    bbox: NDArray[np.float32]
    """(n, 4), px of the picture."""
    det_score: NDArray[np.float32]
    """(n,)."""
    embeddings: NDArray[np.float32]
    """(n, dim), raw."""

    @property
    def faces(self) -> int:
        """Faces found."""
        return len(self.embeddings)


@dataclass(frozen=True)
class SeenArchive:
    """All pictures of an archive, by name."""

    pictures: tuple[SeenPicture, ...]
    passed_over: tuple[str, ...]
    """Entries that are no `.png` at the top; a folder among them keeps roop-unleashed from emptying its own."""

    def embeddings(self) -> NDArray[np.float32]:
        """All faces (n, dim), raw."""
        found = [picture.embeddings for picture in self.pictures if picture.faces]
        return np.concatenate(found) if found else np.zeros((0, 0), np.float32)

    def mean(self) -> NDArray[np.float32] | None:
        """Raw mean (dim,) of all faces; None where not one was found: the face set cannot be loaded."""
        faces = self.embeddings()
        return faces.astype(np.float64).mean(axis=0).astype(np.float32) if len(faces) else None


def look_at_archive(
    stream: IO[bytes], embedder: Callable[[], Embedder], dim: int, *, workers: int, known: Sequence[SeenPicture]
) -> SeenArchive:
    """Looks at every picture of an archive. Raises `OSError` or `zipfile.BadZipFile` for what is none.

    `known`: pictures that were looked at before with this embedder, found by their bytes. One picture per worker is in
    memory at a time.
    """
    seen = {picture.sha256: picture for picture in known}
    with zipfile.ZipFile(stream) as archive, ThreadPoolExecutor(workers) as pool:
        names = sorted(archive.namelist())
        pictures = [name for name in names if "/" not in name and name.endswith(".png")]

        def look(name: str) -> SeenPicture:
            data = _read(archive, name)
            digest = hashlib.sha256(data).hexdigest()
            if digest in seen:
                before = seen[digest]
                return SeenPicture(name, digest, before.readable, before.bbox, before.det_score, before.embeddings)
            return _look_at(name, digest, data, embedder(), dim)

        found = tuple(pool.map(look, pictures))
    return SeenArchive(found, tuple(name for name in names if name not in set(pictures)))


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    """An entry's bytes; none where it is damaged."""
    try:
        return archive.read(name)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):  # the last: encrypted
        return b""


def _look_at(name: str, digest: str, data: bytes, embedder: Embedder, dim: int) -> SeenPicture:
    import cv2

    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if image is None:
        nothing = np.zeros(0, np.float32)
        return SeenPicture(name, digest, False, nothing.reshape(0, 4), nothing, nothing.reshape(0, dim))
    pixels = np.asarray(image, np.uint8)
    found = embedder.detect(pixels)
    return SeenPicture(name, digest, True, found.bbox, found.det_score, embedder.embed(pixels, found.kps))
