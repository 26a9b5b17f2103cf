"""Run config that several assets have in common."""

from typing import TypeVar

import dagster as dg
from pydantic import Field

from facesets_dagster.embedding.thresholds import PackThresholds
from facesets_dagster.export.curation import ExportParameters

T = TypeVar("T", int, float)


def given_or(given: T | None, default: T) -> T:
    """What the run config gives, else the default; 0 is given."""
    return default if given is None else given


class PhotoConfig(dg.Config):
    """For assets that open photos."""

    max_pixels: int = Field(
        default=300_000_000, gt=0, description="Photos with more pixels (decoded) are not opened: no face, no picture."
    )


class GateConfig(dg.Config):
    """Quality gates of a single face, and how similar the faces of a group are."""

    cluster_distance: float | None = Field(
        default=None,
        gt=0,
        le=2,
        description="Average cosine distance up to which faces are grouped. null = the pack's number (ArcFace 0.55).",
    )
    min_face_short_px: float = Field(default=90, ge=0, description="Gate: shorter side of the bbox, px.")
    min_blur: float = Field(default=40, ge=0, description="Gate: variance of the Laplacian of the face crop.")
    min_det_score: float | None = Field(
        default=None, ge=0, le=1, description="Gate: the detector's confidence. null = the pack's number (0.6)."
    )

    def gates(self, pack: PackThresholds) -> dict[str, float]:
        """The numbers of this run, the pack's where none are given."""
        return {
            "cluster_distance": given_or(self.cluster_distance, pack.cluster_distance),
            "min_face_short_px": self.min_face_short_px,
            "min_blur": self.min_blur,
            "min_det_score": given_or(self.min_det_score, pack.min_det_score),
        }


class DiscoveryConfig(GateConfig):
    """Gates, groups and outliers."""

    outlier_distance: float | None = Field(
        default=None,
        ge=0,
        le=2,
        description="Faces farther from their cluster's centroid are outliers. null = the pack's number (0.55).",
    )
    outlier_min_size: int = Field(default=4, ge=1, description="Smaller clusters have no outliers.")


class ExportConfig(PhotoConfig):
    """What is exported. null = the pack's number (ArcFace packs in brackets; others see docs/thresholds.md)."""

    min_face_short_px: float = Field(default=100, ge=0, description="Export gate: shorter side of the bbox, px.")
    outlier_distance: float | None = Field(
        default=None, ge=0, le=2, description="Members farther from the centroid are not exported. null = pack (0.45)."
    )
    near_duplicate_similarity: float | None = Field(
        default=None,
        ge=-1,
        le=1,
        description=(
            "Of two faces with at least this cosine similarity the better one is exported. null = pack (0.95)."
        ),
    )
    top_n: int = Field(default=8, ge=1, description="Faces in the archive `_top.fsz`.")
    crop_px: int = Field(default=512, ge=64, le=4096, description="Side of the exported PNGs, px.")
    crop_padding: float = Field(
        default=0.5, ge=0, le=3, description="Added on each side of the bbox, as a share of its longer side."
    )

    def resolved(self, pack: PackThresholds) -> ExportParameters:
        """The numbers of this run."""
        return ExportParameters(
            min_face_short_px=self.min_face_short_px,
            outlier_distance=given_or(self.outlier_distance, pack.export_outlier_distance),
            near_duplicate_similarity=given_or(self.near_duplicate_similarity, pack.near_duplicate_similarity),
            top_n=self.top_n,
            crop_px=self.crop_px,
            crop_padding=self.crop_padding,
        )
