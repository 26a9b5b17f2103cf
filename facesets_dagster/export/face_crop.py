"""The picture of one face: plan after plan, until a crop shows its consumers this face and no other.

A face that is found beside it is painted out and the plan tried again, before the crop gets tighter.
"""

import io
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.errors import PhotoError
from facesets_dagster.export.crop import CropPlan, crop_plans, into_crop, into_photo, square_around, square_crop
from facesets_dagster.export.crop_check import CONSUMER_DET_SIZES, Look, look_again
from facesets_dagster.export.curation import ExportParameters
from facesets_dagster.export.png import encode_png, read_lineage
from facesets_dagster.identities.gates import Verdict

LoadPhoto = Callable[[str], NDArray[np.uint8]]
"""Pixels (h, w, 3), BGR, upright, of the content with this sha256; raises `PhotoError` if it cannot be read now."""

_RETOUCHES = 3
"""Crops of one plan, each with what the one before showed beside the face painted out."""


def lineage(row: Mapping[str, object], parameters: ExportParameters, plan: CropPlan | None) -> dict[str, object]:
    """What a PNG says of itself; without `plan` the part that does not depend on how the crop came out."""
    base: dict[str, object] = {
        "schema_version": 1,
        "face_id": row["face_id"],
        "source": {"bucket": row["bucket"], "sha256": row["sha256"]},
        "bbox": [round(float(value), 3) for value in row["bbox"]],  # type: ignore[attr-defined]
        "model_id": row["model_id"],
        "crop_px": parameters.crop_px,
        "crop_padding": parameters.crop_padding,
    }
    if plan is not None:
        base["crop"] = {
            "padding": plan.padding,
            "border": plan.border,
            "neighbours_painted_out": plan.paint_neighbours,
            "looked_at": list(CONSUMER_DET_SIZES),
        }
    return base


def face_crop(
    row: Mapping[str, object],
    parameters: ExportParameters,
    embedder: Callable[[], Embedder],
    load_photo: LoadPhoto,
    neighbours: NDArray[np.float32],
    published: bytes | None,
) -> bytes | Verdict:
    """A PNG of the face of a row of the face table, or why there is none.

    `neighbours`: boxes (m, 4) of the photo's other faces; `published`: its PNG of an earlier run. That is given out
    again, unless a consumer sees something else in it and the photo is there to do better.
    """
    if published is not None and _still_good(published, row, parameters, embedder):
        return published
    try:
        photo = load_photo(str(row["sha256"]))
    except PhotoError as error:
        return published or Verdict(f"crop_failed:{error.reason}")
    first: Verdict | None = None
    for plan in crop_plans(parameters.crop_padding):
        for _ in range(_RETOUCHES if plan.paint_neighbours else 1):
            crop = square_crop(photo, _bbox(row), neighbours, plan, parameters.crop_px)
            look = _look(crop, row, parameters, plan.padding, embedder())
            if look.verdict is None:
                return encode_png(crop, lineage(row, parameters, plan))
            first = first or look.verdict
            found = _inside(into_photo(look.others, square_around(_bbox(row), plan.padding), parameters.crop_px), photo)
            neighbours = np.concatenate([neighbours, found])
            if not len(found):
                break
    assert first is not None  # crop_plans always yields
    return first


def _look(
    crop: NDArray[np.uint8], row: Mapping[str, object], parameters: ExportParameters, padding: float, embedder: Embedder
) -> Look:
    own = into_crop(_bbox(row), square_around(_bbox(row), padding), parameters.crop_px)
    source = np.asarray(row["embedding"], np.float32)
    return look_again(crop, own, source, embedder, person_distance=parameters.outlier_distance)


def _still_good(
    png: bytes, row: Mapping[str, object], parameters: ExportParameters, embedder: Callable[[], Embedder]
) -> bool:
    """Whether a published picture was looked at as its consumers will; if that is not on record, it is done now."""
    import cv2

    made = (read_lineage(io.BytesIO(png)) or {}).get("crop")
    assert isinstance(made, dict)  # it was told by this lineage
    if set(CONSUMER_DET_SIZES) <= set(made.get("looked_at", [])):
        return True
    crop = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    if crop is None:
        return False
    return _look(np.asarray(crop, np.uint8), row, parameters, float(made["padding"]), embedder()).verdict is None


def _inside(boxes: NDArray[np.float32], photo: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Those of the boxes (n, 4) whose centre lies in the photo: a mirrored edge shows faces that are not there."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    inside = (centre >= 0).all(axis=1) & (centre < np.array(photo.shape[1::-1])).all(axis=1)
    return boxes[inside]


def _bbox(row: Mapping[str, object]) -> NDArray[np.float32]:
    return np.asarray(row["bbox"], np.float32)
