"""The arrays of an `.npz`, from the zip directory and the arrays' headers; nothing is unpickled, ever.

An array of objects is a pickle, and loading a pickle runs code of whoever wrote it: such a member is refused by name.
"""

import math
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.errors import LibraryError
from facesets_dagster.memory import memory_bytes

HOW_TO_CONVERT = (
    "It is a pickle, which can run code when it is loaded, so it was not opened. Where you trust the file, write it "
    "anew as text: np.savez(new, **{k: v.astype(str) if v.dtype == object else v for k, v in np.load(old, "
    "allow_pickle=True).items()})"
)


@dataclass(frozen=True)
class Member:
    """An array of the file, by its header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    refused: str | None
    """Why it is not used; None if it can be."""

    def described(self) -> str:
        """`embeddings: float32 (5260, 512)`."""
        return f"{self.name}: {self.dtype} {self.shape}" + (" refused" if self.refused else "")


def list_members(path: Path) -> list[Member]:
    """Name, type and shape of every member, in the file's order. Raises `LibraryError` for what is no npz."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [_member(archive, name) for name in archive.namelist()]
    except (OSError, zipfile.BadZipFile) as error:
        raise LibraryError(
            f"The legacy cache {path} cannot be read ({error}). Expected a NumPy .npz file. Fix it, or leave it out "
            "of `cache.files` in the column map; nothing was changed."
        ) from error


def read_member(path: Path, name: str) -> NDArray[Any]:
    """One array; raises `LibraryError` for a damaged one and for one that would have to be unpickled."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            _require_room(arrays.zip, f"{name}.npy")
            found: NDArray[Any] = arrays[name]
            return found
    except (OSError, ValueError, EOFError, KeyError, MemoryError, zlib.error, zipfile.BadZipFile) as error:
        raise LibraryError(
            f"`{name}` in the legacy cache {path} cannot be read ({error}). Restore the file from a backup, or leave "
            "it out of `cache.files` in the column map; nothing was changed."
        ) from error


def _member(archive: zipfile.ZipFile, file: str) -> Member:
    name = file.removesuffix(".npy")
    if name == file:
        return Member(file, "no array", (), "not an array")
    try:
        with archive.open(file) as stream:
            shape, dtype = _header(stream)
    except (ValueError, EOFError, zlib.error, NotImplementedError, RuntimeError) as error:
        return Member(name, "unknown", (), f"its header cannot be read: {error}")
    too_much = _too_much(shape, dtype, archive.getinfo(file).file_size)
    if too_much is not None:
        return Member(name, str(dtype), shape, too_much)
    if dtype.hasobject:
        return Member(name, "object", shape, HOW_TO_CONVERT)
    return Member(name, str(dtype), shape, None)


def _require_room(archive: zipfile.ZipFile, file: str) -> None:
    """Raises `ValueError` for an array that the file does not hold, or this machine cannot."""
    with archive.open(file) as stream:
        shape, dtype = _header(stream)
    refused = _too_much(shape, dtype, archive.getinfo(file).file_size)
    if refused is not None:
        raise ValueError(refused)


def _too_much(shape: tuple[int, ...], dtype: np.dtype[Any], stored: int) -> str | None:
    """Why an array of this header is not read: NumPy would make room for all that the header claims."""
    wanted = math.prod(shape) * dtype.itemsize
    if not dtype.hasobject and wanted > stored:
        return f"its header claims {wanted:,} bytes and the file holds {stored:,}"
    if max(wanted, stored) > memory_bytes():
        return f"it takes {max(wanted, stored):,} bytes, more memory than this machine has"
    return None


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type by the .npy header, which is a literal and never code (NumPy's format 1.0 to 3.0)."""
    version = np.lib.format.read_magic(stream)
    # 3.0 differs from 2.0 in the encoding of field names only.
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    return shape, dtype
