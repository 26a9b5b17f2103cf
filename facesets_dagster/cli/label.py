"""`facesets label`: a ruling that names a person, applied through Dagster."""

import unicodedata

import typer

from facesets_dagster.cli.asking import at_a_terminal, person_called
from facesets_dagster.cli.ruling_job import apply_now
from facesets_dagster.cli.tables import print_json
from facesets_dagster.errors import LibraryError
from facesets_dagster.identities.handles import spelled
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.home import Home
from facesets_dagster.library.library import Library
from facesets_dagster.publishing.rulings.requests import Requests
from facesets_dagster.publishing.rulings.subjects import Subjects
from facesets_dagster.publishing.rulings.writing import Author, enter
from facesets_dagster.settings import Settings

JOB = "label_faceset"


def print_label(settings: Settings, faceset: str, name: str, *, same_name: bool, as_json: bool) -> None:
    """Names a person and says so; a name that another person has is asked about."""
    library = Home.of(settings).library()
    person, label = person_called(library, faceset), one_line(name)
    if label and not same_name:
        ask_about_namesakes(library, person, label)
    run_id = label_faceset(settings, person.name, label)
    if as_json:
        print_json({"faceset": person.name, "label": label, "run_id": run_id})
        return
    if faceset in library.snapshot().redirects:
        typer.echo(f"{faceset} was merged into {person.name}.")
    typer.echo(f"{person.name}: {label or 'no name'}")


def one_line(name: str) -> str | None:
    """A name as it is kept: composed letters, one line; None for an empty one."""
    return " ".join(unicodedata.normalize("NFC", name).split()) or None


def label_faceset(settings: Settings, faceset: str, label: str | None) -> str:
    """Names a live faceset and materializes `applied_rulings` and `top_manifest`; gives the id of the run."""
    enter_name(Home.of(settings), faceset, label)
    named = {"facesets/faceset": faceset, "facesets/person": label or "no name"}
    return apply_now(settings, JOB, named)


def enter_name(home: Home, faceset: str, label: str | None) -> None:
    """Writes the ruling that names a live faceset."""
    library = home.library()
    requests = Requests(Subjects(library, home.cached), Author.here("cli"), cover_distance=0)
    enter(library, [requests.name(faceset, label)])


def ask_about_namesakes(library: Library, person: Identity, label: str) -> None:
    """Raises `LibraryError` if another person has the name, and nobody can be asked whether both shall."""
    others = [
        one.name
        for one in library.snapshot().people()
        if one.name not in (person.name, person.family) and one.label and spelled(one.label) == spelled(label)
    ]
    if not others:
        return
    if at_a_terminal() and typer.confirm(f"{others[0]} is called {label!r} too. Is this another person?", err=True):
        return
    raise LibraryError(
        f"{', '.join(others)} is called {label!r} too. If it is the same person: `facesets merge {others[0]} "
        f"{person.name}`. If both have this name: add --same-name. Nothing was changed."
    )
