"""`facesets review`: the questions of the review page through Dagster, and where the page is."""

import logging
from collections import Counter

import polars as pl
from rich.console import Console

from facesets_dagster.automation.in_process import run_job
from facesets_dagster.automation.noted_end import note_end, why_it_failed
from facesets_dagster.cli.dagster_instance import instance_of
from facesets_dagster.cli.tables import print_json
from facesets_dagster.definitions import build_defs
from facesets_dagster.errors import LibraryError
from facesets_dagster.settings import Settings, ui_port
from facesets_dagster.wording import counted

JOB = "make_questions"


def make_questions(settings: Settings, console: Console, *, as_json: bool) -> None:
    """Makes the cards of `review_queue` anew; says how many there are, and the address of the page."""
    logging.getLogger("dagster").setLevel(logging.WARNING)
    with instance_of(settings) as instance:
        done = run_job(build_defs(settings).resolve_job_def(JOB), instance)
    note_end(done, JOB, settings.reports_dir)
    if not done.success:
        raise LibraryError(why_it_failed(done, f"The run {done.run_id} failed; see the Dagster UI."))
    table = pl.read_parquet(settings.tables_dir / "review_queue" / "all.parquet", columns=["kind"])
    kinds = Counter(kind for kind in table["kind"] if kind != "known")
    address = f"http://127.0.0.1:{ui_port()}/review"
    if as_json:
        print_json({"questions": kinds.total(), "kinds": dict(sorted(kinds.items())), "address": address})
        return
    waiting = counted(kinds.total(), "question waits", "questions wait")
    console.print(f"review    {waiting}: {address} (`make dev` serves it)", markup=False, soft_wrap=True)
