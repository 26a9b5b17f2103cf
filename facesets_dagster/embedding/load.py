"""Loading a pack once per process: the same configuration gives the same object, from whichever thread."""

import hashlib
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

from facesets_dagster.embedding.embedder import Embedder, ModelPack
from facesets_dagster.embedding.faster import SessionOptions
from facesets_dagster.embedding.free_sides import needs_free_sides, write_free_sides
from facesets_dagster.embedding.landmarks import Enricher, ExtraModel, kept_digest
from facesets_dagster.embedding.model_shapes import shape_of
from facesets_dagster.embedding.pack_embedder import LoadAt
from facesets_dagster.embedding.packs import EMBEDDED, PackFiles, find_pack
from facesets_dagster.embedding.precision import FP32

DET_SIZE = 640
"""Side of the detector's input where nothing is chosen, px; part of model_id."""
BATCH_CPU, BATCH_GPU = 1, 32
"""Faces per call of the recogniser where nothing is chosen: a larger batch is slower on a CPU."""

_LOCK = threading.Lock()
_LOADED: dict[tuple[object, ...], Embedder] = {}


def describe_pack(pack_name: str, *, models_root: Path, det_size: int, precision: str = FP32) -> ModelPack:
    """What identifies a pack; reads the weights' digests but opens no session."""
    files = find_pack(pack_name, models_root)
    text = f"{kept_digest(files.detector)}:{kept_digest(files.recogniser)}:{det_size}"
    text += "" if precision == FP32 else f":{precision}"
    return ModelPack(
        files.name,
        hashlib.sha256(text.encode()).hexdigest()[:16],
        det_size,
        shape_of(files.recogniser).length,
        files.detector.name,
        files.recogniser.name,
        precision,
    )


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
    """The embedder of a pack, opened once for a configuration; `recogniser_batch` 0 = what suits the provider."""
    pack = describe_pack(pack_name, models_root=models_root, det_size=det_size, precision=precision)
    options = SessionOptions(providers, threads)
    key = (pack, options, recogniser_batch)

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
            batch = recogniser_batch or (BATCH_CPU if providers[0] == "CPUExecutionProvider" else BATCH_GPU)
            _LOADED[key] = _opened(pack, find_pack(pack_name, models_root), options, batch, load_at)
        return _LOADED[key]


def open_enricher(model: ExtraModel, *, providers: tuple[str, ...], threads: int) -> Enricher:
    """One of a pack's other models, opened."""
    from facesets_dagster.embedding.landmark_models import InsightfaceEnricher

    return InsightfaceEnricher(model, providers=providers, threads=threads)


def _opened(pack: ModelPack, files: PackFiles, options: SessionOptions, batch: int, load_at: LoadAt) -> Embedder:
    """The embedder of a pack, by whose files it is."""
    with tempfile.TemporaryDirectory() as scratch:
        if needs_free_sides(files.detector, pack.det_size):
            files = replace(files, detector=write_free_sides(files.detector, Path(scratch)))
        if files.name == EMBEDDED:
            from facesets_dagster.embedding.embedded_pack import EmbeddedEmbedder

            return EmbeddedEmbedder(pack, files, options, batch=batch, load_at=load_at)
        from facesets_dagster.embedding.insightface_pack import InsightfaceEmbedder

        return InsightfaceEmbedder(pack, files, options, batch=batch, load_at=load_at)
