"""`facesets forget`: the command that removes every trace."""

from typing import Annotated

import typer

from facesets_dagster.cli.complete import bucket_names, person_names
from facesets_dagster.cli.program import Json, command, existing_home

_PANEL = "People"


def add_to(app: typer.Typer) -> None:
    """Adds the command to the program."""

    @command(
        app,
        _PANEL,
        "facesets forget Anna --dry-run",
        "facesets forget trip/IMG_7.jpg",
        "facesets forget --bucket trip",
        "facesets forget --gone",
    )
    def forget(
        what: Annotated[
            str | None,
            typer.Argument(
                metavar="FACESET|PHOTO|PERSON",
                help="A face set, a person's name, or a photo (BUCKET/PATH, a file or a face_id of it).",
                autocompletion=person_names,
            ),
        ] = None,
        bucket: Annotated[
            str | None,
            typer.Option(
                "--bucket",
                metavar="NAME",
                help="A bucket, whether or not its folder is there.",
                autocompletion=bucket_names,
            ),
        ] = None,
        gone: Annotated[
            bool, typer.Option("--gone", help="Photos that are in their bucket no more, and buckets that are gone.")
        ] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, remove nothing.")] = False,
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
        as_json: Json = False,
    ) -> None:
        """Forget a person, a photo or a bucket: every trace goes, for ever, and does not come back."""
        settings = existing_home()
        from facesets_dagster.cli.forget import Wishes, print_forgotten

        wishes = Wishes(what, bucket, gone, dry_run, yes, as_json)
        print_forgotten(settings, wishes, lambda question: typer.confirm(question, err=True))
