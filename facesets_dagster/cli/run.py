"""`facesets run`: the main job through Dagster, bucket by bucket in key order, and a summary table."""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
from rich.console import Console

from facesets_dagster.analysis.bucket_states import bucket_standings
from facesets_dagster.assets._run_config import problems_of
from facesets_dagster.assets._versions import folder_observation
from facesets_dagster.automation.hooks import note_failure
from facesets_dagster.automation.in_process import FinishedRun, run_job
from facesets_dagster.automation.jobs import BY_HAND
from facesets_dagster.automation.noted_end import why_it_failed
from facesets_dagster.automation.queued import finished_runs, queue_job, require_queue
from facesets_dagster.cli.asking import bucket_named
from facesets_dagster.cli.dagster_instance import instance_of
from facesets_dagster.cli.run_results import BucketResult, print_summary, result_json
from facesets_dagster.cli.tables import print_json
from facesets_dagster.definitions import build_defs
from facesets_dagster.errors import BucketError, SettingsError
from facesets_dagster.files.parsing import parse_yaml
from facesets_dagster.partitions import add_partitions
from facesets_dagster.photos.bucket_key import HAND_SORTED, bucket_title
from facesets_dagster.registry.unfinished import BY_A_PERSON, note_unfinished, unfinished_run
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.resources.run_process import end_dead_runs
from facesets_dagster.settings import Settings
from facesets_dagster.wording import counted

ENDED = "ended by a person. Finished steps are kept; `facesets run` continues from there."


def run_buckets(
    settings: Settings,
    wanted: list[str],
    config: Path | None,
    console: Console,
    *,
    as_json: bool = False,
    launch: bool = False,
) -> int:
    """Runs the buckets (all with changes if none is named) and prints a table; 0 only if everything passed.

    `launch`: through the instance's queue and launcher, in place of this process.
    """
    home = HomeResource.of(settings)
    folders = home.buckets()
    named = [bucket_named(name, folders) for name in wanted]
    _say_what_lies_beside(home, folders, console)
    run_config = _run_config(config)
    _quiet()
    terminal = os.dup(sys.stderr.fileno()) if sys.stderr.isatty() else None
    with instance_of(settings) as instance:
        end_dead_runs(instance, home.library().registry)
        if launch:
            require_queue(instance)
        chosen, unreadable = _to_run(settings, home, folders, named)
        add_partitions(instance, sorted(folders))
        job = build_defs(settings, terminal=terminal).resolve_job_def(settings.job)
        _refuse(run_config, job)
        run_all = _launched if launch else _one_by_one
        results = run_all(settings, sorted(set(chosen)), run_config, instance, console, job)
    if not results and folders and not unreadable:
        buckets = counted(len(folders), "bucket is", "buckets are")
        console.print(f"Nothing to do: {'all ' if len(folders) > 1 else ''}{buckets} up to date.")
    print_summary(settings, results, console)
    for bucket, problem in unreadable.items():
        console.print(f"{bucket_title(bucket)}: not run. {problem}", style="red", markup=False, soft_wrap=True)
    if as_json:
        not_run = [{"bucket": bucket, "problem": problem} for bucket, problem in unreadable.items()]
        print_json({"home": settings.home, "buckets": [result_json(result) for result in results], "not_run": not_run})
    return 0 if all(result.success for result in results) and not unreadable else 1


def _say_what_lies_beside(home: HomeResource, folders: dict[str, Path], console: Console) -> None:
    """Photos that are in no bucket, and roots without one."""
    advice = [root.advice for root in home.roots() if root.advice]
    for line in advice:
        console.print(line, style="yellow", markup=False, soft_wrap=True)
    if not folders and not advice:
        roots = ", ".join(home.bucket_roots)
        console.print(f"There is no bucket under {roots}. Put a folder of photos there, or `facesets sample {roots}`.")


def _to_run(
    settings: Settings, home: HomeResource, folders: dict[str, Path], named: list[str]
) -> tuple[list[str], dict[str, str]]:
    """The buckets to run (these, or those with news), and why others cannot be read.

    News of the hand-sorted folders are news for every bucket: a person of those may be in any. All are marked as stale
    first, so that what a run does not get to, because it is ended or fails, is done by the next one. Where there is no
    bucket, `HAND_SORTED` stands for them.
    """
    registry = home.library().registry
    by_hand = [HAND_SORTED] if settings.job == "full_pipeline" and settings.hand_sorted_root and not named else []
    standings = bucket_standings(named or [*folders, *by_hand], [*folders, *by_hand], home.listing, registry)
    unreadable = {bucket: one.problem for bucket, one in standings.items() if one.state == "unreadable"}
    readable = [bucket for bucket in standings if bucket not in {*unreadable, *by_hand}]
    if named:
        return readable, unreadable
    if any(standings[bucket].has_news for bucket in by_hand):
        registry.mark_stale(folders)
        return (readable if folders else by_hand), unreadable
    return [bucket for bucket in readable if standings[bucket].has_news], unreadable


def _run_config(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        config = parse_yaml(path.read_text(encoding="utf-8")) or {}
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"The run config {path} cannot be read ({error}). Expected YAML as in the launchpad."
        ) from error
    if not isinstance(config, dict):
        raise SettingsError(f"The run config {path} holds a {type(config).__name__}, expected a mapping with `ops:`.")
    return config


def _refuse(run_config: dict[str, Any], job: dg.JobDefinition) -> None:
    """Raises `SettingsError` with everything that the job's steps would refuse."""
    problems = problems_of(run_config, [node.name for node in job.nodes])
    if problems:
        raise SettingsError(f"The run config does not fit. {' '.join(problems)} Nothing was run.")


def _quiet() -> None:
    """Warnings and errors on the terminal, the whole story in the run's log."""
    logging.getLogger("dagster").setLevel(logging.WARNING)


def _one_by_one(
    settings: Settings,
    buckets: list[str],
    run_config: dict[str, Any],
    instance: dg.DagsterInstance,
    console: Console,
    job: dg.JobDefinition,
) -> list[BucketResult]:
    results: list[BucketResult] = []
    for bucket in buckets:
        console.print(bucket_title(bucket), style="bold", markup=False)
        with _config_that_fits():
            done = run_job(job, instance, **_share(settings, bucket, run_config, instance))
        results.append(_result(settings, bucket, done, job))
        if results[-1].interrupted:
            break
    return results


def _launched(
    settings: Settings,
    buckets: list[str],
    run_config: dict[str, Any],
    instance: dg.DagsterInstance,
    console: Console,
    job: dg.JobDefinition,
) -> list[BucketResult]:
    """A failure of such a run is entered into the reports by the sensor `failed_run_sensor`."""
    queued: dict[str, str] = {}
    for bucket in buckets:  # all of them first: the launcher may start several at once
        with _config_that_fits():
            queued[queue_job(job, instance, **_share(settings, bucket, run_config, instance))] = bucket
    if queued:
        console.print(f"{counted(len(queued), 'run')} in the queue; Ctrl-C ends the waiting, not the runs.")
    results = []
    for done in finished_runs(instance, queued):
        result = BucketResult(
            queued[done.run_id], done.success, done.run_id, done.metadata, _problem(done), done.interrupted
        )
        results.append(result)
        console.print(f"{len(results)} of {len(queued)}: {bucket_title(result.bucket)}", markup=False)
    return sorted(results, key=lambda result: result.bucket)


def _share(settings: Settings, bucket: str, run_config: dict[str, Any], instance: dg.DagsterInstance) -> dict[str, Any]:
    """What the run of a bucket is made of; the hand-sorted folders have no partition and fewer steps."""
    if bucket == HAND_SORTED:
        if "ops" in run_config:
            run_config = {**run_config, "ops": {op: run_config["ops"][op] for op in BY_HAND if op in run_config["ops"]}}
        return {"partition_key": None, "assets": BY_HAND, "config": run_config}
    with contextlib.suppress(BucketError):  # the first step says it
        seen = HomeResource.of(settings).listing(bucket).digest()
        instance.report_runless_asset_event(folder_observation(bucket, seen))
    return {"partition_key": bucket, "assets": (), "config": run_config}


@contextlib.contextmanager
def _config_that_fits() -> Iterator[None]:
    try:
        yield
    except dg.DagsterInvalidConfigError as error:
        raise SettingsError(f"The run config does not fit: {error}") from error


def _result(settings: Settings, bucket: str, done: FinishedRun, job: dg.JobDefinition) -> BucketResult:
    problem = _problem(done)
    if problem:
        note_failure(settings.reports_dir, bucket, done.run_id, problem, job=job.name)
        if bucket != HAND_SORTED:
            _note_unfinished(settings, bucket, done, problem)
    return BucketResult(bucket, done.success, done.run_id, done.metadata, problem, done.interrupted)


def _note_unfinished(settings: Settings, bucket: str, done: FinishedRun, problem: str) -> None:
    """A step that ends early notes it; a run that ended between two steps is noted here."""
    registry = HomeResource.of(settings).library().registry
    noted = unfinished_run(registry, bucket)
    if noted is None or noted.run_id != done.run_id:
        note_unfinished(registry, [bucket], done.run_id, BY_A_PERSON if done.interrupted else f"failed: {problem}")


def _problem(done: FinishedRun) -> str:
    """The error as text, a defect with its whole traceback; empty if there is none."""
    if done.interrupted:
        return ENDED
    return why_it_failed(done, "" if done.success else "the run failed before its first step; see the Dagster UI")
