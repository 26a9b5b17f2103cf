"""Commands that only look: what there is, who is where, and why."""

from pathlib import Path
from typing import Annotated

import typer

from facesets_dagster.cli.complete import bucket_names, person_names
from facesets_dagster.cli.program import Json, command, console, existing_home

_PANEL = "Look"


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the program."""

    @command(app, _PANEL, "facesets status", "facesets status --json | jq '.facesets[].person'")
    def status(as_json: Json = False) -> None:
        """List buckets, facesets and names out of use."""
        settings = existing_home()
        from facesets_dagster.cli.status import print_status

        print_status(settings, as_json=as_json)

    @command(app, _PANEL, "facesets show faceset_020", "facesets show Anna --json")
    def show(
        faceset: Annotated[
            str,
            typer.Argument(
                metavar="FACESET",
                help="A faceset, a person's name, or the path of a faceset's folder.",
                autocompletion=person_names,
            ),
        ],
        as_json: Json = False,
    ) -> None:
        """Show a faceset: ranked faces with their numbers, members, where it came from."""
        settings = existing_home()
        from facesets_dagster.cli.show import show as show_faceset

        show_faceset(settings, faceset, as_json=as_json)

    @command(
        app,
        _PANEL,
        "facesets find Anna",
        "facesets find faceset_020 --copy-to ~/anna",
        "facesets find trip/IMG_0042.jpg --json",
    )
    def find(
        who: Annotated[
            str,
            typer.Argument(
                metavar="PERSON|FACESET|PHOTO",
                help="A person's name, a faceset, or a photo (a file, or BUCKET/PATH): those who are in it.",
                autocompletion=person_names,
            ),
        ],
        copy_to: Annotated[
            Path | None, typer.Option(metavar="DIR", help="Copy the photos to DIR/BUCKET/PATH; nothing is replaced.")
        ] = None,
        link: Annotated[bool, typer.Option("--link", help="With --copy-to: symbolic links instead of copies.")] = False,
        as_json: Json = False,
    ) -> None:
        """Find every photo of a person, those included that are not exported."""
        settings = existing_home()
        from facesets_dagster.cli.find import print_photos

        print_photos(settings, who, copy_to=copy_to, link=link, as_json=as_json)

    @command(app, _PANEL, "facesets explain trip/IMG_0042.jpg", "facesets explain ~/Pictures/party.jpg")
    def explain(
        photo: Annotated[str, typer.Argument(metavar="PHOTO|FACE_ID", help="A file, BUCKET/PATH, or a face_id.")],
        as_json: Json = False,
    ) -> None:
        """Explain each face of a photo: its state, and the number that decided it."""
        settings = existing_home()
        from facesets_dagster.cli.explain import explain as explain_photo

        explain_photo(settings, photo, as_json=as_json)

    @command(app, _PANEL, "facesets what-if trip", "facesets what-if trip --min-faces 3 --json", name="what-if")
    def what_if(
        bucket: Annotated[
            str, typer.Argument(metavar="BUCKET", help="A bucket whose photos were read.", autocompletion=bucket_names)
        ],
        cover_distance: Annotated[float | None, typer.Option(help="Reach of a known identity.")] = None,
        cluster_distance: Annotated[
            float | None, typer.Option(help="Average distance at which clusters are cut.")
        ] = None,
        min_face_short_px: Annotated[
            float | None, typer.Option(help="Minimum of the shorter side of a face, px.")
        ] = None,
        min_blur: Annotated[float | None, typer.Option(help="Minimum sharpness of a face.")] = None,
        min_det_score: Annotated[float | None, typer.Option(help="Minimum confidence of the detector.")] = None,
        min_faces: Annotated[int | None, typer.Option(help="Minimum number of photos of a new identity.")] = None,
        as_json: Json = False,
    ) -> None:
        """Show the result of a run with other numbers, without changing anything.

        Numbers that you leave out are those of the bucket's last run. Without any number, each one is varied in turn.
        """
        values: dict[str, float | None] = {
            "cover_distance": cover_distance,
            "cluster_distance": cluster_distance,
            "min_face_short_px": min_face_short_px,
            "min_blur": min_blur,
            "min_det_score": min_det_score,
            "min_faces": min_faces,
        }
        settings = existing_home()
        from facesets_dagster.cli.what_if import print_what_if

        given = {name: value for name, value in values.items() if value is not None}
        print_what_if(settings, bucket, given, console(as_json=as_json), as_json=as_json)

    @command(app, _PANEL, "facesets review", "facesets review --json")
    def review(as_json: Json = False) -> None:
        """Make the questions of the review page, and say where the page is.

        The page is part of `make dev`. Questions change nothing; your answers do.
        """
        settings = existing_home()
        from facesets_dagster.cli.review import make_questions

        make_questions(settings, console(as_json=as_json), as_json=as_json)

    @command(app, _PANEL, "facesets open", "facesets open ui", "facesets open Anna", name="open")
    def open_(
        what: Annotated[
            str,
            typer.Argument(
                metavar="report|ui|FACESET",
                help="`report`: all runs; `ui`: Dagster, where it runs; or a faceset, a person's name.",
                autocompletion=person_names,
            ),
        ] = "report",
        as_json: Json = False,
    ) -> None:
        """Open a page or folder with the program that the system has for it."""
        settings = existing_home()
        from facesets_dagster.cli.open import open_place

        open_place(settings, what, as_json=as_json)
