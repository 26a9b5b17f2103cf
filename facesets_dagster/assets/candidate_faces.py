"""Faces that are nobody's, offered for a look."""

from collections import Counter
from pathlib import Path

import dagster as dg
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.assets._asset import teaching
from facesets_dagster.assets._links import link, markdown_link
from facesets_dagster.assets._run import run_of
from facesets_dagster.assets._shape import CODE_VERSION, GROUP, OWNERS
from facesets_dagster.assets._story import Story
from facesets_dagster.assets._untouched import untouched_result, untouched_spec
from facesets_dagster.assets._versions import text_version
from facesets_dagster.assets.swap_ready_facesets import SwapReadyFacesetsConfig, swap_ready_facesets
from facesets_dagster.embedding.thresholds import PackThresholds
from facesets_dagster.identities.candidates import CandidateParameters
from facesets_dagster.photos.bucket_key import LIBRARY
from facesets_dagster.publishing.candidate_faces import CANDIDATES, Candidates, numbers_of_run, publish_candidates
from facesets_dagster.reports.candidate_sheet import (
    COLUMNS,
    candidate_sections,
    draw_candidates,
    pictures_of,
    table_of,
)
from facesets_dagster.reports.contact_sheet import sheet_markdown
from facesets_dagster.reports.system_page import write_system_page
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.wording import counted


class CandidateFacesConfig(dg.Config):
    """Which faces are worth a look."""

    near_distance: float | None = Field(
        default=None,
        ge=0,
        le=2,
        description=(
            "A group whose centroid is this near to a faceset's is offered to it (cosine distance). null = the pack's "
            "cluster distance (ArcFace packs 0.55)."
        ),
    )
    cluster_distance: float | None = Field(
        default=None,
        gt=0,
        le=2,
        description="Average cosine distance at which faces are grouped, over all buckets. null = pack (0.55).",
    )
    min_face_short_px: float = Field(default=90, ge=0, description="Gate: shorter side of the bbox, px.")
    min_blur: float = Field(default=40, ge=0, description="Gate: variance of the Laplacian of the face crop.")
    min_det_score: float | None = Field(
        default=None, ge=0, le=1, description="Gate: the detector's confidence. null = pack (0.6)."
    )
    min_promise: int = Field(
        default=3, ge=1, description="Distinct photos (by content) that a group near nobody needs to be offered as new."
    )
    max_per_group: int = Field(default=50, ge=1, le=1000, description="Most faces in a folder; the nearest are kept.")
    max_faces: int = Field(
        default=1_000_000,
        ge=2,
        le=10_000_000,
        description=(
            "Most faces that are grouped at once; more fail the asset. Memory grows with the faces and their near "
            "pairs (1,000,000: about 8 GB)."
        ),
    )
    max_pixels: int = Field(default=300_000_000, gt=0, description="Photos with more pixels (decoded) are refused.")

    def resolved(self, pack: PackThresholds) -> CandidateParameters:
        """The numbers of this run."""

        def number(given: float | None, default: float) -> float:
            return default if given is None else given

        return CandidateParameters(
            near_distance=number(self.near_distance, pack.cluster_distance),
            cluster_distance=number(self.cluster_distance, pack.cluster_distance),
            min_face_short_px=self.min_face_short_px,
            min_blur=self.min_blur,
            min_det_score=number(self.min_det_score, pack.min_det_score),
            min_promise=self.min_promise,
            max_per_group=self.max_per_group,
            max_faces=self.max_faces,
        )


@dg.asset(
    deps=[swap_ready_facesets],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"png"},
    code_version=CODE_VERSION,
    pool="library",
    check_specs=[
        untouched_spec("candidate_faces", "No faceset differs by one byte: candidates are an offer."),
    ],
)
@teaching
def candidate_faces(
    context: AssetExecutionContext, config: CandidateFacesConfig, home: HomeResource, embedder: EmbedderResource
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Faces that were too few to found anybody, offered in `_candidates/`: to a faceset they are near to, or as new.

    All faces that ended `small_cluster` in the funnel of a bucket, grouped over all buckets. A group near a faceset
    goes to `to_<faceset>/`, another with photos enough to `new_<NNN>/`: crops, manifest, contact sheet. The folder is
    replaced as a whole by each run; nothing in it is a member of anything, is counted, or covers faces.
    """
    story, library, thresholds = Story(context), home.library(), embedder.thresholds()
    export = SwapReadyFacesetsConfig().resolved(thresholds)
    run = run_of(context, home, embedder, export=export, max_pixels=config.max_pixels)
    parameters = config.resolved(thresholds)
    found = publish_candidates(run, parameters, draw_candidates)
    pictures = pictures_of(found.written, library.folder)
    labels = {identity.name: identity.label for identity in library.registry.identities()}
    left_out = _left_out(found)
    story.tell(f"{counted(len(found.written), 'folder')} of candidates, left out: {left_out}")
    page = write_system_page(
        home.reports(),
        LIBRARY,
        context.run.run_id,
        "candidate_faces",
        "Candidates",
        candidate_sections(found, pictures, labels, left_out),
        changes=f"{counted(len(found.written), 'folder')} of candidates" if found.changed else "",
    )
    sheet = [row for rows in pictures.values() for row in rows] if home.pictures_in_ui else []
    return dg.MaterializeResult(
        data_version=text_version(repr([(folder.offer.folder, folder.faces) for folder in found.written])),
        metadata={
            "dagster/row_count": sum(len(folder.faces) for folder in found.written),
            "report": link("the candidates of this run", "reports", LIBRARY, page.name),
            "folders": dg.MetadataValue.md(_table(found, labels)),
            "considered": found.considered,
            "offered_to_facesets": _faces(found, new=False),
            "offered_as_new": _faces(found, new=True),
            "left_out": left_out,
            "changed": found.changed,
            **({"contact_sheet": dg.MetadataValue.md(sheet_markdown(sheet))} if sheet else {}),
            "path": dg.MetadataValue.path(str(Path(home.library_dir) / CANDIDATES)),
            "parameters": numbers_of_run(run, parameters),
            "seconds": story.seconds(),
            **embedder.describe(),
        },
        check_results=[
            untouched_result(found.touched),
        ],
    )


def _faces(found: Candidates, *, new: bool) -> int:
    return sum(len(folder.faces) for folder in found.written if (folder.offer.faceset is None) == new)


def _left_out(found: Candidates) -> dict[str, int]:
    """Reason -> faces that are in no folder."""
    states = [verdict.state for verdict in found.offers.left_out.values()]
    states += [verdict.state for folder in found.written for verdict in folder.excluded.values()]
    return dict(sorted(Counter(states).items()))


def _table(found: Candidates, labels: dict[str, str | None]) -> str:
    if not found.written:
        return "There are no candidates."
    lines = [
        f"| {markdown_link(str(folder), 'library', CANDIDATES, str(folder))} | {person or ''} | {faces} "
        f"| {near:.3f} | {far:.3f} |"
        for folder, person, faces, near, far in table_of(found.written[:300], labels)
    ]
    return "\n".join([f"| {' | '.join(COLUMNS)} |", "| --- | --- | ---: | ---: | ---: |", *lines])
