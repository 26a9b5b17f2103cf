"""Readers of other programs' formats, written from the formats' descriptions and not from the code that writes them."""

import json
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_DTYPES = {"F32": np.dtype("<f4"), "I64": np.dtype("<i8")}


def read_safetensors(path: Path) -> tuple[dict[str, NDArray[np.generic]], dict[str, str]]:
    """Tensors and metadata: 8 bytes little-endian length, a JSON header of that length, then raw little-endian data."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    body, end = data[8 + length :], 0
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        first, last = entry["data_offsets"]
        assert first == end, "the format allows no holes"
        end = last
        tensors[name] = np.frombuffer(body[first:last], _DTYPES[entry["dtype"]]).reshape(entry["shape"])
    assert end == len(body)
    return tensors, metadata


def read_rope(path: Path) -> list[tuple[str, NDArray[np.float32]]]:
    """Blocks of `Name: X` and 512 numbers, a line each."""
    lines = path.read_bytes().decode("ascii").splitlines()
    assert len(lines) % 513 == 0
    found = []
    for start in range(0, len(lines), 513):
        assert lines[start].startswith("Name: ")
        found.append((lines[start].removeprefix("Name: "), np.array(lines[start + 1 : start + 513], np.float32)))
    return found


def read_visomaster(path: Path) -> list[tuple[str, NDArray[np.float32]]]:
    """A list of objects with `name` and `embedding_store`, which has a list of numbers per recogniser."""
    entries = json.loads(path.read_bytes().decode("ascii"))
    assert all(set(entry) == {"name", "embedding_store"} for entry in entries)
    assert all(set(entry["embedding_store"]) == {"Inswapper128ArcFace"} for entry in entries)
    return [(entry["name"], np.array(entry["embedding_store"]["Inswapper128ArcFace"], np.float32)) for entry in entries]
