"""Run config that several assets have in common."""

from typing import Annotated, Any, ClassVar, Literal, TypeVar

import dagster as dg
from pydantic import ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from facesets_dagster.embedding.thresholds import LEGACY, PackThresholds
from facesets_dagster.export.curation import ExportParameters
from facesets_dagster.files.records import numbers_of

R = TypeVar("R")
T = TypeVar("T", int, float)

Distance = Annotated[float, Field(ge=0, le=2)]
"""A cosine distance."""
LARGEST = 10**12
"""Size of any number in a run config: more pixels than any photo has, and exact as a float."""
Share = Annotated[float, Field(ge=0, le=1)]
"""A share or a confidence."""


def given_or(given: T | None, default: T) -> T:
    """What the run config gives, else the default; 0 is given."""
    return default if given is None else given


class RunConfig(dg.Config):
    """Run config whose numbers are finite, and none so large that work with it has no end."""

    model_config = ConfigDict(allow_inf_nan=False)

    @field_validator("*", mode="after")
    @classmethod
    def _no_larger(cls, value: object) -> object:
        if isinstance(value, int | float) and abs(value) > LARGEST:
            raise PydanticCustomError("too_large", "should be at most {largest} in size", {"largest": LARGEST})
        return value


class NumbersConfig(RunConfig):
    """Run config with numbers that depend on the model pack: null = the pack's."""

    shown: ClassVar[dict[str, float]] = {}
    """The pack's numbers as the launchpad shows them: as they were when the code was loaded. A ruling may have set
    others since, so one of these in a run's config says no more than null."""

    @model_validator(mode="before")
    @classmethod
    def _without_shown(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {name: value for name, value in values.items() if name not in cls.shown or value != cls.shown[name]}

    @classmethod
    def of_pack(cls, pack: PackThresholds) -> dict[str, float]:
        """Field -> the pack's number, which the launchpad shows in the place of null."""
        return {}

    def resolve(self, record: type[R], pack: PackThresholds, **defaults: float) -> R:
        """The record of this run's numbers; `defaults`: of fields that depend on something else."""
        given = {name: value for name, value in self if value is not None}
        return numbers_of(record, {**vars(pack), **self.of_pack(pack), **defaults, **given})


class PresetConfig(NumbersConfig):
    """Numbers that a preset chooses together."""

    preset: Literal["pack", "legacy"] = Field(
        default="pack",
        description=(
            "pack = the numbers of the model pack. legacy = the numbers and rules of the legacy scripts; a number that "
            "differs from the pack's is kept."
        ),
    )

    def resolve(self, record: type[R], pack: PackThresholds, **defaults: float) -> R:
        """The record of this run's numbers. The launchpad fills the pack's in: with `legacy` they are not given."""
        if self.preset == "pack":
            return super().resolve(record, pack, **defaults)
        of_pack = self.of_pack(pack)
        given = {name: value for name, value in self if value is not None and value != of_pack.get(name)}
        return numbers_of(record, {**vars(LEGACY), **self.of_pack(LEGACY), **defaults, **given})


class PhotoConfig(NumbersConfig):
    """For assets that open photos."""

    max_pixels: int = Field(
        default=300_000_000,
        gt=0,
        description="Photos with more pixels are not decoded: no face, no picture. 16-bit colour counts twice.",
    )


class GateConfig(NumbersConfig):
    """Quality gates of a single face, and how similar the faces of a group are."""

    cluster_distance: Distance | None = Field(
        default=None,
        gt=0,
        description="Average cosine distance up to which faces are grouped. null = the pack's number (ArcFace 0.55).",
    )
    min_face_short_px: float | None = Field(
        default=None, ge=0, description="Gate: shorter side of the bbox, px. null = the pack's number (90)."
    )
    min_blur: float | None = Field(
        default=None,
        ge=0,
        description="Gate: variance of the Laplacian of the crop. null = the pack's number (40).",
    )
    min_det_score: Share | None = Field(
        default=None, description="Gate: the detector's confidence. null = the pack's number (0.6)."
    )

    @classmethod
    def of_pack(cls, pack: PackThresholds) -> dict[str, float]:
        """Field -> the pack's number."""
        names = ("cluster_distance", "min_face_short_px", "min_blur", "min_det_score")
        return {name: getattr(pack, name) for name in names}


class DiscoveryConfig(GateConfig):
    """Gates, groups and outliers."""

    outlier_distance: Distance | None = Field(
        default=None,
        description="Faces farther from their cluster's centroid are outliers. null = the pack's number (0.55).",
    )
    outlier_min_size: int = Field(default=4, ge=1, description="Smaller clusters have no outliers.")

    @classmethod
    def of_pack(cls, pack: PackThresholds) -> dict[str, float]:
        """Field -> the pack's number."""
        return {**super().of_pack(pack), "outlier_distance": pack.outlier_distance}


class ExportConfig(PhotoConfig, PresetConfig):
    """What is exported. null = the pack's number (ArcFace packs in brackets; others see docs/thresholds.md)."""

    min_face_short_px: float = Field(default=100, ge=0, description="Export gate: shorter side of the bbox, px.")
    outlier_distance: Distance | None = Field(
        default=None, description="Members farther from the centroid are not exported. null = pack (0.45)."
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

    fill_to: int | None = Field(
        default=None,
        ge=0,
        description=(
            "Sets that the export gates leave smaller are filled up to so many pictures with the next best faces, "
            "marked `filled`. 0 = no filling. null = the pack's number (8)."
        ),
    )
    fill_floor_px: float | None = Field(
        default=None,
        ge=0,
        description="Shorter side of the bbox that a filled face needs, px. null = the pack's number (60).",
    )
    variety: Share | None = Field(
        default=None,
        description=(
            "How far the top is chosen for its mean's likeness to the person, against the rank score. 0 = by rank "
            "alone. null = the pack's number (0.95)."
        ),
    )
    session_similarity: float | None = Field(
        default=None,
        ge=-1,
        le=1,
        description=(
            "Faces with at least this cosine similarity are of one session and count as one in the choice of the top. "
            "null = the pack's number (0.75)."
        ),
    )

    look_similarity: Share | None = Field(
        default=None,
        description=(
            "Of copies of one photo (other sizes, edits) one is exported. Faces with at least this cosine similarity "
            "may be copies; landmarks and pixels decide. 0 = only copies of bytes. null = the pack's number (0.8)."
        ),
    )

    @classmethod
    def of_pack(cls, pack: PackThresholds) -> dict[str, float]:
        """Field -> the pack's number."""
        return {
            "outlier_distance": pack.export_outlier_distance,
            "near_duplicate_similarity": pack.near_duplicate_similarity,
            "fill_to": pack.fill_to,
            "fill_floor_px": pack.fill_floor_px,
            "variety": pack.variety,
            "session_similarity": pack.session_similarity,
            "look_similarity": pack.look_similarity,
        }

    def resolved(self, pack: PackThresholds) -> ExportParameters:
        """The numbers of this run."""
        return self.resolve(ExportParameters, pack)
