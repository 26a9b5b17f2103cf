"""From the tables of a bucket to its publication: the domain call behind `swap_ready_facesets`."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from facesets_dagster.errors import PublishRefused
from facesets_dagster.export.curation import ExportParameters
from facesets_dagster.faces.schema import require_one_model
from facesets_dagster.identities.cluster_table import ClusterTable
from facesets_dagster.library.bindings import bindings_of
from facesets_dagster.library.bucket_notes import is_noted
from facesets_dagster.library.coverage import coverage_now
from facesets_dagster.library.membership import bucket_faces
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.publishing.bucket_plan import BucketPlanner
from facesets_dagster.publishing.extended_facesets import note_as_judged, waiting_faces
from facesets_dagster.publishing.funnel import inputs_digest, inputs_head
from facesets_dagster.publishing.gallery import Gallery, Terms
from facesets_dagster.publishing.outcome import Outcome
from facesets_dagster.publishing.proposal import proposal_of, units_of
from facesets_dagster.publishing.publisher import publish, unreported
from facesets_dagster.publishing.run import Run
from facesets_dagster.registry.unfinished import settle, unfinished_run
from facesets_dagster.wording import counted


@dataclass(frozen=True)
class PublishInputs:
    """A bucket and its tables."""

    bucket: str
    coverage: pl.DataFrame
    clusters: ClusterTable

    def identity_parameters(self) -> dict[str, float]:
        """The numbers of coverage and clustering; {} for a bucket without faces."""
        return {} if self.clusters.frame.is_empty() else self.clusters.identity_parameters()

    def parameters_by_asset(self, export: ExportParameters) -> dict[str, dict[str, object]]:
        """As in run config: names like `outlier_distance` mean another thing in each asset."""
        identity = self.identity_parameters()
        clusters: dict[str, object] = {key: value for key, value in identity.items() if key != "cover_distance"}
        uncovered: dict[str, object] = {key: value for key, value in identity.items() if key == "cover_distance"}
        return {"osrc_uncovered": uncovered, "osrc_clusters": clusters, "swap_ready_facesets": export.recorded()}


def inputs_now(run: Run, bucket: str, coverage: pl.DataFrame, clusters: ClusterTable) -> PublishInputs:
    """The tables of a bucket, the coverage by the library as it is now."""
    return PublishInputs(bucket, coverage_now(run.library, run.store_of(bucket), bucket, coverage, run.pack), clusters)


@dataclass(frozen=True)
class PublishResult:
    """What came of it."""

    outcome: Outcome
    funnel: pl.DataFrame
    exported: dict[str, int]
    """Faceset that this bucket founded -> faces of this bucket that it exports."""
    library_dir: Path


def publish_bucket(run: Run, inputs: PublishInputs) -> PublishResult:
    """Publishes a bucket, or finds that nothing changed, and says which; `settle_bucket` follows the report.

    The outcome includes what earlier runs published and did not get to report.
    """
    library = run.library
    library.finish_moves(run.holder, run.say)
    store = run.store_of(inputs.bucket)
    faces = bucket_faces(store, library, inputs.bucket)
    _require_consistent(run, inputs, faces)
    earlier = unreported(library, inputs.bucket)
    outcome = publish(run, _planner(run, inputs, faces).plan).outcome.after(earlier)
    if not inputs.coverage.is_empty():
        note_as_judged(run, inputs.bucket, faces, float(inputs.coverage["cover_distance"][0]))
    funnel = library.registry.decisions(inputs.bucket)
    own = [identity.name for identity in library.snapshot().own(inputs.bucket, retired=False)]
    mine = funnel.filter((pl.col("state") == "exported") & pl.col("identity").is_in(own))
    exported = dict(mine.group_by("identity").len().sort("identity").iter_rows())
    run.say(f"{bucket_title(inputs.bucket)}: {_summary(outcome)}")
    return PublishResult(outcome, funnel, exported, library.folder)


def settle_bucket(run: Run, inputs: PublishInputs, joined_from: pl.DataFrame) -> None:
    """Records that the bucket is published and reported as far as its face table goes.

    It stays stale if its people were founded meanwhile by a bucket that ran at the same time: its next run lets them
    join. `joined_from`: the coverage from which known people's faces joined in this run.
    """
    folder_digest = run.store_of(inputs.bucket).folder_digest()
    if folder_digest is None:
        return
    late = _founded_meanwhile(run, inputs, joined_from)
    published = unfinished_run(run.library.registry, inputs.bucket) is not None
    settle(run.library.registry, inputs.bucket, folder_digest, run_again=late)
    if published or not is_noted(run.library.folder, run.library.registry, inputs.bucket):
        run.library.note_bucket(inputs.bucket, copy_registry=True)
    if late:
        run.say(f"{bucket_title(inputs.bucket)}: people of it were founded meanwhile; its next run lets its faces join")


def _founded_meanwhile(run: Run, inputs: PublishInputs, joined_from: pl.DataFrame) -> bool:
    """Whether faces ended covered that nobody covered before, and could join that person by now.

    A cluster of which only the mean lies near a person stays out of reach, however often the bucket is run.
    """
    decisions = run.library.registry.decisions(inputs.bucket)
    before = joined_from.filter(pl.col("covered"))["face_id"]
    ended = decisions.filter((pl.col("state") == "covered") & ~pl.col("face_id").is_in(before.implode()))["face_id"]
    if ended.is_empty():
        return False
    coverage = coverage_now(run.library, run.store_of(inputs.bucket), inputs.bucket, inputs.coverage, run.pack)
    late, distance = coverage.filter(pl.col("face_id").is_in(ended.implode())), float(coverage["cover_distance"][0])
    return bool(waiting_faces(run.library, late, distance))


def _require_consistent(run: Run, inputs: PublishInputs, faces: pl.DataFrame) -> None:
    for frame, what in ((faces, "face cache"), (inputs.coverage, "coverage"), (inputs.clusters.frame, "cluster table")):
        require_one_model(frame, run.pack.model_id, f"the {what} of {bucket_title(inputs.bucket)}")
    ids = inputs.coverage["face_id"].to_list()
    known = run.library.snapshot()
    own = {identity.name for identity in known.own(inputs.bucket, retired=False)}
    live = own | set(known.members_of(inputs.bucket).values())
    referred = inputs.clusters.frame.filter(pl.col("state").is_in(["member", "joining"]))["identity"].to_list()
    unknown = set(ids) - set(faces["face_id"])
    if ids != inputs.clusters.frame["face_id"].to_list() or unknown or set(referred) - live:
        raise PublishRefused(
            f"The tables of {bucket_title(inputs.bucket)} do not belong together: they were made from different states "
            "of the cache or the library. Nothing was published. Materialize osrc_uncovered and osrc_clusters again, "
            "or run the job discover_identities."
        )


def _planner(run: Run, inputs: PublishInputs, faces: pl.DataFrame) -> BucketPlanner:
    parameters = inputs.identity_parameters()
    rows = faces.filter(pl.col("face_id").is_in(inputs.coverage["face_id"].to_list()))
    own = [identity.name for identity in run.library.snapshot().own(inputs.bucket, retired=True)]
    terms = Terms("discovered", inputs.bucket, inputs.parameters_by_asset(run.export), run.export)
    ids = inputs.coverage["face_id"].to_list()
    bindings = bindings_of(run.library, inputs.bucket, run.pack.model_id, run.pack.dim, ids)
    head = inputs_head(run.code_version, run.pack.model_id, parameters, run.export, bindings)
    return BucketPlanner(
        run=run,
        proposal=proposal_of(
            inputs.bucket,
            inputs.clusters.frame,
            min_faces=inputs.clusters.parameters.min_faces,
            rematch_distance=inputs.clusters.parameters.rematch_distance,
            photo_of=dict(rows.select("face_id", "sha256").iter_rows()),
            unit=units_of(rows),
            bindings=bindings,
        ),
        coverage=inputs.coverage,
        cover_distance=inputs.clusters.cover_distance,
        flags=rows.select("face_id", "source_missing", "truncated"),
        inputs_digest=inputs_digest(rows, head),
        identity_parameters=parameters,
        gallery=Gallery(run, faces, terms, own),
    )


def _summary(outcome: Outcome) -> str:
    if outcome.unchanged:
        return f"nothing changed, {counted(len(outcome.kept), 'faceset stands', 'facesets stand')}"
    parts = [("founded", outcome.founded), ("changed", outcome.changed), ("kept", outcome.kept)]
    parts += [("retired", outcome.retired), ("revived", outcome.revived)]
    return ", ".join(f"{len(names)} {word}" for word, names in parts if names) or "no faceset"
