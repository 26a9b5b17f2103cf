"""`facesets export`: a person's files for other programs, by the asset `consumer_exports`; copied elsewhere as well."""

import difflib
from collections.abc import Sequence
from pathlib import Path

from facesets_dagster.analysis.handed_over import HandedOver, hand_over
from facesets_dagster.automation.in_process import run_job
from facesets_dagster.automation.noted_end import note_end, why_it_failed
from facesets_dagster.cli.asking import person_called
from facesets_dagster.cli.consent import require_let_out
from facesets_dagster.cli.dagster_instance import instance_of
from facesets_dagster.cli.outside import require_outside
from facesets_dagster.cli.program import console
from facesets_dagster.cli.tables import print_json
from facesets_dagster.definitions import build_defs
from facesets_dagster.errors import LibraryError, SettingsError
from facesets_dagster.export.consumers import CONSUMERS, LEFT_OUT
from facesets_dagster.export.consumers.owned_folder import files_of
from facesets_dagster.identities.handles import described
from facesets_dagster.library.home import Home
from facesets_dagster.settings import Settings
from facesets_dagster.wording import counted


def print_export(
    settings: Settings, name: str, programs: Sequence[str], folder: Path | None, *, by_name: bool, as_json: bool
) -> int:
    """Exports one person and says where the files are; 1 if one of them could not be written."""
    _require_known(programs)
    if folder is not None:
        require_outside(folder, settings, f", or none: the files are in {settings.exports_dir} anyway")
    person = person_called(Home.of(settings).library(), name)
    require_let_out(settings, person)
    run_id = _export(settings, person.name, programs, by_name=by_name)
    made = {
        consumer: [str(settings.exports_dir / consumer / file.path) for file in files_of(place, person.name)]
        for consumer in (programs or sorted(CONSUMERS))
        if (place := settings.exports_dir / consumer).is_dir()
    }
    copies = (
        hand_over(settings.exports_dir, list(made), person.name, person.label or person.name, folder.expanduser())
        if folder
        else []
    )
    if as_json:
        print_json(
            {"faceset": person.name, "files": made, "copies": [_copied(one) for one in copies], "run_id": run_id}
        )
    else:
        _say(described(person), made, copies)
    return 1 if any(one.outcome.foreign for one in copies) else 0


def _export(settings: Settings, faceset: str, programs: Sequence[str], *, by_name: bool) -> str:
    """Runs the job; gives the id of the run."""
    config = {"consumers": list(programs) or None, "facesets": [faceset], "by_person": by_name}
    with instance_of(settings) as instance:
        job = build_defs(settings).resolve_job_def("export_facesets")
        done = run_job(job, instance, config={"ops": {"consumer_exports": {"config": config}}})
    note_end(done, job.name, settings.reports_dir)
    if not done.success:
        raise LibraryError(why_it_failed(done, f"The run {done.run_id} failed."))
    return done.run_id


def _require_known(programs: Sequence[str]) -> None:
    """Raises `SettingsError` with the nearest name for a program that there is no export for."""
    for program in programs:
        if program not in CONSUMERS:
            near = difflib.get_close_matches(program.lower(), CONSUMERS, n=1)
            meant = f"Did you mean {near[0]}?" if near else f"Expected some of: {', '.join(CONSUMERS)}."
            why = f": {LEFT_OUT[program]}" if program in LEFT_OUT else ""
            raise SettingsError(f"There is no export for {program!r}{why}. {meant}")


def _copied(one: HandedOver) -> dict[str, object]:
    outcome = one.outcome
    return {
        "consumer": one.consumer,
        "folder": str(one.folder),
        "written": outcome.written,
        "kept": outcome.kept,
        "not_replaced": outcome.foreign,
    }


def _say(person: str, made: dict[str, list[str]], copies: Sequence[HandedOver]) -> None:
    out = console()
    for consumer, files in made.items():
        place = Path(files[0]).parent if len(files) > 1 else files[0] if files else "nothing"
        out.print(f"{person} for {consumer}: {counted(len(files), 'file')}, {place}", markup=False, soft_wrap=True)
    for one in copies:
        outcome = one.outcome
        words = f"{counted(len(outcome.written), 'file')} written to {one.folder}, {len(outcome.kept)} there already"
        if outcome.foreign:
            words += f"; not replaced, because somebody else wrote them: {', '.join(outcome.foreign[:5])}"
        out.print(words, markup=False, soft_wrap=True)
