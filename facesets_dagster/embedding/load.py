"""Loading a pack once per process: the same configuration gives the same object, from whichever thread."""

import hashlib
import threading
from pathlib import Path

from facesets_dagster.embedding.embedder import Embedder, ModelPack
from facesets_dagster.embedding.packs import EMBEDDED, PackFiles, find_pack
from facesets_dagster.storage import sha256_of

_LOCK = threading.Lock()
_LOADED: dict[tuple[object, ...], Embedder] = {}
_DESCRIBED: dict[tuple[object, ...], ModelPack] = {}


def describe_pack(pack_name: str, *, models_root: Path, det_size: int) -> ModelPack:
    """What identifies a pack; reads the weights' digests but opens no session."""
    files = find_pack(pack_name, models_root)
    key = (det_size, *(_stamp(path) for path in (files.detector, files.recogniser)))
    with _LOCK:
        if key not in _DESCRIBED:
            _DESCRIBED[key] = _described(files, det_size)
        return _DESCRIBED[key]


def load_embedder(
    pack_name: str,
    *,
    models_root: Path,
    providers: tuple[str, ...],
    det_size: int,
    threads: int,
    recogniser_batch: int,
) -> Embedder:
    """The embedder of a pack, loaded at most once for a configuration."""
    pack = describe_pack(pack_name, models_root=models_root, det_size=det_size)
    key = (pack, providers, threads, recogniser_batch)
    with _LOCK:
        if key not in _LOADED:
            _LOADED[key] = _loaded(find_pack(pack_name, models_root), pack, providers, threads, recogniser_batch)
        return _LOADED[key]


def _loaded(
    files: PackFiles, pack: ModelPack, providers: tuple[str, ...], threads: int, recogniser_batch: int
) -> Embedder:
    if files.name == EMBEDDED:
        from facesets_dagster.embedding.embedded_pack import EmbeddedEmbedder as Chosen
    else:
        from facesets_dagster.embedding.insightface_pack import InsightfaceEmbedder as Chosen  # type: ignore[assignment]
    return Chosen(pack, files, providers=providers, threads=threads, recogniser_batch=recogniser_batch)


def _described(files: PackFiles, det_size: int) -> ModelPack:
    import onnx

    text = f"{sha256_of(files.detector)}:{sha256_of(files.recogniser)}:{det_size}"
    model = onnx.load(str(files.recogniser), load_external_data=False)
    dim = model.graph.output[0].type.tensor_type.shape.dim[-1].dim_value
    return ModelPack(
        files.name,
        hashlib.sha256(text.encode()).hexdigest()[:16],
        det_size,
        dim,
        files.detector.name,
        files.recogniser.name,
    )


def _stamp(path: Path) -> tuple[str, int, int]:
    status = path.stat()
    return str(path), status.st_size, status.st_mtime_ns
