"""The jobs: the main chain for one bucket, in one process, so that the model is loaded once; and housekeeping."""

import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from facesets_dagster.analysis.ruling_flaws import every_flaw
from facesets_dagster.assets._config import RunConfig
from facesets_dagster.assets._order import FIRST_TO_LAST, RULING
from facesets_dagster.automation.attempts import FINISHED
from facesets_dagster.automation.forgetting import forget_in_run
from facesets_dagster.automation.housekeeping import DAY, remove_lost_thumbnails, remove_old_reports, remove_old_retired
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.settings import Settings
from facesets_dagster.wording import counted

MAIN_CHAIN = (
    "face_cache",
    "existing_centroids",
    "osrc_uncovered",
    "extended_facesets",
    "osrc_clusters",
    "swap_ready_facesets",
    "top_manifest",
)
KNOWN_PEOPLE = "extended_facesets"
"""The step that takes in new photos of known people; a home may do without (`FACESETS_JOIN_KNOWN`)."""

FULL_PIPELINE = ("face_cache", *FIRST_TO_LAST, "candidate_faces")

_AT_ONCE = 500
"""Records of runs in memory."""
BUCKET_JOBS = {
    "discover_identities": (
        MAIN_CHAIN,
        "The main chain for one bucket: faces are read, known people set aside and given their new photos, the rest "
        "clustered, published as numbered face sets and entered into the manifest.",
    ),
    "full_pipeline": (
        FULL_PIPELINE,
        "The whole write-up for one bucket, in this order: legacy and hand-sorted people, known people get their new "
        "faces, new people are discovered, eras are split, everything is entered into the manifest, candidates are "
        "offered.",
    ),
}
"""What brings a bucket up, by the names of `settings.JOBS`: assets and description."""

BY_HAND = ("legacy_library", "hand_sorted_facesets", "existing_centroids")
"""What is run of `full_pipeline` for the hand-sorted folders where there is no bucket."""


apply_merges = dg.define_asset_job(
    name="apply_merges",
    selection=list(RULING),
    description=(
        "Merges the groups of facesets that `merges` in the run config of applied_rulings names; see merge_proposals. "
        "Each merge becomes a ruling; undo_merges takes it back."
    ),
)

undo_merges = dg.define_asset_job(
    name="undo_merges",
    selection=list(RULING),
    description="Takes back the merges that `undo` in the run config of applied_rulings names, in any order.",
)

apply_rulings = dg.define_asset_job(
    name="apply_rulings",
    selection=list(RULING),
    description="Makes the rulings in force true in the library; `facesets rule` and `facesets rulings undo` run it.",
)


ask_what_if = dg.define_asset_job(
    name="ask_what_if",
    selection=["what_if"],
    description="What other numbers would make of a bucket; changes nothing. `facesets what-if` runs it.",
)

make_questions = dg.define_asset_job(
    name="make_questions",
    selection=["review_queue"],
    description="Makes the questions of the review page anew; changes nothing else. `facesets review` runs it.",
)

calibrate_pack = dg.define_asset_job(
    name="calibrate_pack",
    selection=["pack_calibration"],
    description="Measures the numbers of the home's model pack; `facesets calibrate` runs it.",
)

label_faceset = dg.define_asset_job(
    name="label_faceset",
    selection=list(RULING),
    description="Brings the manifest up to the names that people gave; `facesets label` runs it.",
)


export_facesets = dg.define_asset_job(
    name="export_facesets",
    selection=["consumer_exports"],
    description="Writes face sets in the formats of other programs. `facesets export` runs it.",
)


JOINING = ("existing_centroids", "osrc_uncovered", "extended_facesets")

join_known_people = dg.define_asset_job(
    name="join_known_people",
    selection=list(JOINING),
    description=(
        "Faces of a bucket that wait to join a known person join them: after FACESETS_JOIN_KNOWN=off, or where a "
        "person got a face set after the bucket was run. `facesets join` runs it."
    ),
)


def build_asset_jobs(*, join_known: bool) -> list[tuple[Any, Collection[str]]]:
    """Each with the names of its assets. `join_known`: known people's new photos join their face sets (else wait)."""
    found: list[tuple[Any, Collection[str]]] = [
        (apply_merges, RULING),
        (undo_merges, RULING),
        (apply_rulings, RULING),
        (ask_what_if, ("what_if",)),
        (make_questions, ("review_queue",)),
        (calibrate_pack, ("pack_calibration",)),
        (label_faceset, RULING),
        (export_facesets, ("consumer_exports",)),
        (join_known_people, JOINING),
    ]
    for name, (chain, description) in BUCKET_JOBS.items():
        assets = [asset for asset in chain if join_known or asset != KNOWN_PEOPLE]
        found.append((dg.define_asset_job(name, selection=assets, description=description), assets))
    return found


class HousekeepingConfig(RunConfig):
    """Days after which something is removed; 0 keeps it for ever. The defaults are the settings of the home."""

    keep_retired_days: float = Field(
        ge=0, le=36_500, description="Retired facesets; their names and numbers stay taken."
    )
    keep_reports_days: float = Field(ge=0, le=36_500, description="Reports of runs; their lines in the index stay.")
    forget_gone: bool = Field(
        default=False,
        description=(
            "Forget photos that are in their bucket no more, and buckets whose folder is gone while others stand "
            "beside it: nothing of them stays anywhere in the home. They may come back."
        ),
    )
    keep_runs_days: float = Field(
        ge=0, le=36_500, description="Dagster's runs and their events, if a later run of the same bucket succeeded."
    )


@dg.op(description="Removes retired facesets, reports, superseded runs of Dagster that are old, and lost pictures.")
def remove_what_is_old(
    context: dg.OpExecutionContext, config: HousekeepingConfig, home: HomeResource, embedder: EmbedderResource
) -> None:
    """Removes old things and logs how many."""
    if config.forget_gone:
        forget_in_run(context, home, embedder, lambda subjects: subjects.gone())
    retired = remove_old_retired(home.library(), config.keep_retired_days, f"run {context.run_id}")
    reports = remove_old_reports(Path(home.reports_dir), config.keep_reports_days)
    runs = remove_old_runs(context.instance, config.keep_runs_days)
    libraries = home.plain().libraries()
    pictures = remove_lost_thumbnails(Path(home.cache_dir), libraries) if libraries else 0
    context.log.info(
        f"removed: {len(retired)} retired facesets {retired[:20]}, {reports} files of reports, {runs} runs, small "
        f"pictures of {counted(pictures, 'face')} that nothing holds any more"
    )


def remove_old_runs(instance: dg.DagsterInstance, days: float) -> int:
    """Deletes finished runs of the buckets' jobs that are older than `days` and superseded by a later success.

    The last success of each bucket stays, so that every asset keeps its latest materialization.
    """
    if days <= 0:
        return 0
    old, newer = list[str](), set[str]()
    for record in _finished_runs(instance):
        run, bucket = record.dagster_run, record.dagster_run.tags.get("dagster/partition", "")
        if bucket in newer and time.time() - record.create_timestamp.timestamp() > days * DAY:
            old.append(run.run_id)
        if run.status == dg.DagsterRunStatus.SUCCESS:
            newer.add(bucket)
    for run_id in old:
        instance.delete_run(run_id)
    return len(old)


def _finished_runs(instance: dg.DagsterInstance) -> Iterator[dg.RunRecord]:
    """Those of the buckets' jobs, the newest first; no more than `_AT_ONCE` are in memory."""
    last: str | None = None
    while records := instance.get_run_records(dg.RunsFilter(statuses=FINISHED), limit=_AT_ONCE, cursor=last):
        yield from (record for record in records if record.dagster_run.job_name in BUCKET_JOBS)
        last = records[-1].dagster_run.run_id


@dg.op(description="Reads every file of the library and compares it with its manifest and the registry.")
def verify_every_file(context: dg.OpExecutionContext, home: HomeResource) -> None:
    """Raises `dagster.Failure` with the flaws. A flaw that is seen while a run publishes is looked at again alone."""
    library = home.library()
    flaws = every_flaw(library)
    if flaws:
        with library.locked(f"run {context.run_id}", context.log.info):
            flaws = every_flaw(library)
    if flaws:
        listed = [f"{flaw.where}: {flaw.what}. {flaw.advice}" for flaw in flaws]
        raise dg.Failure(f"{counted(len(flaws), 'flaw')}", metadata={"flaws": listed[:100]}, allow_retries=False)
    context.log.info("The library is sound, every file as published.")


@dg.job(description="Proves that every file of the library is as it was published, as `facesets verify` does.")
def verification() -> None:
    """One step."""
    verify_every_file()


def build_housekeeping(settings: Settings) -> dg.JobDefinition:
    """The job, with the settings of the home as defaults that the launchpad shows."""
    days: dict[str, Any] = {
        "keep_retired_days": settings.keep_retired_days,
        "keep_reports_days": settings.keep_reports_days,
        "keep_runs_days": settings.keep_runs_days,
    }

    @dg.job(
        description="Removes what is older than the FACESETS_KEEP_* settings say; nothing that is live.",
        config=dg.RunConfig(ops={"remove_what_is_old": HousekeepingConfig(**days)}),
    )
    def housekeeping() -> None:
        remove_what_is_old()

    return housekeeping
