"""`facesets rulings export` and `import`: rulings moved from home to home, or kept outside of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from facesets_dagster.analysis.ruling_preview import preview
from facesets_dagster.cli.preview_words import preview_lines
from facesets_dagster.cli.program import console, say
from facesets_dagster.cli.ruled import How, ask
from facesets_dagster.cli.ruling_job import apply_now
from facesets_dagster.cli.ruling_rows import summary
from facesets_dagster.cli.tables import print_json
from facesets_dagster.errors import SettingsError
from facesets_dagster.identities.ruling_words import said
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.library.home import Home
from facesets_dagster.library.library import Library
from facesets_dagster.library.ruling_log import read_log, write_log
from facesets_dagster.publishing.rulings.taking_over import as_of_here
from facesets_dagster.publishing.rulings.writing import enter, refused_among
from facesets_dagster.registry.rulings import all_rulings, rulings_of
from facesets_dagster.settings import Settings
from facesets_dagster.wording import counted

_MOST_LINES = 20


@dataclass(frozen=True)
class Sorted:
    """The rulings of a file."""

    new: Sequence[Ruling]
    known: Sequence[Ruling]
    """On record here already, whatever their state: they stay as they are."""
    refused: Sequence[tuple[Ruling, str]]
    """With what they contradict."""

    def lines(self) -> list[str]:
        """How many of each, then each new or refused one."""
        head = f"{len(self.new)} new, {len(self.known)} known, {len(self.refused)} refused"
        shown = [f"  new: {said(one)} ({one.kind} by {one.made_by}, {one.state.replace('_', ' ')})" for one in self.new]
        more = [f"  and {len(shown) - _MOST_LINES} more"] if len(shown) > _MOST_LINES else []
        return [head, *shown[:_MOST_LINES], *more, *(f"  refused: {said(one)}: {why}" for one, why in self.refused)]


def export_rulings(settings: Settings, file: Path, *, as_json: bool) -> None:
    """Writes all rulings, oldest first, into a new file."""
    path = file.expanduser()
    if path.exists():
        raise SettingsError(f"{path} exists. Name a new file; nothing was written.")
    if not path.absolute().parent.is_dir():
        raise SettingsError(f"There is no folder {path.absolute().parent}. Nothing was written.")
    found = all_rulings(Home.of(settings).library().registry)
    write_log(path, found)
    if as_json:
        print_json({"file": path, "rulings": len(found)})
    else:
        typer.echo(f"{counted(len(found), 'ruling')} written to {path}")


def import_rulings(settings: Settings, file: Path, how: How) -> None:
    """Takes over what is new, after saying what that is. Exit 1 if a ruling was refused."""
    library = Home.of(settings).library()
    found = sort_out(library, read_log(file.expanduser()))
    for line in found.lines():
        if not how.as_json:
            say(line)
    ahead = preview(library, new=[one for one in found.new if one.state == "in_force"])
    if found.new and not how.dry_run:
        ask(f"Take over {counted(len(found.new), 'ruling')}?", how)
        enter(library, found.new)
    run_id = apply_now(settings) if found.new and not how.dry_run and not how.later else None
    if as_json := how.as_json:
        refused = [{**summary(one), "why": why} for one, why in found.refused]
        groups = {"new": [summary(one) for one in found.new], "known": [summary(one) for one in found.known]}
        print_json({**groups, "refused": refused, "dry_run": how.dry_run, "run_id": run_id})
    for line in [] if as_json else preview_lines(ahead):
        console().print(f"  {line}", markup=False, soft_wrap=True)
    if found.refused:
        raise typer.Exit(1)


def sort_out(library: Library, rulings: Sequence[Ruling]) -> Sorted:
    """Which rulings of a file are new, known, or contradict others in force or before them in the file."""
    known = rulings_of(library.registry, [one.ruling_id for one in rulings])
    new = as_of_here(library, (one for one in rulings if one.ruling_id not in known))
    refused = refused_among(library, new)
    ids = {one.ruling_id for one, _ in refused}
    return Sorted([one for one in new if one.ruling_id not in ids], list(known.values()), refused)
