"""What happens every night: each bucket is looked at once, in case a change was missed, and old things go."""

from collections.abc import Iterable

import dagster as dg

from facesets_dagster.assets._versions import folder_observation
from facesets_dagster.automation.news import A_NIGHT, of_a_night
from facesets_dagster.errors import BucketError
from facesets_dagster.partitions import add_partitions, without_partition
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.registry.unfinished import unfinished_runs
from facesets_dagster.resources.home import HomeResource

_NIGHTLY = {
    "housekeeping": (
        5,
        "Removes old reports, retired facesets and superseded runs as the FACESETS_KEEP_* settings say.",
    ),
    "verification": (6, "Proves every file of the library, as `facesets verify` does; a flaw fails the run."),
}
"""Job -> the hour of its run, and the description of its schedule."""


def build_nightly(job: dg.JobDefinition, *, on: bool) -> dg.ScheduleDefinition:
    """The schedule of a job of `_NIGHTLY`; `on`: running unless someone stops it."""
    hour, description = _NIGHTLY[job.name]
    return dg.ScheduleDefinition(
        name=f"nightly_{job.name}",
        job=job,
        cron_schedule=f"0 {hour} * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING if on else dg.DefaultScheduleStatus.STOPPED,
        description=description,
    )


def build_nightly_rescan(job: str, *, on: bool) -> dg.ScheduleDefinition:
    """The schedule; `job`: name of what it runs; `on`: running unless someone stops it."""

    @dg.schedule(
        name="nightly_rescan",
        job_name=job,
        cron_schedule="30 3 * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING if on else dg.DefaultScheduleStatus.STOPPED,
        description=(
            f"Runs {job} for every bucket folder at 03:30; an unchanged bucket costs seconds. Of more than {A_NIGHT:,} "
            "folders, so many each night in turn, and those whose last run did not come to its end."
        ),
    )
    def nightly_rescan(context: dg.ScheduleEvaluationContext, home: HomeResource) -> list[dg.RunRequest]:
        unfinished = unfinished_runs(home.library().registry)
        chosen = of_a_night(home.buckets(), unfinished, context.scheduled_execution_time.toordinal())
        states = _readable(context, home, chosen)
        add_partitions(context.instance, without_partition(context.instance, list(states)))
        for bucket, digest in states.items():
            context.instance.report_runless_asset_event(folder_observation(bucket, digest))
        night = context.scheduled_execution_time.strftime("%Y-%m-%d")
        return [dg.RunRequest(run_key=f"{night}:{bucket}", partition_key=bucket) for bucket in states]

    return nightly_rescan


def _readable(context: dg.ScheduleEvaluationContext, home: HomeResource, buckets: Iterable[str]) -> dict[str, str]:
    """Bucket -> state of its folder.

    A run of a bucket whose folder cannot be read would fail every night; `facesets status` names those.
    """
    states = dict[str, str]()
    for bucket in buckets:
        try:
            states[bucket] = home.listing(bucket).digest()
        except BucketError as error:
            context.log.error(f"{bucket_title(bucket)}: not run. {error}")
    return states
