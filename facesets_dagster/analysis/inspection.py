"""Published pictures looked at from outside, as files."""

from collections.abc import Callable

import numpy as np

from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.library.library import Library


def pictures_without_one_face(library: Library, names: list[str], embedder: Callable[[], Embedder]) -> list[str]:
    """`faceset/file: n faces` for every PNG of these facesets in which the detector does not find exactly one."""
    import cv2

    bad: list[str] = []
    for name in sorted(names):
        for path in sorted((library.folder / name / "faces").glob("*.png")):
            image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
            found = -1 if image is None else len(embedder().detect(np.asarray(image, np.uint8)))
            if found != 1:
                bad.append(f"{name}/{path.name}: {'not readable' if found < 0 else f'{found} faces'}")
    return bad
