"""`facesets join`: faces of known people that wait join them, by the job `join_known_people`."""

from facesets_dagster.automation.in_process import FinishedRun, run_job
from facesets_dagster.automation.noted_end import why_it_failed
from facesets_dagster.cli.asking import bucket_named
from facesets_dagster.cli.dagster_instance import instance_of
from facesets_dagster.cli.program import console
from facesets_dagster.cli.tables import print_json
from facesets_dagster.definitions import build_defs
from facesets_dagster.errors import LibraryError
from facesets_dagster.partitions import add_partitions
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.settings import Settings

JOB = "join_known_people"


def print_joined(settings: Settings, names: list[str], *, as_json: bool) -> None:
    """Takes in who waits in these buckets, or in all that were published. Raises `LibraryError` if a run fails."""
    home = HomeResource.of(settings)
    folders = home.buckets()
    published = [run.bucket for run in home.library().registry.bucket_runs() if run.bucket in folders]
    buckets = sorted({bucket_named(name, folders) for name in names}) if names else published
    joined: dict[str, list[str]] = {}
    with instance_of(settings) as instance:
        add_partitions(instance, buckets)
        job = build_defs(settings).resolve_job_def(JOB)
        for bucket in buckets:
            done = run_job(job, instance, partition_key=bucket)
            joined[bucket] = _sentences(bucket, done)
            for line in joined[bucket] if not as_json else ():
                console().print(f"{bucket_title(bucket)}: {line}", markup=False, soft_wrap=True)
    if as_json:
        print_json({"joined": joined})
    elif not any(joined.values()):
        console().print("Nobody waits to join a known person.", markup=False)


def _sentences(bucket: str, done: FinishedRun) -> list[str]:
    if done.failures or not done.success:
        raise LibraryError(f"{bucket_title(bucket)}: {why_it_failed(done, f'the run {done.run_id} did not finish')}")
    return [str(line) for line in done.metadata.get("extended_facesets", {}).get("joined", [])]
