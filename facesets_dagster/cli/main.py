"""The program `facesets`: its groups of commands put together. The commands are in `cli.commands`.

What does not belong here: anything that the Dagster UI does not offer as well. Modules are imported by the command that
needs them, so that `facesets --help` answers at once.
"""

import sys
from typing import Annotated

import typer

from facesets_dagster.cli.commands import begin, check, consent, forget, look, people, rule, rulings
from facesets_dagster.cli.program import new_group

app = new_group("Turns folders of photos into curated, per-person, swap-ready face sets.")


def _version(wanted: bool) -> None:
    if wanted:
        import platform
        from importlib.metadata import version

        from facesets_dagster import __version__

        typer.echo(f"facesets {__version__} (Python {platform.python_version()}, Dagster {version('dagster')})")
        raise typer.Exit


@app.callback()
def facesets(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Turns folders of photos into curated, per-person, swap-ready face sets.

    Begin with `facesets init`, put folders of photos into its `buckets`, and `facesets run`.
    """


for group in (begin, look, people, rule, rulings, consent, forget, check):
    group.add_to(app)


if __name__ == "__main__":
    sys.exit(app())
