"""Distances and gates that depend on the model, per pack; calibration in `docs/thresholds.md`."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from facesets_dagster.embedding.embedder import ModelPack


@dataclass(frozen=True, kw_only=True)
class PackThresholds:
    """Cosine distances 0..2, similarity -1..1, detector confidence 0..1, sizes in px."""

    cover_distance: float
    """Of a face and a person's centroid, and of two centroids."""
    cluster_distance: float
    """Of average linkage."""
    outlier_distance: float
    export_outlier_distance: float
    near_duplicate_similarity: float
    min_det_score: float
    min_face_short_px: float = 90
    """Of a face that counts towards a person."""
    min_quality: float = 0
    """Least length of the raw embedding over `good_norm`."""
    min_blur: float = 40
    blur_at_px: float = 0
    """Size of the face at which `min_blur` is compared (`faces.quality.SHARPNESS_SIDE`); 0: at native resolution."""
    min_clustered_px: float = 0
    """Smaller faces say too little: they found and bridge nothing, and join last."""
    join_two_faces: float = 0
    """Of the second stage of clustering (`identities.joining`); all three 0: there is none."""
    join_face_and_group: float = 0
    join_two_groups: float = 0
    join_quality_gain: float = 0
    good_norm: float = 0
    """Length of the raw embedding of a good face."""
    look_similarity: float = 0
    """Of faces whose photos may be copies of one (`identities.looks`); 0: only copies of bytes count once."""
    fill_to: int = 8
    """So many pictures a set has where enough faces reach `fill_floor_px`; 0: only those that pass the strict gates."""
    fill_floor_px: float = 60
    variety: float = 0.95
    """Weight of likeness to the person against the rank score in the choice of the top; 0: by rank alone."""
    session_similarity: float = 0.75
    """Of two faces of one session: a burst, a sitting."""
    scale: float = 1
    """Distances of this pack against ArcFace's at the same rate of false matches."""
    calibrated: bool = True
    """Whether its numbers were measured with it."""

    def scaled(self, arcface_distance: float) -> float:
        """A distance chosen on ArcFace and not calibrated for this pack."""
        return round(arcface_distance * self.scale, 3)

    @property
    def member_distance(self) -> float:
        """Of two faces of groups that may be one person: larger than of two single faces, for the groups speak too."""
        return round(self.join_two_faces + 0.1, 3) if self.join_two_faces else self.cluster_distance

    @property
    def era_distance(self) -> float:
        """Average linkage inside one identity (LEGACY `age_split_001`: 0.35)."""
        return self.scaled(0.35)

    @property
    def era_join_distance(self) -> float:
        """Reach of an era's anchor (LEGACY `age_split_001`: 0.40)."""
        return self.scaled(0.40)


ARCFACE = PackThresholds(
    cover_distance=0.45,
    cluster_distance=0.55,
    outlier_distance=0.55,
    export_outlier_distance=0.45,
    near_duplicate_similarity=0.95,
    min_det_score=0.6,
    calibrated=False,
)
"""The legacy numbers, chosen on `buffalo_l`; for recognisers that were not calibrated."""

LEGACY = replace(ARCFACE, fill_to=0, fill_floor_px=0, variety=0, session_similarity=0)
"""The legacy numbers and rules: run config `preset: legacy`."""

MEASURED_GATES: dict[str, Any] = {
    "min_face_short_px": 56.0,
    "min_blur": 15.0,
    "blur_at_px": 112.0,
    "min_clustered_px": 40.0,
    "fill_floor_px": 56.0,
    "look_similarity": 0.8,
}
"""Of faces that can be told: of packs whose distances were measured."""

W600K_MBF = PackThresholds(
    cover_distance=0.50,
    cluster_distance=0.63,
    outlier_distance=0.68,
    export_outlier_distance=0.58,
    near_duplicate_similarity=0.95,
    min_det_score=0.5,
    join_two_faces=0.61,
    join_face_and_group=0.57,
    join_two_groups=0.54,
    join_quality_gain=0.3,
    good_norm=23.6,
    min_quality=0.6,
    **MEASURED_GATES,
)
"""ArcFace's MobileFaceNet of `buffalo_sc` and `buffalo_s`."""

SFACE = PackThresholds(
    cover_distance=0.35,
    cluster_distance=0.49,
    outlier_distance=0.55,
    export_outlier_distance=0.44,
    near_duplicate_similarity=0.97,
    session_similarity=0.8,
    min_det_score=0.6,
    join_two_faces=0.49,
    join_face_and_group=0.41,
    join_two_groups=0.39,
    join_quality_gain=0.3,
    good_norm=12.6,
    min_quality=0.5,
    **MEASURED_GATES,
    scale=0.31 / 0.45,
)
"""The embedded pack's."""

MOBILEFACENET_128 = PackThresholds(
    cover_distance=0.37,
    cluster_distance=0.47,
    outlier_distance=0.57,
    export_outlier_distance=0.46,
    near_duplicate_similarity=0.95,
    session_similarity=0.8,
    min_det_score=0.5,
    join_two_faces=0.45,
    join_face_and_group=0.41,
    join_two_groups=0.41,
    join_quality_gain=0.3,
    good_norm=16.4,
    **MEASURED_GATES,
    scale=0.35 / 0.45,
)

_CALIBRATED = {
    "w600k_mbf.onnx": W600K_MBF,
    "face_recognition_sface_2021dec.onnx": SFACE,
    "mobilefacenet_128.onnx": MOBILEFACENET_128,
}


def thresholds_for(pack: ModelPack) -> PackThresholds:
    """The numbers of a pack, by its recogniser's file; ArcFace's for recognisers that were not calibrated."""
    return _CALIBRATED.get(pack.recogniser, ARCFACE)


def thresholds_by_files(files: Iterable[str]) -> PackThresholds:
    """The numbers of the pack with files of these names; opens none of them."""
    return next((_CALIBRATED[name] for name in sorted(files) if name in _CALIBRATED), ARCFACE)
