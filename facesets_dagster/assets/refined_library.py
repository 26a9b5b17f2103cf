"""A fresh library from all faces of all buckets at once."""

from dataclasses import asdict
from typing import Any

import dagster as dg
import polars as pl
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.assets._asset import teaching
from facesets_dagster.assets._links import link
from facesets_dagster.assets._run import run_of
from facesets_dagster.assets._shape import CODE_VERSION, GROUP, OWNERS
from facesets_dagster.assets._story import Story
from facesets_dagster.assets._untouched import untouched_result, untouched_spec
from facesets_dagster.assets._versions import text_version
from facesets_dagster.assets.face_cache import face_cache
from facesets_dagster.assets.swap_ready_facesets import SwapReadyFacesetsConfig
from facesets_dagster.embedding.thresholds import PackThresholds
from facesets_dagster.identities.refining import RefineParameters
from facesets_dagster.library.faceset_manifest import read_faceset
from facesets_dagster.library.library import Library
from facesets_dagster.photos.bucket_key import LIBRARY, REFINED, bucket_title
from facesets_dagster.publishing.refined_library import RefineInputs, RefineResult, refine_library
from facesets_dagster.reports.plots import bars
from facesets_dagster.reports.system_page import Section, row_of_faceset, write_system_page
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.wording import counted


class RefinedLibraryConfig(dg.Config):
    """How a fresh library is made. null = the pack's number (ArcFace packs in brackets; see docs/thresholds.md)."""

    new_library: str | None = Field(
        default=None,
        description=(
            "Name of a library to start beside the one there is: `facesets_swap_ready_<name>/`, used later by "
            "FACESETS_LIBRARY=<name>. null = the library of this home, if it has no numbers yet."
        ),
    )
    cluster_distance: float | None = Field(
        default=None, gt=0, le=2, description="Average cosine distance at which the linkage is cut. null = pack (0.55)."
    )
    merge_distance: float | None = Field(
        default=None,
        ge=0,
        le=2,
        description=(
            "Clusters are joined while all their centroids lie this near to each other (complete linkage). "
            "null = the pack's cover distance (0.45)."
        ),
    )
    outlier_distance: float | None = Field(
        default=None,
        ge=0,
        le=2,
        description="Faces farther from their person's centroid are outliers. null = pack (0.55).",
    )
    outlier_min_size: int = Field(default=4, ge=1, description="Smaller groups have no outliers.")
    min_face_short_px: float = Field(default=90, ge=0, description="Gate: shorter side of the bbox, px.")
    min_blur: float = Field(default=40, ge=0, description="Gate: variance of the Laplacian of the face crop.")
    min_det_score: float | None = Field(
        default=None, ge=0, le=1, description="Gate: the detector's confidence. null = pack (0.6)."
    )
    min_faces: int = Field(default=15, ge=1, description="Distinct photos (by content) that a person needs.")
    export_min_face_short_px: float = Field(
        default=100, ge=0, description="Export gate: shorter side of the bbox, px. Smaller faces are members only."
    )
    max_faces: int = Field(
        default=1_000_000,
        ge=1,
        le=10_000_000,
        description=(
            "More faces are refused. Memory grows with the faces and their near pairs (1,000,000: about 8 GB), and "
            "with the square of the largest set of groups that merge_distance links."
        ),
    )
    max_pixels: int = Field(default=300_000_000, gt=0, description="Photos with more pixels (decoded) are refused.")

    def resolved(self, pack: PackThresholds) -> RefineParameters:
        """The numbers of this run."""

        def number(given: float | None, default: float) -> float:
            return default if given is None else given

        return RefineParameters(
            cluster_distance=number(self.cluster_distance, pack.cluster_distance),
            merge_distance=number(self.merge_distance, pack.cover_distance),
            outlier_distance=number(self.outlier_distance, pack.outlier_distance),
            outlier_min_size=self.outlier_min_size,
            min_face_short_px=self.min_face_short_px,
            min_blur=self.min_blur,
            min_det_score=number(self.min_det_score, pack.min_det_score),
            min_faces=self.min_faces,
        )


@dg.asset(
    deps=[face_cache],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"png", "sqlite", "scikitlearn"},
    code_version=CODE_VERSION,
    pool="library",
    check_specs=[
        untouched_spec("refined_library", "No faceset that existed before differs by one byte."),
        dg.AssetCheckSpec(
            "numbered_by_size",
            asset="refined_library",
            blocking=True,
            description="Numbers follow the count of members' photos, largest first, without a gap.",
        ),
    ],
)
@teaching
def refined_library(
    context: AssetExecutionContext, config: RefinedLibraryConfig, home: HomeResource, embedder: EmbedderResource
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """A fresh library from the face caches of all buckets at once, numbered by size: for a first import only.

    Everything is clustered, clusters whose centroids meet are joined, gates and outlier rejection follow, people with
    at least 15 photos are founded as kind `auto`. It refuses a library that has numbers, because a name that was
    handed out never changes; `new_library` starts another one beside it. Later photos go through the main chain.
    """
    story, thresholds = Story(context), embedder.thresholds()
    library = home.library(config.new_library)
    export = SwapReadyFacesetsConfig(min_face_short_px=config.export_min_face_short_px).resolved(thresholds)
    run = run_of(context, home, embedder, export=export, max_pixels=config.max_pixels, library=library)
    inputs = RefineInputs(config.resolved(thresholds), sorted(home.buckets()), config.max_faces)
    parameters = asdict(inputs.parameters)
    result = refine_library(run, inputs)
    refined = [i for i in library.registry.identities() if i.live and i.bucket == REFINED and not i.is_era]
    refined.sort(key=lambda identity: identity.number)
    names = [identity.name for identity in refined]
    story.tell(
        f"{counted(result.faces, 'face')} of {counted(len(result.buckets), 'bucket')}, "
        f"{counted(len(names), 'person', 'people')}"
    )
    members = library.registry.members(names)
    sizes = {name: len(members[name]) for name in names}
    page = write_system_page(
        home.reports(),
        LIBRARY,
        context.run.run_id,
        "refined_library",
        "A fresh library",
        _sections(result, parameters, library, sizes),
        changes=f"{len(names)} founded in {library.folder.name}" if result.update else "",
    )
    touched = result.update.outcome.touched_undeclared if result.update else []
    order = _photos_in_order(library, names)
    numbers = sorted(i.number for i in library.registry.identities() if i.bucket == REFINED and not i.is_era)
    return dg.MaterializeResult(
        data_version=text_version(repr(sorted(members.items()))),
        metadata={
            "dagster/row_count": len(names),
            "identities": len(names),
            "faces": result.faces,
            "raw_clusters": result.refined.raw_clusters if result.refined else None,
            "unchanged": result.update is None,
            "members_per_person": dg.MetadataValue.md(bars(list(sizes.values()))),
            "library": dg.MetadataValue.path(str(library.folder)),
            "how_to_use_it": f"FACESETS_LIBRARY={config.new_library}" if config.new_library else "the home's own",
            "parameters": parameters,
            "report": link("the report of this run", "reports", LIBRARY, page.name),
            "seconds": story.seconds(),
            **embedder.describe(),
        },
        check_results=[
            untouched_result(touched),
            dg.AssetCheckResult(
                check_name="numbered_by_size",
                passed=order == sorted(order, reverse=True)
                and numbers == list(range(1, len(numbers) + 1)),  # those that were merged since count
                metadata={"photos_in_order_of_numbers": order[:200]},
            ),
        ],
    )


def _photos_in_order(library: Library, names: list[str]) -> list[int]:
    """Distinct photos of the members as they were founded, by number."""
    counts = []
    for name in names:
        rows = pl.read_parquet(library.folder / name / "members.parquet", columns=["sha256", "joined_by"])
        counts.append(rows.filter(pl.col("joined_by") == "refined")["sha256"].n_unique())
    return counts


def _sections(result: RefineResult, numbers: dict[str, Any], library: Library, sizes: dict[str, int]) -> list[Section]:
    people = [[name, members, *_exported(library, name)] for name, members in sizes.items()]
    rows = [[bucket_title(bucket), count] for bucket, count in result.buckets.items()]
    parameters: list[list[object]] = [[name, value] for name, value in numbers.items()]
    joined: list[list[Any]] = [list(pair) for pair in result.refined.joined] if result.refined else []
    states: dict[str, int] = {}
    for verdict in result.refined.verdicts.values() if result.refined else ():
        states[verdict.state] = states.get(verdict.state, 0) + 1
    return [
        Section("Source", f"{counted(result.faces, 'distinct face')} of all buckets.", ("bucket", "faces"), rows),
        Section("Pipeline", "Resolved numbers.", ("parameter", "value"), parameters),
        Section(
            "Joined clusters",
            "Raw clusters whose centroids all lie within merge_distance are one person.",
            ("raw clusters", "faces"),
            joined,
        ),
        Section(
            "Faces that are nobody's", "By reason.", ("state", "faces"), [list(pair) for pair in sorted(states.items())]
        ),
        Section(
            "People",
            "Largest first.",
            ("faceset", "members", "exported"),
            people,
            [row_of_faceset(library.folder / name, name) for name in sizes],
        ),
        Section(
            "How to run it again", "Materialize refined_library. With the same photos and numbers nothing changes."
        ),
    ]


def _exported(library: Library, name: str) -> list[int]:
    manifest = read_faceset(library.folder / name)
    return [len(manifest.faces) if manifest else 0]
