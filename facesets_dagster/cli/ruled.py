"""Rulings from the command line carried out: shown first, written, applied, and how to take them back."""

import shlex
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace

import typer

from facesets_dagster.analysis.ruling_preview import Preview, preview
from facesets_dagster.cli.asking import at_a_terminal
from facesets_dagster.cli.preview_words import division_lines, preview_lines
from facesets_dagster.cli.program import console, say
from facesets_dagster.cli.ruling_job import apply_now
from facesets_dagster.cli.ruling_rows import summary
from facesets_dagster.cli.tables import print_json
from facesets_dagster.errors import SettingsError
from facesets_dagster.identities.ruling_words import said
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.library.home import Home
from facesets_dagster.library.library import Library
from facesets_dagster.publishing.rulings.writing import Author, enter, take_back
from facesets_dagster.settings import Settings

_MOST_LINES = 20


@dataclass(frozen=True)
class How:
    """The options of all commands that write rulings."""

    dry_run: bool = False
    later: bool = False
    """Write, and leave the library as it is."""
    as_json: bool = False
    yes: bool = False
    """Do not ask."""
    reason: str | None = None


def carry_out(settings: Settings, rulings: Sequence[Ruling], how: How) -> None:
    """Writes rulings and applies them, or says what that would do."""
    library = Home.of(settings).library()
    if not rulings:
        _tell({"rulings": [], **_nothing(how)}, ["Nothing to do: all of these are one person already."], how)
        return
    before = preview(library, new=rulings)
    for ruling in rulings:
        if ruling.kind == "split":
            _show_division(library, ruling, before, how)
    if not how.dry_run:
        enter(library, rulings)
    run_id = None if how.dry_run or how.later else apply_now(settings)
    before = before if run_id is None else _as_it_became(library, before)
    lines = [f"{_capital(said(ruling))}." for ruling in rulings]
    lines += _outcome(before, how, "`facesets rulings undo " + " ".join(one.ruling_id for one in rulings) + "`")
    _tell({"rulings": [summary(one) for one in rulings], **_as_json(before, how, run_id)}, lines, how)


def undo(settings: Settings, rulings: Sequence[Ruling], how: How) -> None:
    """Takes rulings back, in any order, and applies that, or says what it would do."""
    library = Home.of(settings).library()
    live = [one for one in rulings if one.state != "undone"]
    already = [one for one in rulings if one.state == "undone"]
    ids = [one.ruling_id for one in live]
    before = preview(library, undo=ids)
    if live and not how.dry_run:
        take_back(library, ids, Author.here("cli", how.reason))
    run_id = None if how.dry_run or how.later or not live else apply_now(settings)
    before = before if run_id is None else _as_it_became(library, before)
    verb = "Would be taken back" if how.dry_run else "Taken back"
    lines = [f"{one.ruling_id} was taken back before." for one in already]
    lines += [f"{verb}: {said(one)}." for one in live]
    lines += _outcome(before, how, None) if live else []
    _tell({"rulings": [summary(one) for one in rulings], **_as_json(before, how, run_id)}, lines, how)


def apply_waiting(settings: Settings, how: How) -> None:
    """Applies every ruling that waits."""
    library = Home.of(settings).library()
    before = preview(library)
    run_id = apply_now(settings) if before.pending and not how.dry_run else None
    before = before if run_id is None else _as_it_became(library, before)
    lines = [f"{'Taken back: ' if one.published else ''}{_capital(said(one))}." for one in before.pending]
    lines = [*lines, *_outcome(before, how, None)] if lines else ["Nothing to do: every ruling is applied."]
    _tell({"rulings": [summary(one) for one in before.pending], **_as_json(before, how, run_id)}, lines, how)


def ask(question: str, how: How) -> None:
    """Asks a person at a terminal. Raises `SettingsError` if nobody can be asked, `typer.Abort` for a no."""
    if how.yes:
        return
    if not at_a_terminal():
        raise SettingsError(f"{question} Add --yes where nobody can be asked. Nothing was changed.")
    typer.confirm(question, abort=True, err=True)


def _as_it_became(library: Library, before: Preview) -> Preview:
    """With the people of whom nothing was left to export: only a run, which looks at the pictures, can tell."""
    live = {one.name for one in library.registry.identities() if one.live}
    people = [
        replace(one, what="emptied") if one.what == "stays" and one.name not in live else one for one in before.people
    ]
    return replace(before, people=(*people,))


def _show_division(library: Library, ruling: Ruling, before: Preview, how: How) -> None:
    """The parts of a split before it is recorded."""
    for line in division_lines(library, ruling, before):
        if not (how.as_json and how.yes):
            say(line)
    if not how.dry_run:
        ask("Is this right?", how)


def _outcome(before: Preview, how: How, undone_by: str | None) -> list[str]:
    """What changes, which buckets are to be run, and the way back."""
    lines = preview_lines(before)
    lines = lines[:_MOST_LINES] + ([f"and {len(lines) - _MOST_LINES} more"] if len(lines) > _MOST_LINES else [])
    lines = [f"  {line}" for line in lines] or ["  no face set changes; runs obey it from now on"]
    if before.to_run:
        buckets = " ".join(shlex.quote(bucket) for bucket in before.titles())
        faces = "its faces" if len(before.to_run) == 1 else "their faces"
        lines.append(f"`facesets run {buckets}` judges {faces} anew.")
    if how.dry_run:
        return [*lines, "Nothing was written."]
    if how.later:
        lines.append("Written, the library is as before; `facesets rulings apply` makes it true.")
    return [*lines, f"{undone_by} takes it back."] if undone_by else lines


def _as_json(before: Preview, how: How, run_id: str | None) -> dict[str, object]:
    return {
        "changes": [asdict(person) for person in before.people],
        "taken": before.taken,
        "to_run": list(before.to_run),
        "dry_run": how.dry_run,
        "run_id": run_id,
    }


def _nothing(how: How) -> dict[str, object]:
    return {"changes": [], "taken": {}, "to_run": [], "dry_run": how.dry_run, "run_id": None}


def _tell(value: dict[str, object], lines: Collection[str], how: How) -> None:
    if how.as_json:
        print_json(value)
        return
    for line in lines:
        console().print(line, markup=False, soft_wrap=True)


def _capital(text: str) -> str:
    """As a sentence begins; a name (`faceset_020`, `cover_distance`) is written as it is."""
    return text if "_" in text.partition(" ")[0] else text[:1].upper() + text[1:]
