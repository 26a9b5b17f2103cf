"""Exports for other programs, of all facesets of the labelled photos, read back by readers that know only the formats.

The readers are those of the tests, written from the formats' descriptions. What they find is laid beside the library:
manifest, npz, pictures. The reference pack has no landmark models, so a copy of it gets tiny ones of the right shapes
(those of the tests): ReActor's tensors are then read back too, with landmarks that mean nothing.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray

from testing.consumer_readers import read_rope, read_safetensors, read_visomaster
from testing.homes import RealHome, files_below, link_photos
from testing.landmark_models import write_models
from testing.measurements.row import Row
from testing.paths import REPOSITORY, SHARED

BUCKET = "all"
SMALL_PORTRAITS = """\
ops:
  osrc_clusters: {config: {min_face_short_px: 40}}
  swap_ready_facesets: {config: {min_face_short_px: 40}}
"""
CONSUMERS = ("facefusion", "reactor", "rope", "visomaster")


@dataclass
class _Compared:
    """What a reader found of one consumer's files against the library."""

    facesets: set[str] = field(default_factory=set)
    values: int = 0
    equal: int = 0
    off: list[str] = field(default_factory=list)

    def add(self, faceset: str, what: str, found: NDArray[np.generic], wanted: NDArray[np.generic]) -> None:
        """Counts values; other shapes count as none equal."""
        self.facesets.add(faceset)
        self.values += wanted.size
        same = int((found == wanted).sum()) if found.shape == wanted.shape else 0
        self.equal += same
        if same != wanted.size:
            self.off.append(f"{faceset} {what}")


def measure_consumers(pack: str, models_root: Path) -> list[Row]:
    """One home with all labelled photos and groups; exports for all four, twice."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "pack with landmark models"
        shutil.copytree(pack, copy)
        home = RealHome(Path(scratch) / "home", str(write_models(copy)), models_root)
        link_photos(home.folder / "buckets" / BUCKET, files_below(SHARED / "data", "labelled", "groups"))
        home.facesets("init")
        config = home.folder.with_suffix(".yaml")
        config.write_text(SMALL_PORTRAITS)
        home.facesets("run", BUCKET, "--config", str(config))
        export(home)
        before = _state(home)
        export(home)
        rewritten = sum(before.get(path) != state for path, state in _state(home).items())
        return [*_rows(home), Row("files that a second export wrote", rewritten, "files", target="0",
                                  met=rewritten == 0, note=f"of {len(before)}")]  # fmt: skip


def export(home: RealHome) -> None:
    """Materializes `consumer_exports`, as a click on it does."""
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "-m", "facesets_dagster.definitions"]
    done = subprocess.run(
        [*command, "--select", "consumer_exports"],
        cwd=REPOSITORY,
        env={**home.environment, "DAGSTER_HOME": str(home.settings.dagster_home)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"consumer_exports failed\n{done.stderr[-4000:]}")


def _rows(home: RealHome) -> Iterator[Row]:
    live = [identity.name for identity in home.library.registry.identities() if identity.live]
    for consumer, compared in compare(home, live).items():
        share = compared.equal / max(compared.values, 1)
        missing = sorted(set(live) - compared.facesets)
        note = f"{len(compared.facesets)} of {len(live)} facesets, {compared.values} values"
        wrong = [*compared.off, *(f"{name} is missing" for name in missing)]
        yield Row(f"{consumer}: values read back that equal the library's", share, "share", target="1",
                  met=bool(live) and not wrong, note="; ".join([note, *wrong[:5]]))  # fmt: skip


def compare(home: RealHome, names: list[str]) -> Mapping[str, _Compared]:
    """Consumer -> its files against the library."""
    root, found = home.settings.exports_dir, {consumer: _Compared() for consumer in CONSUMERS}
    rope = dict(read_rope(root / "rope" / "merged_embeddings.txt"))
    landmarks = _landmarks(home)
    for name in names:
        folder = home.library.folder / name
        faces = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["faces"]
        with np.load(folder / f"{name}.npz", allow_pickle=False) as vectors:
            mean = vectors["embedding"]
        found["rope"].add(name, "embedding", rope.get(name, np.empty(0)), mean)
        ((_, embedding),) = read_visomaster(root / "visomaster" / f"{name}.json")
        found["visomaster"].add(name, "embedding", embedding, mean)
        for face in faces:
            picture = _pixels(root / "facefusion" / name / f"{face['rank']:04d}.png")
            found["facefusion"].add(name, face["file"], picture, _pixels(folder / face["file"]))
        tensors, metadata = read_safetensors(root / "reactor" / f"{name}.safetensors")
        given = {key: np.asarray(faces[0][key], np.float32) for key in ("bbox", "kps", "det_score")}
        for key, value in {**given, "embedding": mean, **landmarks[faces[0]["face_id"]]}.items():
            found["reactor"].add(name, key, tensors[key], value)
        ids = json.loads(metadata["facesets"])["face_ids"]
        found["reactor"].add(name, "face ids", np.array(ids), np.array([face["face_id"] for face in faces]))
    return found


def _pixels(path: Path) -> NDArray[np.generic]:
    pixels = cv2.imread(str(path))
    return np.empty(0) if pixels is None else pixels


def _landmarks(home: RealHome) -> dict[str, dict[str, NDArray[np.generic]]]:
    """face_id -> values on record of `face_landmarks`."""
    values: dict[str, dict[str, NDArray[np.generic]]] = {}
    for path in sorted((home.settings.cache_dir / "face_landmarks").rglob("*.parquet")):
        table = pl.read_parquet(path)
        for name in table.columns[1:]:
            for face_id, value in zip(table["face_id"], table[name].to_list(), strict=True):
                dtype = np.int64 if isinstance(value, int) else np.float32
                values.setdefault(face_id, {})[name] = np.asarray(value, dtype)
    return values


def _state(home: RealHome) -> dict[str, tuple[int, int]]:
    """Path -> size and time, of every file below `exports/`."""
    files = [path for path in sorted(home.settings.exports_dir.rglob("*")) if path.is_file()]
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}
