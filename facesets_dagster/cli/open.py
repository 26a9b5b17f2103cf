"""`facesets open`: the report of all runs, the Dagster UI, or a faceset's folder, in the system's own program."""

import socket
import sys
from pathlib import Path

import typer

from facesets_dagster.cli.asking import person_called
from facesets_dagster.cli.tables import print_json
from facesets_dagster.errors import LibraryError, SettingsError
from facesets_dagster.library.home import Home
from facesets_dagster.library.numbering import faceset_folder
from facesets_dagster.settings import Settings, ui_port


def open_place(settings: Settings, what: str, *, as_json: bool) -> None:
    """Prints where it is, and opens it if a person is at the terminal."""
    place = _place(settings, what)
    if as_json:
        print_json({"place": place})
        return
    typer.echo(place)
    if sys.stdout.isatty():
        typer.launch(place)


def _place(settings: Settings, what: str) -> str:
    if what == "report":
        return str(_existing(settings.reports_dir / "index.html", "No run has written a report yet: `facesets run`."))
    if what == "ui":
        return _address()
    person = person_called(Home.of(settings).library(), what)
    folder = settings.library_dir / faceset_folder(person.name, person.kind)
    return str(_existing(folder, f"{person.name} has no folder here: it was adopted and never published."))


def _existing(path: Path, otherwise: str) -> Path:
    if not path.exists():
        raise LibraryError(otherwise)
    return path


def _address() -> str:
    """Where `make dev` serves; PORT says on which port. Raises `SettingsError` if nothing answers there."""
    number = ui_port()
    with socket.socket() as probe:
        probe.settimeout(2)
        if probe.connect_ex(("127.0.0.1", number)) != 0:
            raise SettingsError(
                f"Nothing answers on 127.0.0.1:{number}. Start the UI with `make dev`; PORT= names another port."
            )
    return f"http://127.0.0.1:{number}"
