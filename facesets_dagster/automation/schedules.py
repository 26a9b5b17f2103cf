"""What happens every night: each bucket is looked at once, in case a change was missed, and old things go."""

import dagster as dg

from facesets_dagster.errors import BucketError
from facesets_dagster.partitions import SOURCE_BUCKET
from facesets_dagster.photos.bucket_key import bucket_title
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
        description=f"Runs {job} for every bucket folder at 03:30; an unchanged bucket costs seconds.",
    )
    def nightly_rescan(context: dg.ScheduleEvaluationContext, home: HomeResource) -> list[dg.RunRequest]:
        buckets = [bucket for bucket in home.buckets() if _is_readable(context, home, bucket)]
        known = set(context.instance.get_dynamic_partitions(str(SOURCE_BUCKET.name)))
        new = [bucket for bucket in buckets if bucket not in known]
        if new:
            context.instance.add_dynamic_partitions(str(SOURCE_BUCKET.name), new)
        night = context.scheduled_execution_time.strftime("%Y-%m-%d")
        return [dg.RunRequest(run_key=f"{night}:{bucket}", partition_key=bucket) for bucket in buckets]

    return nightly_rescan


def _is_readable(context: dg.ScheduleEvaluationContext, home: HomeResource, bucket: str) -> bool:
    """A run of a bucket whose folder cannot be read would fail every night; `facesets status` names those."""
    try:
        home.listing(bucket)
    except BucketError as error:
        context.log.error(f"{bucket_title(bucket)}: not run. {error}")
        return False
    return True
