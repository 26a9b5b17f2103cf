"""Where the sample's pictures come from: files that packages ship. Nothing here is copied into the repository.

insightface's wheel (`t1.jpg`, six people; `Tom_Hanks_54745.png`), scikit-image (`astronaut`, NASA, public domain, and
pictures without people), and, if the registry can be reached, the source distribution of face_recognition 1.3.0 (real
second photos of one person), taken as a file.
"""

import hashlib
import subprocess
import sys
import tarfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facesets_dagster.errors import SettingsError
from facesets_dagster.files.writing import write_bytes

_SDIST = "face_recognition-1.3.0.tar.gz"
_SDIST_SHA256 = "5e5efdd1686aa566af0d3cc1313b131e4b197657a8ffd03669e6d3fad92705ec"
_REAL = ("obama.jpg", "obama2.jpg", "obama3.jpg", "biden.jpg")
NO_FACE = ("coffee.png", "rocket.jpg", "chelsea.png", "brick.png")


def package_file(package: str, *parts: str) -> Path:
    """A file inside an installed package, found without importing it."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise SettingsError(f"The package {package} is not installed; the sample takes pictures from it. `make setup`.")
    path = Path(spec.origin).parent.joinpath(*parts)
    if not path.exists():
        raise SettingsError(f"{path} is missing; another release of {package} than uv.lock names? Run `make setup`.")
    return path


def read_picture(path: Path) -> NDArray[np.uint8]:
    """A picture (h, w, 3), BGR."""
    image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise SettingsError(f"{path} is not a picture. Run `make setup` again.")
    return np.asarray(image, np.uint8)


def real_photos(cache_dir: Path, say: Callable[[str], None]) -> list[Path]:
    """Photos of two people out of face_recognition's source distribution; an empty list where it cannot be had."""
    wanted = [cache_dir / name for name in _REAL]
    if not all(path.exists() for path in wanted):
        archive = _fetch(cache_dir, say)
        if archive is None:
            return []
        with tarfile.open(archive) as tar:
            for path in wanted:
                member = tar.extractfile(f"face_recognition-1.3.0/tests/test_images/{path.name}")
                if member is not None:
                    write_bytes(path, member.read())
    return [path for path in wanted if path.exists()]


def _fetch(cache_dir: Path, say: Callable[[str], None]) -> Path | None:
    archive = cache_dir / _SDIST
    if not archive.exists():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=:all:"]
        cache_dir.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [*command, "--dest", str(cache_dir), "face_recognition==1.3.0"], capture_output=True, text=True, check=False
        )
        if done.returncode or not archive.exists():
            say("face_recognition's source distribution cannot be fetched; the sample is made without its photos")
            return None
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != _SDIST_SHA256:
        archive.unlink()
        raise SettingsError(f"{_SDIST} has sha256 {digest}, expected {_SDIST_SHA256}. It was removed; try again.")
    return archive
