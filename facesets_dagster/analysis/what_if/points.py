"""The points of a what-if: one parameter at a time around a base, and explicit ones."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from facesets_dagster.embedding.thresholds import PackThresholds
from facesets_dagster.export.curation import ExportParameters
from facesets_dagster.identities.cluster_table import DiscoveryParameters

SWEPT = ("cover_distance", "cluster_distance", "min_face_short_px", "min_blur", "min_det_score", "min_faces")
"""Parameters that are swept, in the order of the report."""

EXPORT = {
    "export_min_face_short_px": "min_face_short_px",
    "export_outlier_distance": "outlier_distance",
    "export_near_duplicate_similarity": "near_duplicate_similarity",
    "export_fill_to": "fill_to",
    "export_fill_floor_px": "fill_floor_px",
}
"""Name here -> name among the numbers of `swap_ready_facesets`, where discovery has others of that name."""

_OF_PACK = ("good_norm", "blur_at_px")
"""Numbers of the pack that no run config changes."""

BASE, REBUILT, POINT = "base", "rebuilt", "point"
"""What a point is that belongs to no sweep."""


@dataclass(frozen=True)
class Numbers:
    """Everything that decides on a bucket, as its run would resolve it."""

    cover_distance: float
    discovery: DiscoveryParameters
    export: ExportParameters

    def identity_parameters(self) -> dict[str, object]:
        """As the registry keeps them of a bucket's run."""
        return {"cover_distance": self.cover_distance, **self.discovery.recorded()}

    def flat(self) -> dict[str, float]:
        """Name -> value of everything that a point can change."""
        export = asdict(self.export)
        return {
            "cover_distance": self.cover_distance,
            **{name: value for name, value in asdict(self.discovery).items() if name not in _OF_PACK},
            **{name: export[theirs] for name, theirs in EXPORT.items()},
        }

    def with_values(self, values: Mapping[str, float]) -> "Numbers":
        """These numbers with some changed, as a run would that is given only those.

        `rematch_distance` goes with `cover_distance` where it is equal to it, as its default does.
        """
        now = self.flat()
        given = {name: value for name, value in values.items() if value != now[name]}
        if "cover_distance" in given and self.discovery.rematch_distance == self.cover_distance:
            given.setdefault("rematch_distance", values.get("rematch_distance", given["cover_distance"]))
        names = {field.name for field in fields(DiscoveryParameters)}
        discovery: dict[str, Any] = {name: value for name, value in given.items() if name in names}
        export: dict[str, Any] = {EXPORT[name]: value for name, value in given.items() if name in EXPORT}
        return Numbers(
            given.get("cover_distance", self.cover_distance),
            replace(self.discovery, **discovery),
            replace(self.export, **export),
        )


@dataclass(frozen=True)
class Point:
    """One what-if."""

    parameter: str
    """The parameter that is swept; `base`, `rebuilt`, `point` for those of no sweep."""
    value: float | None
    """Its value; None for those of no sweep."""
    numbers: Numbers
    title: str
    """In words: `min_faces 4`."""


def points_of(
    base: Numbers, sweeps: Mapping[str, Sequence[float]], explicit: Sequence[Mapping[str, float]]
) -> list[Point]:
    """The base, each sweep with the base's own value in its place, then the explicit points in the order given."""
    points = [Point(BASE, None, base, "the base point")]
    for parameter in SWEPT:
        own = base.flat()[parameter]
        values = sorted({own, *sweeps.get(parameter, ())}) if sweeps.get(parameter) else []
        points += [
            Point(
                parameter,
                value,
                base.with_values({parameter: value}),
                f"{parameter} {value:g}{' (base)' * (value == own)}",
            )
            for value in values
        ]
    points += [Point(POINT, None, base.with_values(given), _title(given)) for given in explicit]
    return points


def default_sweep(parameter: str, pack: PackThresholds) -> list[float]:
    """Values around the pack's number, or the legacy scripts' where no pack has one."""
    centre = {
        "cover_distance": pack.cover_distance,
        "cluster_distance": pack.cluster_distance,
        "min_det_score": pack.min_det_score,
    }
    if parameter in ("cover_distance", "cluster_distance"):  # steps of 0.05 on ArcFace
        return [round(centre[parameter] + pack.scaled(step), 3) for step in (-0.15, -0.1, -0.05, 0, 0.05, 0.1, 0.15)]
    if parameter == "min_det_score":
        return [round(centre[parameter] + step, 3) for step in (-0.2, -0.1, 0, 0.1, 0.2)]
    grids: dict[str, list[float]] = {
        "min_face_short_px": sorted({40.0, 60.0, 75.0, 90.0, 110.0, 140.0, pack.min_face_short_px}),
        "min_blur": sorted({0.0, 20.0, 40.0, 60.0, 100.0, pack.min_blur}),
        "min_faces": [2, 3, 4, 5, 6, 8, 10, 15],  # 15: the legacy `refine`
    }
    return grids[parameter]


def _title(given: Mapping[str, float]) -> str:
    words = [f"{name} {value:g}" for name, value in given.items()]
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words) or "the base point again"
