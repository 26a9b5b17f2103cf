"""Left-over faces, offered for a look."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import dagster as dg
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.assets._asset import Check, Result, library_asset
from facesets_dagster.assets._config import Distance, GateConfig, PhotoConfig
from facesets_dagster.assets._page import Page
from facesets_dagster.assets._run import run_of
from facesets_dagster.assets._versions import text_version
from facesets_dagster.assets.top_manifest import top_manifest
from facesets_dagster.embedding.thresholds import PackThresholds
from facesets_dagster.identities.candidates import CandidateParameters
from facesets_dagster.publishing.candidate_faces import CANDIDATES, Candidates, numbers_of_run, publish_candidates
from facesets_dagster.reports.candidate_sheet import (
    candidate_sections,
    candidate_table,
    draw_candidates,
    pictures_of,
)
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.wording import counted

FACESETS_UNTOUCHED = Check(
    "others_untouched", "No faceset was replaced, added or removed: candidates are an offer.", blocking=True
)


class CandidateFacesConfig(GateConfig, PhotoConfig):
    """Which left-over faces are worth a look."""

    near_distance: Distance | None = Field(
        default=None,
        description=(
            "Largest cosine distance from a group's centroid to a faceset's for the group to be offered to "
            "it. null = the pack's cluster distance (ArcFace packs 0.55)."
        ),
    )
    min_promise: int = Field(default=3, ge=1, description="Distinct photos (by content) that a new group needs.")
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

    @classmethod
    def of_pack(cls, pack: PackThresholds) -> dict[str, float]:
        """Field -> the pack's number."""
        return {**super().of_pack(pack), "near_distance": pack.cluster_distance}

    def resolved(self, pack: PackThresholds) -> CandidateParameters:
        """The numbers of this run."""
        return self.resolve(CandidateParameters, pack)


@library_asset(kinds={"png"}, deps=[top_manifest], pool="library", checks=[FACESETS_UNTOUCHED])
def candidate_faces(
    context: AssetExecutionContext, config: CandidateFacesConfig, home: HomeResource, embedder: EmbedderResource
) -> Result:
    """Left-over faces, offered in `_candidates/` to a faceset that they are near to, or as a new group.

    All faces with the state `small_cluster` in the funnel of a bucket, grouped over all buckets. A group near a faceset
    goes to `to_<faceset>/`, another group with enough photos to `new_<NNN>/`: crops, manifest, contact sheet. Each run
    replaces the folder as a whole; a candidate is not a member, is not counted, and covers no faces.
    """
    page, run = Page(context, home, embedder), run_of(context, home, embedder, config)
    parameters = config.resolved(embedder.thresholds())
    found = publish_candidates(run, parameters, draw_candidates)
    pictures, left_out = pictures_of(found.written, run.library.folder), _left_out(found)
    folders = f"{counted(len(found.written), 'folder')} of candidates"
    page.say(f"{folders}, left out: {left_out}")
    labels = {identity.name: identity.label for identity in run.library.registry.identities()}
    page.write(
        "Candidates",
        candidate_sections(found, pictures, labels, left_out),
        "the candidates of this run",
        sheet=[row for rows in pictures.values() for row in rows],
        changes=folders if found.changed else "",
    )
    first = {"folders": candidate_table(found.written, labels)}
    return _described(page, found, first, left_out, numbers_of_run(run, parameters), run.library.folder / CANDIDATES)


def _described(
    page: Page,
    found: Candidates,
    first: Mapping[str, str],
    left_out: dict[str, int],
    parameters: Mapping[str, object],
    folder: Path,
) -> Result:
    return page.result(
        {
            **first,
            "considered": found.considered,
            "offered_to_facesets": _faces(found, new=False),
            "offered_as_new": _faces(found, new=True),
        },
        {
            "left_out": left_out,
            "changed": found.changed,
            "path": dg.MetadataValue.path(str(folder)),
            "parameters": parameters,
        },
        rows=sum(len(written.faces) for written in found.written),
        version=text_version(repr([(written.offer.folder, written.faces) for written in found.written])),
        checks=[FACESETS_UNTOUCHED.result(not found.touched, touched=sorted(found.touched))],
    )


def _faces(found: Candidates, *, new: bool) -> int:
    return sum(len(folder.faces) for folder in found.written if (folder.offer.faceset is None) == new)


def _left_out(found: Candidates) -> dict[str, int]:
    """Reason -> faces that are in no folder."""
    states = [verdict.state for verdict in found.offers.left_out.values()]
    states += [verdict.state for folder in found.written for verdict in folder.excluded.values()]
    return dict(sorted(Counter(states).items()))
