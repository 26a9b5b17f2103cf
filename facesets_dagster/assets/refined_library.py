"""A fresh library from all faces of all buckets at once."""

from dataclasses import asdict

import dagster as dg
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.assets._asset import Check, Result, library_asset
from facesets_dagster.assets._config import DiscoveryConfig, Distance, ExportConfig, PhotoConfig, Share
from facesets_dagster.assets._page import Page
from facesets_dagster.assets._run import run_of, runs_too
from facesets_dagster.assets._versions import text_version
from facesets_dagster.assets.face_cache import face_cache
from facesets_dagster.embedding.thresholds import PackThresholds
from facesets_dagster.identities.refining import RefineParameters
from facesets_dagster.library.library import Library
from facesets_dagster.publishing.refined_library import (
    RefineInputs,
    RefineResult,
    photos_in_order,
    refine_library,
    refined_identities,
)
from facesets_dagster.reports.plots import sizes_in_words
from facesets_dagster.reports.refined_page import refined_sections
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.wording import counted

OTHERS_UNTOUCHED = Check("others_untouched", "No faceset that existed before was replaced or removed.", blocking=True)
NUMBERED_BY_SIZE = Check(
    "numbered_by_size", "Numbers follow the count of members' photos, largest first, without a gap.", blocking=True
)
CHECKS = (OTHERS_UNTOUCHED, NUMBERED_BY_SIZE)
NOT_BESIDE_OTHERS = (
    "Nothing was done: a fresh library numbers people by size, so it is made by a run of this asset alone, never "
    "beside the main chain."
)
"""A click on "Materialize all" is no wish for new numbers."""


class RefinedLibraryConfig(DiscoveryConfig, PhotoConfig):
    """How a fresh library is made. null = the pack's number (ArcFace packs in brackets; see docs/thresholds.md)."""

    new_library: str | None = Field(
        default=None,
        description=(
            "Name of a new library beside the existing one: `facesets_swap_ready_<name>/`, used later by "
            "FACESETS_LIBRARY=<name>. null = the library of this home, if it has no numbers yet."
        ),
    )
    merge_distance: Distance | None = Field(
        default=None,
        description=(
            "Clusters are joined if all their centroids lie this near to each other (complete linkage). null "
            "= the pack's cover distance (0.45)."
        ),
    )
    min_faces: int = Field(default=15, ge=1, description="Distinct photos (copies count once) that a person needs.")
    look_similarity: Share | None = Field(
        default=None,
        description=(
            "Photos may be copies of one if their faces have at least this cosine similarity. 0 = only copies of bytes "
            "count once. null = the pack's number (ArcFace 0)."
        ),
    )
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

    @classmethod
    def of_pack(cls, pack: PackThresholds) -> dict[str, float]:
        """Field -> the pack's number."""
        return {**super().of_pack(pack), "merge_distance": pack.cover_distance, "look_similarity": pack.look_similarity}

    def resolved(self, pack: PackThresholds) -> RefineParameters:
        """The numbers of this run."""
        return self.resolve(RefineParameters, pack)


@library_asset(
    kinds={"png", "sqlite", "scikitlearn"},
    deps=[face_cache],
    pool="library",
    checks=CHECKS,
)
def refined_library(
    context: AssetExecutionContext, config: RefinedLibraryConfig, home: HomeResource, embedder: EmbedderResource
) -> Result:
    """A fresh library from the face caches of all buckets at once, numbered by size: for a first import only.

    All faces are clustered, clusters with near centroids are joined, gates and outlier rejection follow, and people
    with at least 15 photos are founded as kind `auto`. It refuses a library that has numbers, because a name never
    changes its meaning; `new_library` starts another library beside it. Later photos go through the main chain.
    """
    page, library = Page(context, home, embedder), home.library(config.new_library)
    if runs_too(context, "swap_ready_facesets"):
        return page.nothing(NOT_BESIDE_OTHERS, CHECKS)
    export = ExportConfig(min_face_short_px=config.export_min_face_short_px)
    run = run_of(context, home, embedder, config, export=export, library=library)
    inputs = RefineInputs(config.resolved(embedder.thresholds()), sorted(home.buckets()), config.max_faces)
    result = refine_library(run, inputs, home.library() if config.new_library else None)
    names = refined_identities(library)
    sizes = {name: len(members) for name, members in library.registry.members(names).items()}
    faces, buckets = counted(result.faces, "face"), counted(len(result.buckets), "bucket")
    page.say(f"{faces} of {buckets}, {counted(len(names), 'person', 'people')}")
    numbers = asdict(inputs.parameters)
    changes = f"{len(names)} founded in {library.folder.name}" if result.update else ""
    sections = refined_sections(result, numbers, library, {name: sizes[name] for name in names})
    page.write("A fresh library", sections, "the report of this run", changes=changes)
    page.observe(library)
    return _described(page, config, library, result, names, numbers)


def _described(
    page: Page,
    config: RefinedLibraryConfig,
    library: Library,
    result: RefineResult,
    names: list[str],
    parameters: dict[str, float],
) -> Result:
    members = library.registry.members(names)
    touched = sorted(result.update.outcome.touched_undeclared) if result.update else []
    order, numbers = photos_in_order(library, names)
    return page.result(
        {
            "identities": len(names),
            "faces": result.faces,
            "members_per_person": sizes_in_words([len(members[name]) for name in names], "person|people"),
            "how_to_use_it": f"FACESETS_LIBRARY={config.new_library}" if config.new_library else "the home's own",
        },
        {
            "raw_clusters": result.refined.raw_clusters if result.refined else None,
            "unchanged": result.update is None,
            "library": dg.MetadataValue.path(str(library.folder)),
            "parameters": parameters,
        },
        rows=len(names),
        version=text_version(repr(sorted(members.items()))),
        checks=[
            OTHERS_UNTOUCHED.result(not touched, touched=touched),
            NUMBERED_BY_SIZE.result(
                order == sorted(order, reverse=True) and numbers == list(range(1, len(numbers) + 1)),
                photos_in_order_of_numbers=order[:200],
            ),
        ],
    )
