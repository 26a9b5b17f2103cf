"""`facesets what-if`: the asset `what_if` of a bucket through Dagster, its answers and counts on the terminal."""

import logging
from collections.abc import Mapping

import polars as pl
from pydantic import ValidationError
from rich.console import Console

from facesets_dagster.analysis.what_if.words import base_in_words
from facesets_dagster.assets.what_if import WhatIfNumbers
from facesets_dagster.automation.in_process import run_job
from facesets_dagster.automation.noted_end import note_end, why_it_failed
from facesets_dagster.cli.asking import bucket_named
from facesets_dagster.cli.dagster_instance import instance_of
from facesets_dagster.cli.tables import print_json, text_table
from facesets_dagster.definitions import build_defs
from facesets_dagster.errors import LibraryError, SettingsError
from facesets_dagster.partitions import add_partitions
from facesets_dagster.photos.bucket_key import bucket_title, file_name
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.settings import Settings

_SHOWN = {
    "identities": "people",
    "founded": "new",
    "vanished": "gone",
    "members": "members",
    "exported": "exported",
    "impossible_pairs": "impossible",
}
"""Column of the table -> heading on the terminal."""


def print_what_if(
    settings: Settings, name: str, values: Mapping[str, float], console: Console, *, as_json: bool = False
) -> None:
    """One point with these numbers; the default sweep if none is given."""
    try:
        WhatIfNumbers.model_validate(values)
    except ValidationError as error:
        told = [f"{one['loc'][0]} {one['input']}: {one['msg']}" for one in error.errors()]
        raise SettingsError(f"These numbers cannot be used: {', '.join(told)}. Nothing was run.") from error
    home = HomeResource.of(settings)
    bucket = bucket_named(name, home.buckets())
    config = {"points": [dict(values)], "sweep": False} if values else {}
    logging.getLogger("dagster").setLevel(logging.WARNING)
    with instance_of(settings) as instance:
        add_partitions(instance, [bucket])
        done = run_job(
            build_defs(settings).resolve_job_def("ask_what_if"),
            instance,
            partition_key=bucket,
            config={"ops": {"what_if": {"config": config}}},
        )
    note_end(done, "ask_what_if", settings.reports_dir, bucket)
    if not done.success:
        raise LibraryError(why_it_failed(done, f"The run {done.run_id} failed; see the Dagster UI."))
    table = pl.read_parquet(settings.tables_dir / "what_if" / f"{file_name(bucket)}.parquet")
    page, base = (
        settings.reports_dir / file_name(bucket) / f"{done.run_id}.what_if.html",
        base_in_words(table.row(0, named=True)),
    )
    answers = str(done.metadata["what_if"]["answers"])
    if as_json:
        points = table.to_dicts()
        print_json({"bucket": bucket, "bucket_name": bucket_title(bucket), "points": points, "report": page})
        return
    rows = [
        {"point": row["title"], **{heading: row[key] for key, heading in _SHOWN.items()}}
        for row in table.iter_rows(named=True)
    ]
    console.print(text_table("What if", rows))
    console.print(f"the base point: {base}", markup=False, soft_wrap=True)
    console.print(f"\n{answers}", markup=False, soft_wrap=True)
    console.print(f"report: {page}", markup=False, soft_wrap=True)
