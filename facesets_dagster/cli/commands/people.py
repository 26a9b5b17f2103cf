"""Commands that say who somebody is, and hand a person on to other programs."""

from pathlib import Path
from typing import Annotated

import typer

from facesets_dagster.cli.complete import bucket_names, consumer_names, person_names
from facesets_dagster.cli.program import Json, command, existing_home

_PANEL = "People"
_PERSON = "A faceset, or a person's name."


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the program."""

    @command(
        app, _PANEL, "facesets label faceset_020 Anna", 'facesets label Anna "Anna Berg"', 'facesets label Anna ""'
    )
    def label(
        faceset: Annotated[str, typer.Argument(metavar="FACESET", help=_PERSON, autocompletion=person_names)],
        name: Annotated[str, typer.Argument(metavar="NAME", help="The person's name; empty removes it.")],
        same_name: Annotated[
            bool, typer.Option("--same-name", help="Another person has this name too, and both keep it.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Name a person; later runs keep the name."""
        settings = existing_home()
        from facesets_dagster.cli.label import print_label

        print_label(settings, faceset, name, same_name=same_name, as_json=as_json)

    @command(app, _PANEL, "facesets merge faceset_020 faceset_031", "facesets merge Anna faceset_031 --dry-run")
    def merge(
        first: Annotated[str, typer.Argument(metavar="FACESET", help=_PERSON, autocompletion=person_names)],
        others: Annotated[
            list[str], typer.Argument(metavar="FACESET", help="The same person too.", autocompletion=person_names)
        ],
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, change nothing.")] = False,
        despite_veto: Annotated[
            bool, typer.Option("--despite-veto", help="Although a photo shows both: a collage, a mirror.")
        ] = False,
        despite_labels: Annotated[
            bool, typer.Option("--despite-labels", help="Although their names differ; the keeper's stays.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Make facesets of one person one; the most trusted keeps its name. `rulings undo` takes it back."""
        settings = existing_home()
        from facesets_dagster.cli.merge import Despite, print_merge

        despite = Despite(veto=despite_veto, labels=despite_labels)
        raise typer.Exit(print_merge(settings, [first, *others], despite, dry_run=dry_run, as_json=as_json))

    @command(app, _PANEL, "facesets join", "facesets join 2018")
    def join(
        buckets: Annotated[
            list[str] | None, typer.Argument(help="Bucket names; default: all.", autocompletion=bucket_names)
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Add the faces of known people that wait to their face sets."""
        settings = existing_home()
        from facesets_dagster.cli.join import print_joined

        print_joined(settings, buckets or [], as_json=as_json)

    @command(
        app,
        _PANEL,
        "facesets export Anna --to facefusion",
        "facesets export Anna ~/facefusion/sources --to facefusion",
        "facesets export faceset_020 --to reactor --to visomaster",
    )
    def export(
        person: Annotated[str, typer.Argument(metavar="PERSON", help=_PERSON, autocompletion=person_names)],
        directory: Annotated[
            Path | None,
            typer.Argument(metavar="DIR", help="Copy the files there too, named by the person."),
        ] = None,
        to: Annotated[
            list[str] | None,
            typer.Option(
                "--to",
                metavar="PROGRAM",
                help="facefusion, reactor, rope or visomaster; default: all that fit the model pack.",
                autocompletion=consumer_names,
            ),
        ] = None,
        by_name: Annotated[
            bool, typer.Option("--by-name", help="Name the home's own files by the person too: Anna.safetensors.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Export a person for a face-swap program."""
        settings = existing_home()
        from facesets_dagster.cli.export import print_export

        raise typer.Exit(print_export(settings, person, to or [], directory, by_name=by_name, as_json=as_json))
