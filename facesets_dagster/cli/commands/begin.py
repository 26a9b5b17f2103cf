"""Commands that make things: the home, sample buckets, facesets."""

from pathlib import Path
from typing import Annotated

import typer

from facesets_dagster.cli.complete import bucket_names
from facesets_dagster.cli.program import Json, command, console, made_home, say

_PANEL = "Begin"


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the program."""

    @command(app, _PANEL, "facesets init", "FACESETS_HOME=~/facesets facesets init --automation")
    def init(
        automation: Annotated[
            bool | None, typer.Option("--automation/--no-automation", help="Switch sensor and schedules on or off.")
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Make the home: the folder with the databases, the library and the reports."""
        settings = made_home(automation)
        if as_json:
            from facesets_dagster.cli.tables import print_json

            print_json({"home": settings.home, "dagster": settings.dagster_home})
        else:
            typer.echo(f"home: {settings.home}\ndagster: {settings.dagster_home}")

    @command(app, _PANEL, "facesets sample data/buckets")
    def sample(
        directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the sample buckets are written.")],
        as_json: Json = False,
    ) -> None:
        """Write sample buckets: photos that installed packages ship, augmented."""
        from dataclasses import asdict

        from facesets_dagster.cli.outside import require_no_bucket
        from facesets_dagster.cli.tables import print_json
        from facesets_dagster.sample.buckets import write_sample

        settings = made_home()
        require_no_bucket(directory, settings)
        summary = write_sample(directory, cache_dir=settings.cache_dir / "sample", say=say)
        if as_json:
            print_json(asdict(summary))
        else:
            typer.echo(summary.text())

    @command(
        app,
        _PANEL,
        "facesets run",
        'facesets run "family album" trip',
        "facesets run --folder ~/Pictures/2019",
        "facesets run trip --config numbers.yaml",
    )
    def run(
        buckets: Annotated[
            list[str] | None,
            typer.Argument(
                metavar="BUCKET",
                help="Folder names, or paths of the folders; default: all that changed.",
                autocompletion=bucket_names,
            ),
        ] = None,
        folder: Annotated[
            list[Path] | None,
            typer.Option(metavar="DIR", help="Take this folder as a bucket where it lies; it is never written to."),
        ] = None,
        config: Annotated[
            Path | None, typer.Option(metavar="FILE", help="Run config in YAML, as the launchpad shows it.")
        ] = None,
        launch: Annotated[
            bool, typer.Option("--launch", help="Through Dagster's queue and launcher, in place of this process.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Find the people in new and changed buckets; ends with a table.

        Exit code 0 only if every step and every blocking check passed.
        """
        settings = made_home()
        default = " (the default; FACESETS_HOME names another)" if settings.home == Path.cwd() / "data" else ""
        say(f"home {settings.home}{default}")
        from facesets_dagster.cli.folders import taken_as_buckets
        from facesets_dagster.cli.run import run_buckets

        names = [*(buckets or []), *taken_as_buckets(settings, folder or [])]
        raise typer.Exit(run_buckets(settings, names, config, console(as_json=as_json), as_json=as_json, launch=launch))
