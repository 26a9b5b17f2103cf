"""What happens every night: each bucket is looked at once, in case a change was missed, and old things go."""

import dagster as dg

from facesets_dagster.partitions import SOURCE_BUCKET
from facesets_dagster.resources.home import HomeResource


def build_nightly_housekeeping(job: dg.JobDefinition, *, on: bool) -> dg.ScheduleDefinition:
    """Housekeeping at 05:00; `on`: running unless someone stops it."""
    return dg.ScheduleDefinition(
        name="nightly_housekeeping",
        job=job,
        cron_schedule="0 5 * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING if on else dg.DefaultScheduleStatus.STOPPED,
        description="Removes old reports, retired facesets and superseded runs as the FACESETS_KEEP_* settings say.",
    )


def build_nightly_verification(job: dg.JobDefinition, *, on: bool) -> dg.ScheduleDefinition:
    """The whole library is read at 06:00; `on`: running unless someone stops it."""
    return dg.ScheduleDefinition(
        name="nightly_verification",
        job=job,
        cron_schedule="0 6 * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING if on else dg.DefaultScheduleStatus.STOPPED,
        description="Proves every file of the library, as `facesets verify` does; a flaw fails the run.",
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
        buckets = list(home.buckets())
        known = set(context.instance.get_dynamic_partitions(str(SOURCE_BUCKET.name)))
        new = [bucket for bucket in buckets if bucket not in known]
        if new:
            context.instance.add_dynamic_partitions(str(SOURCE_BUCKET.name), new)
        night = context.scheduled_execution_time.strftime("%Y-%m-%d")
        return [dg.RunRequest(run_key=f"{night}:{bucket}", partition_key=bucket) for bucket in buckets]

    return nightly_rescan
