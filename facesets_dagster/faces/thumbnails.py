"""Small pictures of faces: how they are cut out of a photo, and where they are kept.

    cache/thumbnails.db      SQLite: `face_id`, `px`, `webp`

Made when a photo is read, while its pixels are in memory; those of photos that an older release read, when they are
first asked for. One file instead of one for each face, so that a screen of faces is one query and a face can be
forgotten without a trace. The file may be deleted; a face whose photo is gone by then has no picture.
"""

import io
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image

from facesets_dagster.files.access import begin_file

THUMBNAIL_PX = 128
"""Size of those that are made when a photo is read; larger ones are made when they are asked for."""
_MARGIN = 0.35
"""Added on each side of the bbox, of its longer side."""
_QUALITY = 75
_VERSION = 1
"""Raised when the same face would get another picture."""
_AT_ONCE = 500
"""Values of an IN."""
_PATIENCE_SECONDS = 30.0


def cut_out(photo: NDArray[np.uint8], bbox: NDArray[np.floating]) -> Image.Image:
    """The face with a margin, clipped at the photo's border; `photo` (h, w, 3) BGR, `bbox` x1, y1, x2, y2 in its px."""
    import cv2

    margin = _MARGIN * max(bbox[2] - bbox[0], bbox[3] - bbox[1])
    height, width = photo.shape[:2]
    x1, y1 = np.floor(np.maximum(bbox[:2] - margin, 0)).astype(int)
    x2, y2 = np.ceil(np.minimum(bbox[2:] + margin, (width, height))).astype(int)
    return Image.fromarray(cv2.cvtColor(photo[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)], cv2.COLOR_BGR2RGB))


def webp_of(picture: Image.Image, px: int) -> bytes:
    """A WebP, at most `px` wide and high; `picture` is made smaller."""
    picture.thumbnail((px, px))
    stream = io.BytesIO()
    picture.save(stream, "WEBP", quality=_QUALITY, method=0)
    return stream.getvalue()


class ThumbnailStore:
    """The kept pictures of one home. Any number of threads and processes may use it."""

    def __init__(self, cache_dir: Path) -> None:
        self._path = cache_dir / "thumbnails.db"

    def find(self, face_ids: Collection[str], px: int) -> dict[str, bytes]:
        """face_id -> WebP of those that are kept at this size."""
        wanted, found = sorted(set(face_ids)), dict[str, bytes]()
        with self._open() as database:
            for start in range(0, len(wanted), _AT_ONCE):
                some = wanted[start : start + _AT_ONCE]
                marks = ",".join("?" * len(some))
                query = f"SELECT face_id, webp FROM thumbnails WHERE px = ? AND face_id IN ({marks})"
                found.update(database.execute(query, (px, *some)))
        return found

    def keep(self, pictures: Mapping[str, bytes], px: int) -> None:
        """Keeps pictures, face_id -> WebP; one that is there already is replaced."""
        rows = [(face_id, px, webp) for face_id, webp in sorted(pictures.items())]
        with self._open() as database:
            database.executemany("INSERT OR REPLACE INTO thumbnails VALUES (?, ?, ?)", rows)

    def forget(self, face_ids: Collection[str]) -> None:
        """Removes the pictures of these faces at every size; their bytes are overwritten."""
        with self._open() as database:
            database.executemany("DELETE FROM thumbnails WHERE face_id = ?", [(one,) for one in sorted(face_ids)])

    def face_ids(self) -> set[str]:
        """Faces of which a picture is kept."""
        if not self._path.exists():
            return set()
        with self._open() as database:
            return {str(row[0]) for row in database.execute("SELECT DISTINCT face_id FROM thumbnails")}

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A transaction in the file, which is made if it is absent, damaged, or of old rules."""
        database = self._connected()
        try:
            with database:
                yield database
        finally:
            database.close()

    def _connected(self) -> sqlite3.Connection:
        database = self._sound()
        if database is not None:
            return database
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self._path.with_suffix(".lock")):
            database = self._sound()  # another one has made it meanwhile
            if database is not None:
                return database
            for end in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + end).unlink(missing_ok=True)
            begin_file(self._path)
            database = sqlite3.connect(self._path, timeout=_PATIENCE_SECONDS)
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA secure_delete = ON")
            with database:
                database.execute(_TABLE)
                database.execute(f"PRAGMA user_version = {_VERSION}")
            return database

    def _sound(self) -> sqlite3.Connection | None:
        """The file, opened; None if it is to be made. Raises `sqlite3.OperationalError` if it cannot be read."""
        if not self._path.exists():
            return None
        database = sqlite3.connect(self._path, timeout=_PATIENCE_SECONDS)
        try:
            database.execute("PRAGMA secure_delete = ON")
            if database.execute("PRAGMA user_version").fetchone()[0] == _VERSION:
                return database
        except sqlite3.OperationalError:
            database.close()
            raise
        except sqlite3.DatabaseError:  # damaged: it holds nothing that cannot be made again
            pass
        database.close()
        return None


_TABLE = (
    "CREATE TABLE thumbnails (face_id TEXT NOT NULL, px INTEGER NOT NULL, webp BLOB NOT NULL, "
    "PRIMARY KEY (face_id, px)) WITHOUT ROWID"
)
