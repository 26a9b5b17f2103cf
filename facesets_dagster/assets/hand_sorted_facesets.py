"""People asserted by hand: every folder named by a person is one identity."""

import dagster as dg
import polars as pl
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.analysis.existing_centroids import centroid_table
from facesets_dagster.assets._asset import teaching
from facesets_dagster.assets._links import link, markdown_link
from facesets_dagster.assets._run import run_of
from facesets_dagster.assets._scanning import list_and_scan
from facesets_dagster.assets._shape import CODE_VERSION, GROUP, OWNERS
from facesets_dagster.assets._story import Story
from facesets_dagster.assets._untouched import untouched_result, untouched_spec
from facesets_dagster.assets._versions import text_version
from facesets_dagster.assets.legacy_library import legacy_library
from facesets_dagster.assets.swap_ready_facesets import SwapReadyFacesetsConfig
from facesets_dagster.embedding.thresholds import PackThresholds
from facesets_dagster.library.library import Library
from facesets_dagster.photos.bucket_key import HAND_SORTED
from facesets_dagster.photos.listing import folders_by_hand
from facesets_dagster.publishing.hand_sorted_facesets import PeopleInputs, PeopleResult, publish_people
from facesets_dagster.reports.system_page import Section, row_of_faceset, write_system_page
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.resources.progress import ProgressResource
from facesets_dagster.wording import counted


class HandSortedFacesetsConfig(dg.Config):
    """How a folder's person is told from the other people in its photos."""

    first_distance: float | None = Field(
        default=None,
        ge=0,
        le=2,
        description="First pass: cosine distance to the majority's centroid. null = the pack's number (0.55).",
    )
    second_distance: float | None = Field(
        default=None,
        ge=0,
        le=2,
        description="Second pass: faces within this distance of the first pass's centroid are members. null = 0.45.",
    )
    min_face_short_px: float = Field(
        default=100, ge=0, description="Export gate: shorter side of the bbox, px. Smaller faces are members only."
    )
    max_pixels: int = Field(default=300_000_000, gt=0, description="Photos with more pixels (decoded) are refused.")
    retry_failed: bool = Field(default=False, description="Read photos again that could not be used before.")


@dg.asset(
    deps=[legacy_library],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"png", "sqlite"},
    code_version=CODE_VERSION,
    pool="library",
    check_specs=[
        dg.AssetCheckSpec(
            "folders_agree", asset="hand_sorted_facesets", description="In every folder most photos show one person."
        ),
        dg.AssetCheckSpec(
            "known_once",
            asset="hand_sorted_facesets",
            description="No hand-sorted person is also another identity of the library, by the pack's cover distance.",
        ),
        untouched_spec("hand_sorted_facesets"),
    ],
)
@teaching
def hand_sorted_facesets(
    context: AssetExecutionContext,
    config: HandSortedFacesetsConfig,
    home: HomeResource,
    embedder: EmbedderResource,
    progress: ProgressResource,
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """One identity for each folder of `FACESETS_HAND_SORTED`, with the folder's name as the person's.

    The photos are read like a bucket's. In each folder the person whom most photos show is taken, by a centroid in two
    passes (0.55, then 0.45); other people in those photos are not. A folder without a majority is reported, not
    guessed. Without that setting the asset does nothing.
    """
    story, library = Story(context), home.library()
    if not home.hand_sorted_root:
        return _nothing("FACESETS_HAND_SORTED is not set: there are no hand-sorted folders.")
    listing, _ = list_and_scan(context, HAND_SORTED, config, home, embedder, progress)
    story.tell(f"{counted(len(listing), 'photo')} of hand-sorted folders read")
    export = SwapReadyFacesetsConfig(min_face_short_px=config.min_face_short_px).resolved(embedder.thresholds())
    run = run_of(context, home, embedder, export=export, max_pixels=config.max_pixels)
    inputs = _inputs(config, embedder.thresholds())
    result = publish_people(run, inputs)
    story.tell(f"{counted(len(result.names), 'person', 'people')} from {counted(len(result.people.people), 'folder')}")
    known = {person.folder for person in result.people.people}
    empty = [folder for folder in folders_by_hand(listing.folder) if folder not in known]
    table = _rows(result, library) + [[folder, None, 0, 0, 0, None, None, None] for folder in empty]
    twice = _known_twice(library, embedder)
    page = write_system_page(
        home.reports(),
        HAND_SORTED,
        context.run.run_id,
        "hand_sorted_facesets",
        "People sorted by hand",
        _sections(result, library, table, empty),
        changes=", ".join(f"{name} for {folder}" for folder, name in list(result.names.items())[:5])
        if result.update.outcome.founded
        else "",
    )
    undecided = [person.folder for person in result.people.people if person.centroid is None]
    return dg.MaterializeResult(
        data_version=text_version(repr(sorted(library.registry.members(sorted(result.names.values())).items()))),
        metadata={
            "dagster/row_count": len(result.names),
            "people": dg.MetadataValue.md(_markdown(table)),
            "folders": len(result.people.people) + len(empty),
            "folders_without_photos": empty[:100],
            "folders_without_majority": undecided,
            "photos_beside_the_folders": result.loose[:100],
            "founded": result.update.outcome.founded,
            "changed": result.update.outcome.changed,
            "report": link("the report of this run", "reports", HAND_SORTED, page.name),
            "seconds": story.seconds(),
            "parameters": inputs.parameters(export)["hand_sorted_facesets"],
            **embedder.describe(),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="folders_agree",
                passed=not undecided,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"folders": undecided, "what_to_do": "Sort those photos anew: most must show the one person."},
            ),
            dg.AssetCheckResult(
                check_name="known_once",
                passed=not twice,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"pairs": twice},
            ),
            untouched_result(result.update.outcome.touched_undeclared),
        ],
    )


def _nothing(why: str) -> dg.MaterializeResult:  # type: ignore[type-arg]
    return dg.MaterializeResult(
        data_version=text_version(why),
        metadata={"dagster/row_count": 0, "note": why},
        check_results=[
            dg.AssetCheckResult(check_name=name, passed=True)
            for name in ("folders_agree", "known_once", "others_untouched")
        ],
    )


def _inputs(config: HandSortedFacesetsConfig, thresholds: PackThresholds) -> PeopleInputs:
    return PeopleInputs(
        first_distance=thresholds.outlier_distance if config.first_distance is None else config.first_distance,
        second_distance=thresholds.cover_distance if config.second_distance is None else config.second_distance,
    )


def _known_twice(library: Library, embedder: EmbedderResource) -> list[str]:
    """Pairs of identities, one of them hand-sorted, that look like one person."""
    _, check = centroid_table(library, embedder.pack(), embedder.thresholds().cover_distance)
    ours = {identity.name for identity in library.registry.identities() if identity.kind == "hand_sorted"}
    return [str(pair) for pair in check.close_pairs if ours & {pair.first, pair.second}][:100]


def _rows(result: PeopleResult, library: Library) -> list[list[object]]:
    """Folder, faceset, photos, faces, members from the folder, share of the majority, all members, exported."""
    rows: list[list[object]] = []
    members = library.registry.members(list(result.names.values()))
    exported = library.registry.decisions(HAND_SORTED).filter(pl.col("state") == "exported")
    counts = dict(exported.group_by("identity").len().iter_rows())
    for person in result.people.people:
        name = result.names.get(person.folder)
        taken = len(result.people.members.get(person.folder, []))
        share = round(person.share, 3)
        more = [len(members.get(name, {})), counts.get(name, 0)] if name else [None, None]
        rows.append([person.folder, name, person.photos, person.faces, taken, share, *more])
    return rows


_COLUMNS = ("folder", "faceset", "photos", "faces", "the person's", "share of photos", "members", "exported")


def _markdown(rows: list[list[object]]) -> str:
    if not rows:
        return "There is no folder with photos."
    lines = []
    for folder, name, *numbers in rows[:500]:
        faceset = markdown_link(str(name), "library", str(name)) if name else "none"
        cells = [str(folder).replace("|", "/"), faceset, *("" if cell is None else str(cell) for cell in numbers)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([f"| {' | '.join(_COLUMNS)} |", "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |", *lines])


def _sections(result: PeopleResult, library: Library, rows: list[list[object]], empty: list[str]) -> list[Section]:
    undecided = [
        [person.folder, person.photos, person.faces, round(person.share, 3)]
        for person in result.people.people
        if person.centroid is None
    ]
    pictures = [row_of_faceset(library.folder / name, f"{name} · {folder}") for folder, name in result.names.items()]
    return [
        Section("People", "Each folder asserts the person whom most of its photos show.", _COLUMNS, rows, pictures),
        Section(
            "Folders that were not taken",
            "No face was found, or no person is in more than half of the photos. Sort them anew; nothing was guessed."
            if undecided
            else "Every folder agrees about its person.",
            ("folder", "photos", "faces", "largest share"),
            undecided,
        ),
        Section(
            "Photos beside the folders",
            f"{counted(len(result.loose), 'photo lies', 'photos lie')} in no folder: nobody is asserted by that.",
            ("photo",),
            [[path] for path in result.loose],
        ),
        Section(
            "Folders without a photo",
            f"{counted(len(empty), 'folder holds', 'folders hold')} no photo. Links to folders are not followed.",
            ("folder",),
            [[folder] for folder in empty],
        ),
        Section(
            "How to run it again",
            "Materialize hand_sorted_facesets, or run full_pipeline. The same folders and numbers change nothing.",
        ),
    ]
