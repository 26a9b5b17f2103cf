"""Faces whose photo is gone, seen by another model in the picture that their faceset shows of them.

Such a face keeps its id, its box and its picture; only the embedding is of the new model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import Detections, Embedder
from facesets_dagster.export.crop import CropFrame, CropPlan
from facesets_dagster.export.png import encode_png, read_lineage
from facesets_dagster.files.writing import write_bytes
from facesets_dagster.identities.geometry import iou
from facesets_dagster.identities.reanchoring import SAME_FACE

Row = Mapping[str, object]


@dataclass
class FromPictures:
    """Looks at pictures, and keeps those of faces that are found, marked with the new model."""

    embedder: Embedder
    folder: Path
    """Where they are kept until the facesets are written."""
    found: dict[str, Path] = field(default_factory=dict)
    """face_id -> its picture."""

    def see(self, row: Row, picture: Path) -> dict[str, object] | None:
        """A row of the face table as the new model has it; None if it does not find the face in the picture."""
        import cv2

        lineage = read_lineage(picture)
        image = cv2.imread(str(picture), cv2.IMREAD_COLOR)
        if image is None or lineage is None or not isinstance(lineage.get("crop"), dict):
            return None
        crop = np.asarray(image, np.uint8)
        place = _the_face(self.embedder.detect(crop), _own_box(row, lineage, crop.shape[0]))
        if place is None:
            return None
        vector = self.embedder.embed(crop, place)[0]
        model_id = self.embedder.pack.model_id
        path = self.folder / f"{row['face_id']}.png"
        write_bytes(path, encode_png(crop, {**lineage, "model_id": model_id}))
        self.found[str(row["face_id"])] = path
        return {**row, "model_id": model_id, "source_missing": True, "embedding": vector}


def _own_box(row: Row, lineage: Mapping[str, object], size: int) -> NDArray[np.float32]:
    """The face's box (4,) in px of its picture."""
    made = lineage["crop"]
    assert isinstance(made, dict)
    turn = float(made.get("turned", 0.0))
    plan = CropPlan(float(made["padding"]), made["border"], made["neighbours_painted_out"], turn)
    bbox = np.asarray(row["bbox"], np.float32)
    return CropFrame.around(bbox, plan, size).into_crop(bbox)


def _the_face(found: Detections, own: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Landmarks (1, 5, 2) of the face that overlaps `own` (4,) most; None if none does by half."""
    if not len(found):
        return None
    overlap = iou(found.bbox, own[None])[:, 0]
    best = int(overlap.argmax())
    return found.kps[best : best + 1] if overlap[best] >= SAME_FACE else None
