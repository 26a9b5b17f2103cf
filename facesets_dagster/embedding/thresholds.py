"""Distances and gates that depend on the model, per pack; calibration in `docs/thresholds.md`."""

from collections.abc import Iterable
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

    def scaled(self, arcface_distance: float) -> float:
        """A distance chosen on ArcFace and not calibrated for this pack: scaled by the ratio of the cover distances."""
        return round(arcface_distance * self.cover_distance / ARCFACE.cover_distance, 3)

    @property
    def era_distance(self) -> float:
        """Average linkage inside one identity (LEGACY `age_split_001`: 0.35)."""
        return self.scaled(0.35)

    @property
    def era_join_distance(self) -> float:
        """Reach of an era's anchor (LEGACY `age_split_001`: 0.40)."""
        return self.scaled(0.40)


ARCFACE = PackThresholds(0.45, 0.55, 0.55, 0.45, 0.95, 0.6)
"""The legacy numbers, chosen on `buffalo_l`; also for recognisers that were not calibrated."""

SFACE = PackThresholds(0.31, 0.42, 0.42, 0.31, 0.97, 0.72)
MOBILEFACENET_128 = PackThresholds(0.35, 0.44, 0.44, 0.35, 0.95, 0.6)

_CALIBRATED = {
    "face_recognition_sface_2021dec.onnx": SFACE,
    "mobilefacenet_128.onnx": MOBILEFACENET_128,
}


def thresholds_for(pack: ModelPack) -> PackThresholds:
    """The numbers of a pack, by its recogniser's file; ArcFace's for recognisers that were not calibrated."""
    return _CALIBRATED.get(pack.recogniser, ARCFACE)


def thresholds_by_files(files: Iterable[str]) -> PackThresholds:
    """The numbers of the pack with files of these names; opens none of them."""
    return next((_CALIBRATED[name] for name in sorted(files) if name in _CALIBRATED), ARCFACE)
