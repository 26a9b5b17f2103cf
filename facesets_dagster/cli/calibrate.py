"""`facesets calibrate`: the asset `pack_calibration` through Dagster, the numbers on the terminal."""

import logging
from pathlib import Path

from rich.console import Console

from facesets_dagster.automation.in_process import run_job
from facesets_dagster.automation.noted_end import note_end, why_it_failed
from facesets_dagster.cli.dagster_instance import instance_of
from facesets_dagster.cli.tables import print_json, text_table
from facesets_dagster.definitions import build_defs
from facesets_dagster.embedding.home_numbers import read_home_numbers
from facesets_dagster.errors import LibraryError, SettingsError
from facesets_dagster.photos.bucket_key import LIBRARY
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.settings import Settings


def numbers_now(settings: Settings) -> dict[str, object]:
    """The numbers that runs of the home use."""
    return dict(vars(EmbedderResource.of(settings).thresholds()))


def print_calibration(
    settings: Settings, folder: Path | None, console: Console, *, remove: bool, as_json: bool = False
) -> None:
    """Measures, or removes what was measured, and shows the numbers that hold now."""
    if remove and folder is not None:
        raise SettingsError("--remove measures nothing, and takes no folder. Leave one of them out.")
    shown = {} if remove else numbers_now(settings)
    config = {"folder": str(folder.absolute()) if folder else None, "remove": remove}
    logging.getLogger("dagster").setLevel(logging.WARNING)
    with instance_of(settings) as instance:
        done = run_job(
            build_defs(settings).resolve_job_def("calibrate_pack"),
            instance,
            config={"ops": {"pack_calibration": {"config": config}}},
        )
    note_end(done, "calibrate_pack", settings.reports_dir)
    if not done.success:
        raise LibraryError(why_it_failed(done, f"The run {done.run_id} failed; see the Dagster UI."))
    metadata = done.metadata["pack_calibration"]
    answer = str(metadata.get("answer", "The numbers were measured; all later runs of this home use them."))
    page = settings.reports_dir / LIBRARY / f"{done.run_id}.pack_calibration.html"
    found = read_home_numbers(settings.calibration_file)
    numbers = dict(sorted(found.numbers.items())) if found else {}
    if as_json:
        report = page if page.exists() else None
        print_json({"answer": answer, "numbers": numbers, "file": settings.calibration_file, "report": report})
        return
    rows = [{"number": name, "before": shown.get(name), "now": value} for name, value in numbers.items()]
    if rows:
        console.print(text_table("Numbers of this home", rows))
    console.print(answer, markup=False, soft_wrap=True)
    if page.exists():
        console.print(f"report: {page}", markup=False, soft_wrap=True)
