"""The picture of one face: plan after plan, until a crop shows its consumers this face and no other.

A face that is found beside it is painted out and the plan tried again, before the crop gets tighter. A tilted face of
which no crop is good is set upright: a detector's landmarks may be astray on it, and not even in the same way at two
sizes (`docs/decisions/crop-check.md`).
"""

import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.errors import PhotoError
from facesets_dagster.export.crop import (
    CropFrame,
    CropPlan,
    clipped_plans,
    crop_plans,
    roll_of,
    square_crop,
    upright_plans,
    wanted_border,
)
from facesets_dagster.export.crop_check import CONSUMER_DET_SIZES, Likeness, Look, look_again
from facesets_dagster.export.curation import ExportParameters
from facesets_dagster.export.png import encode_png, read_lineage
from facesets_dagster.identities.gates import Verdict


class LoadPhoto(Protocol):
    """Photos by the sha256 of their content; raises `PhotoError` for one that cannot be read now."""

    def __call__(self, sha256: str, /) -> NDArray[np.uint8]:
        """Pixels (h, w, 3), BGR, upright."""
        ...

    def undecoded(self, sha256: str, /) -> NDArray[np.bool_] | None:
        """(h, w), True where the photo could not be decoded; None if that is nowhere."""
        ...


_RETOUCHES = 3
"""Crops of one plan, each with what the one before showed beside the face painted out."""


def turn_of(row: Mapping[str, object]) -> dict[str, object]:
    """`turn` of a photo that is turned beyond its EXIF orientation: boxes and landmarks are those of the turned one."""
    return {"turn": row["turn"]} if row.get("turn") else {}


def source_of(row: Mapping[str, object]) -> dict[str, object]:
    """What manifests say of the photo of a face, a row of the face table."""
    return {**{name: row[name] for name in ("bucket", "path", "sha256", "aliases")}, **turn_of(row)}


def lineage(row: Mapping[str, object], parameters: ExportParameters, plan: CropPlan | None) -> dict[str, object]:
    """What a PNG says of itself; without `plan` the part that does not depend on how the crop came out."""
    base: dict[str, object] = {
        "schema_version": 1,
        "face_id": row["face_id"],
        "source": {"bucket": row["bucket"], "sha256": row["sha256"], **turn_of(row)},
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
            **({"turned": plan.turn} if plan.turn else {}),
        }
    return base


def face_crop(
    row: Mapping[str, object],
    person: NDArray[np.float32],
    parameters: ExportParameters,
    embedder: Callable[[], Embedder],
    load_photo: LoadPhoto,
    neighbours: NDArray[np.float32],
    published: bytes | None,
) -> bytes | Verdict:
    """A PNG of the face of a row of the face table, or why there is none.

    `person`: centroid (dim,) of its identity's candidates; `neighbours`: boxes (m, 4) of the photo's other faces;
    `published`: its PNG of an earlier run. That is given out again, unless a consumer sees something else in it and
    the photo is there to do better. A face whose crop reaches into what was never decoded has none.
    """
    cut_off = _cut_off(row, parameters, load_photo) if row["truncated"] else None
    if cut_off is not None:
        return cut_off
    face = _Face(row, Likeness(_floats(row["embedding"]), person, parameters.outlier_distance), parameters)
    if published is not None and face.still_good(published, embedder):
        return published
    try:
        photo = load_photo(str(row["sha256"]))
    except PhotoError as error:
        return published or Verdict(f"crop_failed:{error.reason}")
    first: Verdict | None = None
    border = wanted_border(parameters.crop_padding, face.bbox, neighbours, photo.shape)
    for plans in (
        crop_plans(parameters.crop_padding, border),
        clipped_plans(parameters.crop_padding, face.bbox, photo.shape),
        upright_plans(parameters.crop_padding, roll_of(_floats(row["kps"]))),
    ):
        outcome = face.first_good(plans, photo, neighbours, embedder())
        if isinstance(outcome, bytes):
            return outcome
        first = first or outcome
    assert first is not None  # crop_plans always yields
    return first


def _cut_off(row: Mapping[str, object], parameters: ExportParameters, load_photo: LoadPhoto) -> Verdict | None:
    """`cut_off` with the share of the wanted crop that was never decoded; None if all was, or the photo is gone."""
    try:
        undecoded = load_photo.undecoded(str(row["sha256"]))
    except PhotoError:
        return None
    if undecoded is None:
        return None
    wanted = CropPlan(parameters.crop_padding, "black", False)
    share = CropFrame.around(_floats(row["bbox"]), wanted, parameters.crop_px).share_of(undecoded)
    return Verdict("cut_off", share, 0.0) if share else None


@dataclass(frozen=True)
class _Face:
    row: Mapping[str, object]
    likeness: Likeness
    parameters: ExportParameters

    @property
    def bbox(self) -> NDArray[np.float32]:
        """(4,), px of the photo."""
        return _floats(self.row["bbox"])

    def first_good(
        self,
        plans: Iterable[CropPlan],
        photo: NDArray[np.uint8],
        neighbours: NDArray[np.float32],
        embedder: Embedder,
    ) -> bytes | Verdict | None:
        """The PNG of the first plan whose crop is good, else the verdict on the first plan; None without a plan."""
        first: Verdict | None = None
        for plan in plans:
            frame = CropFrame.around(self.bbox, plan, self.parameters.crop_px)
            for _ in range(_RETOUCHES if plan.paint_neighbours else 1):
                crop = square_crop(photo, self.bbox, neighbours, plan, self.parameters.crop_px)
                look = self.look(crop, plan, embedder)
                if look.verdict is None:
                    return encode_png(crop, lineage(self.row, self.parameters, plan))
                first = first or look.verdict
                found = _inside(frame.into_photo(look.others), photo)
                neighbours = np.concatenate([neighbours, found])
                if not len(found):
                    break
        return first

    def look(self, crop: NDArray[np.uint8], plan: CropPlan, embedder: Embedder) -> Look:
        """At a crop (h, w, 3) of this plan."""
        own = CropFrame.around(self.bbox, plan, self.parameters.crop_px).into_crop(self.bbox)
        return look_again(crop, own, self.likeness, embedder, turned=plan.turn != 0)

    def still_good(self, png: bytes, embedder: Callable[[], Embedder]) -> bool:
        """Whether a published picture was looked at as its consumers will; if not on record, it is done now."""
        import cv2

        made = (read_lineage(io.BytesIO(png)) or {}).get("crop")
        assert isinstance(made, dict)  # it was told by this lineage
        if set(CONSUMER_DET_SIZES) <= set(made.get("looked_at", [])):
            return True
        crop = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
        if crop is None:
            return False
        plan = CropPlan(float(made["padding"]), made["border"], made["neighbours_painted_out"])
        return self.look(np.asarray(crop, np.uint8), plan, embedder()).verdict is None


def _inside(boxes: NDArray[np.float32], photo: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Those of the boxes (n, 4) whose centre lies in the photo: a mirrored edge shows faces that are not there."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    inside = (centre >= 0).all(axis=1) & (centre < np.array(photo.shape[1::-1])).all(axis=1)
    return boxes[inside]


def _floats(values: object) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)
