"""Distances and gates that depend on the model, per pack; calibration in `docs/thresholds.md`."""

from dataclasses import dataclass

from facesets_dagster.embedding.embedder import ModelPack


@dataclass(frozen=True)
class PackThresholds:
    """Cosine distances 0..2, similarity -1..1, detector confidence 0..1."""

    cover_distance: float
    cluster_distance: float
    outlier_distance: float
    export_outlier_distance: float
    near_duplicate_similarity: float
    min_det_score: float


ARCFACE = PackThresholds(0.45, 0.55, 0.55, 0.45, 0.95, 0.6)
"""The legacy numbers, chosen on `buffalo_l`; also for recognisers that were not calibrated."""

SFACE = PackThresholds(0.31, 0.42, 0.42, 0.31, 0.97, 0.72)
MOBILEFACENET_128 = PackThresholds(0.35, 0.44, 0.44, 0.35, 0.95, 0.6)

_CALIBRATED = {
    "face_recognition_sface_2021dec.onnx": SFACE,
    "mobilefacenet_128.onnx": MOBILEFACENET_128,
}


def thresholds_for(pack: ModelPack) -> PackThresholds:
    """The numbers of a pack, told by its recogniser's file; ArcFace's for recognisers that were not calibrated."""
    return _CALIBRATED.get(pack.recogniser, ARCFACE)
