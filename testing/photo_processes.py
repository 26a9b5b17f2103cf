"""Photo processes that meet what tests prepare: code that runs when they start, as a site's own start-up module."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from facesets_dagster.photos.workers.decoders import photo_decoders

WITHOUT_OPTIONAL_DECODERS = "import sys\nsys.modules['rawpy'] = sys.modules['pillow_jxl'] = None\n"


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
