"""Photo processes that meet what tests prepare: code that runs when they start, as a site's own start-up module."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from facesets_dagster.photos.workers.decoders import photo_decoders

WITHOUT_OPTIONAL_DECODERS = "import sys\nsys.modules['rawpy'] = sys.modules['pillow_jxl'] = None\n"


def photo_processes() -> list[psutil.Process]:
    """Photo processes of the process of the tests: it has other children too, as the database server of its tests."""
    return [one for one in psutil.Process().children() if "photo_process" in " ".join(_command_line(one))]


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []


@contextmanager
def started_with(code: str, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Within the block photo processes run this code first. `folder`: an empty one for it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(code)
    photo_decoders().end_idle()
    with patch.context() as within:
        within.setenv("PYTHONPATH", f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
        yield
    photo_decoders().end_idle()


_PLUGIN = """
import os, signal, time
from PIL import Image, ImageFile
class Hostile(ImageFile.ImageFile):
    format = "HOSTILE"
    def _open(self):
        what = self.fp.read(64)
        if what.startswith(b"HOSTILE abort"):
            os.abort()
        if what.startswith(b"HOSTILE hang"):
            time.sleep(1000)
        if what.startswith(b"HOSTILE flood"):
            self.flood = [bytearray(10**8) for _ in range(1000)]
        if what.startswith(b"HOSTILE killed"):
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError("damaged")
Image.register_open("HOSTILE", Hostile, lambda prefix: prefix.startswith(b"HOSTILE"))
original = os.open
def slow(path, *arguments, **options):
    if str(path).endswith("does not answer.jpg"):
        time.sleep(1000)
    return original(path, *arguments, **options)
os.open = slow
"""


@contextmanager
def hostile_photos(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Within the block a decoder is installed that aborts, hangs, floods the memory or is killed, as the file says.

    Such files begin with `HOSTILE` and a word; reading a file named `does not answer.jpg` hangs.
    """
    with started_with(_PLUGIN, folder, patch):
        yield
