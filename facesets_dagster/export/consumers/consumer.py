"""What a consumer of face sets is: a name, what it needs, and a function from face sets to files.

A consumer is one module in this package that makes a `Consumer`, and its line in `CONSUMERS`. It decides on formats
only; which face sets there are, and what happens to files on the disk, is not its business.
"""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.export.pictures import Picture

_REFUSED = '/\\:*?"<>|'
_DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{name}{number}" for name in ("COM", "LPT") for number in range(1, 10))}
"""Names that Windows keeps for itself."""
_MOST_BYTES = 100


@dataclass(frozen=True)
class FacesetSource:
    """A live faceset as consumers see it."""

    name: str
    """`faceset_020`; files are named by it."""
    title: str
    """What people read: the label, else the name; one line, no two alike."""
    file_name: str
    """Stem of its files and name of its folder; no two alike."""
    manifest_sha256: str
    model_id: str
    face_ids: tuple[str, ...]
    """In rank order, as everything below."""
    pictures: tuple[Picture, ...]
    bbox: NDArray[np.float32]
    """(4,) of the best face, px of its photo."""
    kps: NDArray[np.float32]
    """(5, 2) of the best face."""
    det_score: float
    """Of the best face."""
    embedding: NDArray[np.float32]
    """Raw mean (dim,), not normalised."""
    values: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    """Landmarks of the best face (`embedding.landmarks.VALUES`); only if the consumer needs them."""


@dataclass(frozen=True)
class ExportFile:
    """A file that should stand in a consumer's folder."""

    path: str
    """Relative, with `/`."""
    sha256: str
    read: Callable[[], bytes]
    facesets: tuple[str, ...]
    """The facesets in it."""

    @classmethod
    def of(cls, path: str, data: bytes, facesets: Sequence[FacesetSource]) -> "ExportFile":
        """A file made here."""
        names = tuple(faceset.name for faceset in facesets)
        return cls(path, hashlib.sha256(data).hexdigest(), lambda: data, names)


@dataclass(frozen=True)
class Consumer:
    """A program that takes face sets in a format of its own."""

    name: str
    """Its word in run config and its folder under `exports/`."""
    title: str
    files: Callable[[Sequence[FacesetSource]], list[ExportFile]]
    """Face sets in name order -> everything that its folder holds; the same bytes for the same face sets."""
    embedding_dim: int | None = None
    """Length of the ArcFace embedding that it takes; None if it takes pictures."""
    tasks: tuple[str, ...] = ()
    """What it wants to know of the best face, of `embedding.model_shapes.EXTRA_TASKS`."""
    shared_file: bool = False
    """One file holds several face sets: it is made again with all of them."""


def unique_titles(titles: Mapping[str, str]) -> dict[str, str]:
    """Faceset -> its title, with the faceset's name behind it where another one looks the same."""
    owners = Counter(map(_as_looked_at, titles.values()))
    return {name: title if owners[_as_looked_at(title)] == 1 else f"{title} ({name})" for name, title in titles.items()}


def file_names(titles: Mapping[str, str]) -> dict[str, str]:
    """Faceset -> its title as the name of a file that every system takes; the faceset's name where nothing is left."""
    safe = {name: _safe(title) or name for name, title in titles.items()}
    return unique_titles(safe)


def _as_looked_at(title: str) -> str:
    """Some file systems take capitals, and composed and decomposed letters, for the same."""
    return unicodedata.normalize("NFC", title).casefold()


def _safe(title: str) -> str:
    """Without what Windows, macOS or Linux refuse in a name; at most 100 bytes of UTF-8."""
    plain = "".join("_" if char in _REFUSED or ord(char) < 32 else char for char in unicodedata.normalize("NFC", title))
    short = plain.encode("utf-8", "ignore")[:_MOST_BYTES].decode("utf-8", "ignore").strip(" .")
    return f"{short}_" if short.split(".")[0].upper() in _DEVICES else short
