"""How a command's run ended: in words, and in the report index as the sensors do for runs of the server."""

from pathlib import Path

from facesets_dagster.automation.hooks import note_failure
from facesets_dagster.automation.in_process import FinishedRun
from facesets_dagster.automation.sensors import failure_in_words
from facesets_dagster.photos.bucket_key import LIBRARY
from facesets_dagster.registry.unfinished import BY_A_PERSON


def why_it_failed(done: FinishedRun, otherwise: str) -> str:
    """What the first failed step says; `otherwise` if no step failed."""
    return failure_in_words(done.failures[0]) if done.failures else otherwise


def note_end(done: FinishedRun, job: str, reports_dir: Path, bucket: str = LIBRARY) -> None:
    """A line in the report index for a run that did not end well; the server may not run, and note it, for days."""
    if done.success:
        return
    why = why_it_failed(done, "the run failed before its first step")
    note_failure(reports_dir, bucket, done.run_id, BY_A_PERSON if done.interrupted else why, job=job)
