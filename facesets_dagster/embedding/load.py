"""Loading a pack once per process: the same configuration gives the same object, from whichever thread."""

import hashlib
import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from facesets_dagster.embedding.embedder import Embedder, ModelPack
from facesets_dagster.embedding.packs import EMBEDDED, PackFiles, find_pack
from facesets_dagster.embedding.precision import FP32
from facesets_dagster.files.writing import sha256_of

BATCH_CPU, BATCH_GPU = 1, 32
"""Faces per call of the recogniser where nothing is chosen: a larger batch is slower on a CPU."""

_LOCK = threading.Lock()
_LOADED: dict[tuple[object, ...], Embedder] = {}
_DESCRIBED: dict[tuple[object, ...], ModelPack] = {}


def describe_pack(pack_name: str, *, models_root: Path, det_size: int, precision: str = FP32) -> ModelPack:
    """What identifies a pack; reads the weights' digests but opens no session."""
    files = find_pack(pack_name, models_root)
    key = (det_size, precision, *(_stamp(path) for path in (files.detector, files.recogniser)))
    with _LOCK:
        if key not in _DESCRIBED:
            _DESCRIBED[key] = _described(files, det_size, precision)
        return _DESCRIBED[key]


def load_embedder(
    pack_name: str,
    *,
    models_root: Path,
    providers: tuple[str, ...],
    det_size: int,
    threads: int,
    recogniser_batch: int,
    precision: str = FP32,
) -> Embedder:
    """The embedder of a pack, loaded at most once for a configuration; `recogniser_batch` 0 = as the provider likes."""
    pack = describe_pack(pack_name, models_root=models_root, det_size=det_size, precision=precision)
    key = (pack, providers, threads, recogniser_batch)

    def load_at(other_size: int) -> Embedder:
        return load_embedder(
            pack_name,
            models_root=models_root,
            providers=providers,
            det_size=other_size,
            threads=threads,
            recogniser_batch=recogniser_batch,
            precision=precision,
        )

    with _LOCK:
        if key not in _LOADED:
            _LOADED[key] = _loaded(
                find_pack(pack_name, models_root), pack, providers, threads, recogniser_batch, load_at
            )
        return _LOADED[key]


class _Siblings:
    """What loading adds to a pack's embedder: the way to the one that detects at another size."""

    load_at: Callable[[int], Embedder]

    def at(self, det_size: int) -> Embedder:
        """The embedder of the same configuration with this `det_size`."""
        return self.load_at(det_size)


def _loaded(
    files: PackFiles,
    pack: ModelPack,
    providers: tuple[str, ...],
    threads: int,
    recogniser_batch: int,
    load_at: Callable[[int], Embedder],
) -> Embedder:
    from facesets_dagster.embedding.free_sides import needs_free_sides, write_free_sides

    if files.name == EMBEDDED:
        from facesets_dagster.embedding.embedded_pack import EmbeddedEmbedder

        class Loaded(_Siblings, EmbeddedEmbedder):
            """Of the embedded pack."""

    else:
        from facesets_dagster.embedding.insightface_pack import InsightfaceEmbedder

        class Loaded(_Siblings, InsightfaceEmbedder):  # type: ignore[no-redef]
            """Of an insightface pack."""

    with tempfile.TemporaryDirectory() as scratch:
        if needs_free_sides(files.detector, pack.det_size):
            files = replace(files, detector=write_free_sides(files.detector, Path(scratch)))
        batch = recogniser_batch or (BATCH_CPU if providers[0] == "CPUExecutionProvider" else BATCH_GPU)
        embedder = Loaded(pack, files, providers=providers, threads=threads, batch=batch)
    embedder.load_at = load_at
    return embedder


def _described(files: PackFiles, det_size: int, precision: str) -> ModelPack:
    import onnx

    text = f"{sha256_of(files.detector)}:{sha256_of(files.recogniser)}:{det_size}"
    text += "" if precision == FP32 else f":{precision}"
    model = onnx.load(str(files.recogniser), load_external_data=False)
    dim = model.graph.output[0].type.tensor_type.shape.dim[-1].dim_value
    return ModelPack(
        files.name,
        hashlib.sha256(text.encode()).hexdigest()[:16],
        det_size,
        dim,
        files.detector.name,
        files.recogniser.name,
        precision,
    )


def _stamp(path: Path) -> tuple[str, int, int]:
    status = path.stat()
    return str(path), status.st_size, status.st_mtime_ns
