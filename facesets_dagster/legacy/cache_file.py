"""A legacy face cache (`nl_full.npz` in shape) as arrays of ours; which member is what says the column map."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.errors import SettingsError
from facesets_dagster.legacy.boxes import as_xyxy, box_problem
from facesets_dagster.legacy.column_map import ColumnMap
from facesets_dagster.legacy.npz import Member, list_members, read_member

_UNIT_TOLERANCE = 1e-3


@dataclass(frozen=True)
class LegacyCache:
    """A cache file; row i of every array is one face record."""

    path: Path
    members: list[Member]
    unusable: str | None
    """Why its rows cannot be used at all; they are empty then."""
    sources: list[str]
    bbox: NDArray[np.float32]
    """(n, 4): x1, y1, x2, y2."""
    embeddings: NDArray[np.float32]
    """(n, dim), as they stand in the file."""
    det_score: NDArray[np.float32]
    """(n,): 0..1; 0 where the file does not say."""
    kps: NDArray[np.float32] | None
    """(n, 5, 2)."""
    sha256: list[str] | None
    problems: list[str | None]
    """Per row: why it cannot be used by itself (`nan_embedding`, `bad_box`, `no_source`)."""
    aliases: dict[str, str]
    """Path -> path whose bytes it shares."""
    noface: list[str]
    normalisation: str
    """`unit`, `raw`, or `none` for a file without usable rows."""

    def __len__(self) -> int:
        return len(self.sources)


def find_caches(root: Path, columns: ColumnMap) -> list[Path]:
    """The cache files of a legacy library that are there; an absolute path that is not there raises `SettingsError`."""
    found = []
    for name in columns.cache.files:
        path = Path(os.path.normpath(root / Path(name).expanduser()))
        if path.is_file():
            found.append(path)
        elif Path(name).expanduser().is_absolute():
            raise SettingsError(
                f"The legacy cache {path}, named by {columns.origin}, is missing. Mount its disk, or remove it from "
                "`cache.files`; nothing was changed."
            )
    return list(dict.fromkeys(found))


def read_cache(path: Path, columns: ColumnMap) -> LegacyCache:
    """Reads what the map names. Raises `SettingsError` for a map that names members which are not in the file."""
    fields = columns.cache
    members = list_members(path)
    usable = {member.name for member in members if member.refused is None}
    refused = {member.name: member.refused for member in members if member.refused is not None}
    _require(path, columns, members)
    blocked = [name for name in (fields.embedding, fields.source, fields.bbox) if name in refused]
    aliases = _aliases(path, fields.aliases) if fields.aliases in usable and fields.aliases else {}
    noface = _texts(read_member(path, fields.noface).ravel()) if fields.noface in usable and fields.noface else []
    if blocked:
        why = f"{', '.join(blocked)} cannot be used. {refused[blocked[0]]}"
        return LegacyCache(path, members, why, [], *_nothing(), None, None, [], aliases, noface, "none")
    return _rows(path, columns, members, usable, aliases, noface)


def _rows(
    path: Path, columns: ColumnMap, members: list[Member], usable: set[str], aliases: dict[str, str], noface: list[str]
) -> LegacyCache:
    fields = columns.cache
    sources = _texts(read_member(path, fields.source).ravel())
    count = len(sources)
    embeddings = _numbers(path, fields.embedding, (count, -1))
    bbox = as_xyxy(_numbers(path, fields.bbox, (count, 4)), fields.bbox_format)
    kps = _numbers(path, fields.kps, (count, 5, 2)) if fields.kps and fields.kps in usable else None
    det_score = _numbers(path, fields.det_score, (count,)) if fields.det_score and fields.det_score in usable else None
    digests = _texts(read_member(path, fields.sha256).ravel()) if fields.sha256 and fields.sha256 in usable else None
    norms = np.linalg.norm(embeddings.astype(np.float64), axis=1)
    problems = [_problem(*row) for row in zip(sources, bbox, norms, strict=True)]
    good = norms[np.isfinite(norms) & (norms > 0)]
    unit = "none" if not len(good) else "unit" if np.abs(good - 1).max() <= _UNIT_TOLERANCE else "raw"
    score = np.zeros(count, np.float32) if det_score is None else np.nan_to_num(det_score)
    return LegacyCache(
        path, members, None, sources, bbox, embeddings, score, kps, digests, problems, aliases, noface, unit
    )


def _problem(source: str, box: NDArray[np.float32], norm: float) -> str | None:
    if not source:
        return "no_source"
    if not np.isfinite(norm) or norm == 0:
        return "nan_embedding"
    return box_problem(box)


def _require(path: Path, columns: ColumnMap, members: list[Member]) -> None:
    fields = columns.cache
    named = {"embedding": fields.embedding, "source": fields.source, "bbox": fields.bbox}
    missing = [f"`{key}: {name}`" for key, name in named.items() if name not in {member.name for member in members}]
    if missing:
        raise SettingsError(
            f"The column map {columns.origin} says {', '.join(missing)} under `cache`, but the legacy cache {path} has "
            f"no such member. Found: {'; '.join(member.described() for member in members) or 'nothing'}. Name the "
            "right ones in facesets_legacy.yaml in FACESETS_HOME, or set `files: []` to do without the cache."
        )


def _numbers(path: Path, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """A member as float32 in this shape; -1 stands for any length."""
    found = read_member(path, name)
    try:
        if found.dtype.kind not in "fiu":
            raise ValueError(f"it holds {found.dtype}")
        return np.ascontiguousarray(found.reshape(shape), np.float32)
    except ValueError as error:
        wanted = tuple("any" if side == -1 else side for side in shape)
        raise SettingsError(
            f"`{name}` in the legacy cache {path} has shape {found.shape} and type {found.dtype}, expected numbers of "
            f"shape {wanted} ({error}). Name the right member in the column map."
        ) from error


def _aliases(path: Path, name: str) -> dict[str, str]:
    found = read_member(path, name)
    if found.ndim != 2 or found.shape[1] != 2:
        raise SettingsError(
            f"`{name}` in the legacy cache {path} has shape {found.shape}, expected (m, 2): a path and the path whose "
            "bytes it shares. Set `cache.aliases: null` in the column map to do without."
        )
    return dict(zip(_texts(found[:, 0]), _texts(found[:, 1]), strict=True))


def _texts(values: NDArray[Any]) -> list[str]:
    """Text of text or bytes; undecodable bytes as the file system spells them."""
    return [os.fsdecode(value) if isinstance(value, bytes) else str(value) for value in values.tolist()]


def _nothing() -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    return np.zeros((0, 4), np.float32), np.zeros((0, 0), np.float32), np.zeros(0, np.float32)
