"""People sorted by hand: every folder named by a person is one identity."""

import dagster as dg
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.analysis.close_pairs import close_pairs
from facesets_dagster.assets._asset import UNTOUCHED, Check, Result, library_asset
from facesets_dagster.assets._config import Distance, ExportConfig, PhotoConfig
from facesets_dagster.assets._page import Page
from facesets_dagster.assets._run import run_of
from facesets_dagster.assets._scanning import list_and_scan
from facesets_dagster.assets._versions import text_version
from facesets_dagster.embedding.thresholds import PackThresholds
from facesets_dagster.faces.unread import unread_of
from facesets_dagster.photos.bucket_key import HAND_SORTED
from facesets_dagster.photos.roots import folders_by_hand
from facesets_dagster.publishing.hand_sorted_facesets import PeopleInputs, PeopleResult, publish_people
from facesets_dagster.publishing.run import Run
from facesets_dagster.reports.hand_sorted_page import hand_sorted_sections, hand_sorted_table, people_rows
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.resources.progress import ProgressResource
from facesets_dagster.wording import counted

FOLDERS_AGREE = Check("one_person_per_folder", "In every hand-sorted folder most photos show one person.")
KNOWN_ONCE = Check(
    "one_identity_per_person",
    "No hand-sorted person is also another identity of the library, by the pack's cover distance.",
)
CHECKS = (FOLDERS_AGREE, KNOWN_ONCE, UNTOUCHED)


class HandSortedFacesetsConfig(PhotoConfig):
    """How the person of a folder is separated from other people in its photos."""

    first_distance: Distance | None = Field(
        default=None,
        description="First pass: largest cosine distance to the majority's centroid. null = the pack's number (0.55).",
    )
    second_distance: Distance | None = Field(
        default=None,
        description=(
            "Second pass: largest distance of a member to the centroid of the first pass. null = the pack's "
            "number (0.45)."
        ),
    )
    min_face_short_px: float = Field(
        default=100, ge=0, description="Export gate: shorter side of the bbox, px. Smaller faces are members only."
    )
    retry_failed: bool = Field(default=False, description="Read photos again that could not be used before.")

    @classmethod
    def of_pack(cls, pack: PackThresholds) -> dict[str, float]:
        """Field -> the pack's number."""
        return {"first_distance": pack.outlier_distance, "second_distance": pack.cover_distance}

    def resolved(self, pack: PackThresholds) -> PeopleInputs:
        """The numbers of this run."""
        return self.resolve(PeopleInputs, pack)


@library_asset(kinds={"png", "sqlite"}, pool="library", checks=CHECKS)
def hand_sorted_facesets(
    context: AssetExecutionContext,
    config: HandSortedFacesetsConfig,
    home: HomeResource,
    embedder: EmbedderResource,
    progress: ProgressResource,
) -> Result:
    """One identity for each folder of `FACESETS_HAND_SORTED`; the folder's name is the person's name.

    The photos are read like those of a bucket. In each folder the person in most of the photos is taken, by a centroid
    in two passes (0.55, then 0.45); other people in those photos are not taken. A folder without a majority is
    reported, not guessed. Without the setting the asset does nothing.
    """
    page = Page(context, home, embedder, bucket=HAND_SORTED)
    if not home.hand_sorted_root:
        return page.nothing("FACESETS_HAND_SORTED is not set: there are no hand-sorted folders.", CHECKS)
    listing, scan = list_and_scan(context, HAND_SORTED, config, home, embedder, progress)
    unread = unread_of(scan.store.columns("files"), listing).lines()
    page.show(not_read=unread)
    for line in (f"{counted(len(listing), 'photo')} of hand-sorted folders read", *unread):
        page.say(line)
    export = ExportConfig(min_face_short_px=config.min_face_short_px)
    run, inputs = run_of(context, home, embedder, config, export=export), config.resolved(embedder.thresholds())
    result = publish_people(run, inputs)
    page.say(f"{counted(len(result.names), 'person', 'people')} from {counted(len(result.people.people), 'folder')}")
    page.observe(run.library)
    parameters = inputs.parameters(run.export)["hand_sorted_facesets"]
    blocked = home.plain().blocked()
    folders = [folder for folder in folders_by_hand(listing.folder) if not blocked.has_name(folder)]
    return _described(page, run, folders, result, parameters, embedder.thresholds().cover_distance)


def _described(
    page: Page,
    run: Run,
    folders: list[str],
    result: PeopleResult,
    parameters: dict[str, object],
    cover_distance: float,
) -> Result:
    people, outcome, registry = result.people.people, result.update.outcome, run.library.registry
    known = {person.folder for person in people}
    empty = [folder for folder in folders if folder not in known]
    rows = people_rows(result, run.library, empty)
    named = ", ".join(f"{name} for {folder}" for folder, name in list(result.names.items())[:5])
    sections = hand_sorted_sections(result, run.library, rows, empty)
    changes = named if outcome.founded else ""
    page.write("People sorted by hand", sections, "the report of this run", changes=changes)
    undecided = [person.folder for person in people if person.centroid is None]
    return page.result(
        {
            "people": hand_sorted_table(rows),
            "folders": len(people) + len(empty),
            "folders_without_majority": undecided,
            "folders_without_photos": empty[:100],
            "photos_beside_the_folders": result.loose[:100],
        },
        {"founded": outcome.founded, "changed": outcome.changed, "parameters": parameters},
        rows=len(result.names),
        version=text_version(repr(sorted(registry.members(sorted(result.names.values())).items()))),
        checks=_checks(run, result, undecided, cover_distance),
    )


def _checks(run: Run, result: PeopleResult, undecided: list[str], cover_distance: float) -> list[dg.AssetCheckResult]:
    known = run.library.snapshot()
    ours = {identity.name for identity in known.identities() if identity.kind == "hand_sorted"}
    twice = [str(pair) for pair in close_pairs(known, cover_distance) if ours & {pair.first, pair.second}]
    touched = sorted(result.update.outcome.touched_undeclared)
    return [
        FOLDERS_AGREE.result(
            not undecided,
            folders=undecided,
            what_to_do="Sort those photos again: most must show the person of the folder.",
        ),
        KNOWN_ONCE.result(not twice, pairs=twice[:100]),
        UNTOUCHED.result(not touched, touched=touched),
    ]
