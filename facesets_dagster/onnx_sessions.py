"""ONNX Runtime sessions that run on the chosen provider, or not at all."""

from pathlib import Path
from typing import TYPE_CHECKING

from facesets_dagster.errors import ProviderUnavailable, SessionFailed

if TYPE_CHECKING:
    import onnxruntime as ort

_CUDA = {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}
"""The same kernels in every run, whatever else the GPU does, and fp32 that is fp32."""


def is_nvidia(provider: str) -> bool:
    """Whether a provider runs on a GPU of NVIDIA."""
    return provider.startswith(("CUDA", "Tensorrt"))


def open_session(model: Path | bytes, *, providers: tuple[str, ...], threads: int) -> "ort.InferenceSession":
    """A session whose first provider is the first of `providers`.

    Raises `ProviderUnavailable` if it is another one (ONNX Runtime falls back to the CPU without raising), and
    `SessionFailed` if the model cannot be opened.
    """
    import onnxruntime as ort

    available = ort.get_available_providers()
    if providers[0] not in available:
        raise ProviderUnavailable(_advice(providers[0], f"the installed onnxruntime offers {', '.join(available)}"))
    if is_nvidia(providers[0]) and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    source = model if isinstance(model, bytes) else str(model)
    wanted = [(name, _CUDA if name.startswith("CUDA") else {}) for name in providers if name in available]
    try:
        session = ort.InferenceSession(source, sess_options=options, providers=wanted)
    except Exception as error:  # ONNX Runtime has no common base class for what a bad file or driver raises
        name, advice = str(model), "Fetch it again."
        if isinstance(model, bytes):
            name, advice = "A graph made by this program", "Install the onnxruntime that uv.lock names: `make setup`."
        raise SessionFailed(f"{name} cannot be opened ({type(error).__name__}: {error}). {advice}") from error
    if session.get_providers()[0] != providers[0]:
        raise ProviderUnavailable(_advice(providers[0], f"the session got {', '.join(session.get_providers())}"))
    return session


def _advice(wanted: str, found: str) -> str:
    return (
        f"{wanted} is not available: {found}. For an NVIDIA GPU run `make setup ACCEL=gpu` and check the driver "
        "(`nvidia-smi`); to use the CPU, set FACESETS_PROVIDERS=cpu."
    )
