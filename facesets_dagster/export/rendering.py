"""Crops of an identity's candidates, in rank order, each looked at as its consumer will.

A crop is accepted if the run's own detector finds exactly one face in it and that face's embedding lies within
`MAX_CROP_DISTANCE` of the source face's. A crop that fails is made again (tighter, neighbours painted out); if none
passes, the face is excluded with the reason. A candidate too similar to an accepted one is a near-duplicate.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.errors import PhotoError
from facesets_dagster.export.crop import CropPlan, crop_plans, square_crop
from facesets_dagster.export.curation import ExportParameters
from facesets_dagster.export.png import encode_png
from facesets_dagster.identities.gates import Verdict
from facesets_dagster.identities.geometry import cosine_distance, normalised

MAX_CROP_DISTANCE = 0.15

LoadPhoto = Callable[[str], NDArray[np.uint8]]
"""Pixels (h, w, 3), BGR, upright, of the content with this sha256; raises `PhotoError` if it cannot be read now."""


@dataclass(frozen=True)
class RenderedFace:
    """An exported face: its picture and where it came from."""

    row: dict[str, object]
    """Its row of the candidates (face table plus `rank_score`)."""
    png: bytes


@dataclass(frozen=True)
class Rendered:
    """Exported faces in rank order and the verdicts on the other candidates."""

    faces: tuple[RenderedFace, ...]
    excluded: dict[str, Verdict]


def render(
    candidates: pl.DataFrame,
    parameters: ExportParameters,
    embedder: Callable[[], Embedder],
    load_photo: LoadPhoto,
    neighbours: Mapping[str, NDArray[np.float32]],
    published: Mapping[str, Callable[[dict[str, object]], bytes | None]],
) -> Rendered:
    """Renders candidates (best first).

    `neighbours`: face_id -> boxes (m, 4) of the photo's other faces. `published`: face_id -> a function that gives
    the PNG published earlier if its lineage equals the one asked for, so that nothing is rendered twice and a face
    whose photo is gone keeps its picture.
    """
    accepted: list[RenderedFace] = []
    vectors: list[NDArray[np.float32]] = []
    excluded: dict[str, Verdict] = {}
    for row in candidates.iter_rows(named=True):
        vector = normalised(np.asarray(row["embedding"], np.float32))
        twin = _similarity(vector, vectors)
        if twin >= parameters.near_duplicate_similarity:
            excluded[row["face_id"]] = Verdict("near_duplicate", twin, parameters.near_duplicate_similarity)
            continue
        reuse = published.get(row["face_id"])
        png = reuse(lineage(row, parameters, None)) if reuse else None
        outcome = png or _rendered(row, parameters, embedder, load_photo, neighbours)
        if isinstance(outcome, Verdict):
            excluded[row["face_id"]] = outcome
            continue
        accepted.append(RenderedFace(row, outcome))
        vectors.append(vector)
    return Rendered(tuple(accepted), excluded)


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
        }
    return base


def look_again(crop: NDArray[np.uint8], source: NDArray[np.float32], embedder: Embedder) -> tuple[str, float | None]:
    """How a consumer sees a crop: (`ok` or what is wrong, cos-dist to the source face's embedding (dim,))."""
    found = embedder.detect(crop)
    if len(found) == 0:
        return "no_face_found", None
    if len(found) > 1:
        return "several_faces_found", float(len(found))
    seen = normalised(embedder.embed(crop, found.kps))
    distance = float(cosine_distance(seen, normalised(source)[None])[0, 0])
    return ("ok" if distance <= MAX_CROP_DISTANCE else "looks_different"), distance


def _rendered(
    row: dict[str, object],
    parameters: ExportParameters,
    embedder: Callable[[], Embedder],
    load_photo: LoadPhoto,
    neighbours: Mapping[str, NDArray[np.float32]],
) -> bytes | Verdict:
    try:
        photo = load_photo(str(row["sha256"]))
    except PhotoError as error:
        return Verdict(f"crop_failed:{error.reason}")
    bbox, source = np.asarray(row["bbox"], np.float32), np.asarray(row["embedding"], np.float32)
    first: Verdict | None = None
    for plan in crop_plans(parameters.crop_padding):
        crop = square_crop(photo, bbox, neighbours[str(row["face_id"])], plan, parameters.crop_px)
        seen, value = look_again(crop, source, embedder())
        if seen == "ok":
            return encode_png(crop, lineage(row, parameters, plan))
        first = first or Verdict(f"crop_failed:{seen}", value, MAX_CROP_DISTANCE if seen == "looks_different" else 1.0)
    assert first is not None  # crop_plans always yields
    return first


def _similarity(vector: NDArray[np.float32], others: list[NDArray[np.float32]]) -> float:
    return float((np.array(others) @ vector).max()) if others else -1.0
