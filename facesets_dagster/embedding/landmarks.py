"""The narrow interface to models of a face beyond box and embedding: landmarks, pose, gender, age.

Implemented by `landmark_models` and by stand-ins in tests, used by `analysis.face_landmarks`. Not a part of `Embedder`:
few packs have such models, and only exports need their values. Nothing here imports a model library.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.model_shapes import GENDER_AGE, LANDMARK_2D, LANDMARK_3D, extra_models
from facesets_dagster.files.states import kept_by_state
from facesets_dagster.files.writing import sha256_of

Values = Mapping[str, NDArray[np.generic]]
"""Values of one face, by insightface's names; shapes as in `VALUES`."""

VALUES: dict[str, dict[str, tuple[type[np.generic], tuple[int, ...]]]] = {
    LANDMARK_2D: {"landmark_2d_106": (np.float32, (106, 2))},
    LANDMARK_3D: {"landmark_3d_68": (np.float32, (68, 3)), "pose": (np.float32, (3,))},
    GENDER_AGE: {"gender": (np.int64, ()), "age": (np.int64, ())},
}
"""Task -> its values with dtype and shape. Landmarks: px of the upright photo, z in px too; `pose`: pitch,
yaw, roll in degrees; `gender`: 0 female, 1 male; `age`: years."""


@dataclass(frozen=True)
class ExtraModel:
    """A model of a pack beyond detector and recogniser."""

    task: str
    """A key of `VALUES`."""
    file: Path
    sha256: str


class Enricher(Protocol):
    """One model at work."""

    def describe(self, image: NDArray[np.uint8], bbox: NDArray[np.float32]) -> Values:
        """Values of the face at `bbox` (x1, y1, x2, y2 in px) of a photo (h, w, 3), BGR, upright."""
        ...


kept_digest = kept_by_state(sha256_of)
"""sha256 of a file of a hundred megabytes, which every run needs."""


def find_extra_models(folder: Path) -> dict[str, ExtraModel]:
    """Task -> model of what a pack's folder has; opens no session."""
    return {task: ExtraModel(task, file, kept_digest(file)) for task, file in extra_models(folder).items()}
