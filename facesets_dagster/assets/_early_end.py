"""What a step leaves behind when it does not come to its end: the bucket is on record as unfinished.

So `facesets status` does not call it up to date, and the next run takes it up again, whoever started this one.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import dagster as dg

from facesets_dagster.registry.unfinished import BY_A_PERSON, WITH_THE_SERVER, note_unfinished
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.resources.interruptions import INTERRUPTIONS
from facesets_dagster.resources.run_process import STARTED_BY

_PUBLISHES = "swap_ready_facesets"
"""A run without this step does not bring a bucket up, and leaves it as it was."""
_MAX_REASON = 300


@contextmanager
def noting_an_early_end(arguments: Sequence[object]) -> Iterator[None]:
    """`arguments`: of the asset, its context and the home among them; otherwise nothing is noted."""
    try:
        yield
    except dg.RetryRequested:
        raise
    except BaseException as error:
        context = next((one for one in arguments if isinstance(one, dg.AssetExecutionContext)), None)
        home = next((one for one in arguments if isinstance(one, HomeResource)), None)
        bucket = _bucket_of(context) if context else None
        if context is not None and home is not None and bucket is not None:
            note_unfinished(home.library().registry, [bucket], context.run.run_id, _reason(error, context))
        raise


def _bucket_of(context: dg.AssetExecutionContext) -> str | None:
    """The bucket that the run is to bring up; None if it is to do something else."""
    try:
        run, steps = context.run, {node.name for node in context.job_def.nodes}
    except dg.DagsterError:  # The asset was called as a function.
        return None
    return run.tags.get("dagster/partition") if _PUBLISHES in steps else None


def _reason(error: BaseException, context: dg.AssetExecutionContext) -> str:
    if isinstance(error, INTERRUPTIONS):
        run = context.instance.get_run_by_id(context.run.run_id)
        at_a_terminal = STARTED_BY in context.run.tags
        terminated = run is not None and run.status == dg.DagsterRunStatus.CANCELING
        return BY_A_PERSON if at_a_terminal or terminated else WITH_THE_SERVER
    said = (error.description if isinstance(error, dg.Failure) else None) or f"{type(error).__name__}: {error}"
    return f"failed: {' '.join(said.split())}"[:_MAX_REASON]
