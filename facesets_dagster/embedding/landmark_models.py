"""insightface's landmark and attribute models, by its own classes on our sessions."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.landmarks import VALUES, ExtraModel, Values
from facesets_dagster.embedding.model_shapes import GENDER_AGE
from facesets_dagster.errors import ModelPackInvalid
from facesets_dagster.onnx_sessions import open_session

if TYPE_CHECKING:
    from insightface.model_zoo.attribute import Attribute
    from insightface.model_zoo.landmark import Landmark


class InsightfaceEnricher:
    """Implements `Enricher`: `Landmark` for landmarks and pose, `Attribute` for gender and age."""

    def __init__(self, model: ExtraModel, *, providers: tuple[str, ...], threads: int) -> None:
        self._values = VALUES[model.task]
        self._file = model.file
        self._model = _opened(model, providers, threads)

    def describe(self, image: NDArray[np.uint8], bbox: NDArray[np.float32]) -> Values:
        """The classes write what they find onto the face that they are given, as they do for `FaceAnalysis`."""
        from insightface.app.common import Face

        face = Face(bbox=np.asarray(bbox, np.float32))
        self._model.get(image, face)
        found: dict[str, NDArray[np.generic]] = {}
        for name, (dtype, shape) in self._values.items():
            value = np.asarray(face[name], dtype)
            if value.shape != shape:
                raise ModelPackInvalid(
                    f"{self._file} gives {name} of shape {value.shape}, expected {shape}. Fetch the pack again."
                )
            found[name] = value
        return found


def _opened(model: ExtraModel, providers: tuple[str, ...], threads: int) -> "Attribute | Landmark":
    from insightface.model_zoo.attribute import Attribute
    from insightface.model_zoo.landmark import Landmark

    chosen = Attribute if model.task == GENDER_AGE else Landmark
    return chosen(str(model.file), session=open_session(model.file, providers=providers, threads=threads))
