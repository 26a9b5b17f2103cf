"""`facesets rule KIND`: commands that say who is who. Each writes rulings, which every later run obeys."""

from typing import Annotated

import typer

from facesets_dagster.cli.complete import number_names, person_names
from facesets_dagster.cli.program import Json, command, existing_home, new_group

_PANEL = "People"
_FACE_HELP = "A face_id, a photo (BUCKET/PATH or a file) that shows one face, or PHOTO#2 as `explain` numbers them."

Person = Annotated[
    str, typer.Argument(metavar="FACESET", help="A faceset, or a person's name.", autocompletion=person_names)
]
Faces = Annotated[list[str], typer.Argument(metavar="FACE...", help=_FACE_HELP)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen, write nothing.")]
Later = Annotated[bool, typer.Option("--later", help="Write it, leave the library as it is for now.")]
Reason = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; kept with it.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def add_to(app: typer.Typer) -> None:
    """Adds the group to the program."""
    group = new_group(
        "Say who is who: decisions about faces that every later run obeys.\n\n"
        "Each takes --dry-run, and `facesets rulings undo ID` takes it back, in any order."
    )
    app.add_typer(group, name="rule", rich_help_panel=_PANEL)
    _people(group)
    _faces(group)
    _strangers(group)
    _other(group)


def _people(group: typer.Typer) -> None:
    @command(group, _PANEL, "facesets rule name faceset_020 Anna")
    def name(
        faceset: Person,
        name: Annotated[str, typer.Argument(metavar="NAME", help="The person's name; empty removes it.")],
        same_name: Annotated[
            bool, typer.Option("--same-name", help="Another person has this name too, and both keep it.")
        ] = False,
        dry_run: DryRun = False, later: Later = False, reason: Reason = None, as_json: Json = False,
    ) -> None:  # fmt: skip
        """Name a person; as `facesets label`."""
        settings = existing_home()
        from facesets_dagster.cli.rule import Statements
        from facesets_dagster.cli.ruled import How, carry_out

        found = Statements(settings, reason).name(faceset, name, same_name=same_name)
        carry_out(settings, found, How(dry_run, later, as_json))

    @command(group, _PANEL, "facesets rule same faceset_020 faceset_031", "facesets rule same Anna trip/IMG_7.jpg")
    def same(
        first: Annotated[
            str, typer.Argument(metavar="FACESET|FACE", help=f"A person, or a face. {_FACE_HELP}",
                                autocompletion=person_names)
        ],
        others: Annotated[
            list[str], typer.Argument(metavar="FACESET|FACE...", help="The same person.", autocompletion=person_names)
        ],
        despite_veto: Annotated[
            bool, typer.Option("--despite-veto", help="Although a photo shows both: a collage, a mirror.")
        ] = False,
        despite_labels: Annotated[
            bool, typer.Option("--despite-labels", help="Although their names differ; the keeper's stays.")
        ] = False,
        dry_run: DryRun = False, later: Later = False, reason: Reason = None, as_json: Json = False,
    ) -> None:  # fmt: skip
        """Two people, or faces, are one person; the most trusted keeps its name."""
        settings = existing_home()
        from facesets_dagster.cli.merge import Despite
        from facesets_dagster.cli.rule import Statements
        from facesets_dagster.cli.ruled import How, carry_out

        despite = Despite(veto=despite_veto, labels=despite_labels)
        carry_out(settings, Statements(settings, reason).same([first, *others], despite), How(dry_run, later, as_json))

    @command(group, _PANEL, "facesets rule different faceset_008 faceset_012")
    def different(
        first: Annotated[
            str, typer.Argument(metavar="FACESET|FACE", help="A person, or a face.", autocompletion=person_names)
        ],
        second: Annotated[
            str, typer.Argument(metavar="FACESET|FACE", help="Somebody else.", autocompletion=person_names)
        ],
        dry_run: DryRun = False, later: Later = False, reason: Reason = None, as_json: Json = False,
    ) -> None:  # fmt: skip
        """Two people, or faces, are two people: never merged, never proposed."""
        settings = existing_home()
        from facesets_dagster.cli.rule import Statements
        from facesets_dagster.cli.ruled import How, carry_out

        carry_out(settings, Statements(settings, reason).different(first, second), How(dry_run, later, as_json))

    @command(
        group, _PANEL, "facesets rule split faceset_020 --a trip/1.jpg --b trip/9.jpg",
        "facesets rule split Anna --a trip/1.jpg --a trip/2.jpg --b press/4.jpg#2 --dry-run",
    )  # fmt: skip
    def split(
        faceset: Person,
        a: Annotated[list[str] | None, typer.Option("--a", metavar="FACE", help="A face of one person.")] = None,
        b: Annotated[list[str] | None, typer.Option("--b", metavar="FACE", help="A face of another one.")] = None,
        c: Annotated[list[str] | None, typer.Option("--c", metavar="FACE", help="A face of a third one.")] = None,
        dry_run: DryRun = False, later: Later = False, reason: Reason = None, yes: Yes = False, as_json: Json = False,
    ) -> None:  # fmt: skip
        """Take a face set apart by examples; shows the parts first.

        One to three faces of each person are enough: the others go to the person whose examples they are nearest to.
        The part with most faces keeps number and name.
        """
        settings = existing_home()
        from facesets_dagster.cli.rule import Statements, require_parts
        from facesets_dagster.cli.ruled import How, carry_out

        parts = [list(part or ()) for part in (a, b, c)]
        require_parts(parts)
        carry_out(settings, Statements(settings, reason).split(faceset, parts), How(dry_run, later, as_json, yes))


def _faces(group: typer.Typer) -> None:
    @command(
        group, _PANEL, "facesets rule not-person trip/IMG_0042.jpg faceset_020",
        "facesets rule not-person trip/IMG_0042.jpg#2 Anna --dry-run", name="not-person",
    )  # fmt: skip
    def not_person(
        faces: Faces, faceset: Person,
        dry_run: DryRun = False, later: Later = False, reason: Reason = None, as_json: Json = False,
    ) -> None:  # fmt: skip
        """Faces are not this person's; of a photo the one that is in the face set."""
        settings = existing_home()
        from facesets_dagster.cli.rule import Statements
        from facesets_dagster.cli.ruled import How, carry_out

        carry_out(settings, Statements(settings, reason).not_person(faces, faceset), How(dry_run, later, as_json))

    @command(group, _PANEL, "facesets rule assign trip/IMG_0042.jpg press/7.jpg#2 faceset_020")
    def assign(
        faces: Faces, faceset: Person,
        dry_run: DryRun = False, later: Later = False, reason: Reason = None, as_json: Json = False,
    ) -> None:  # fmt: skip
        """Faces are this person's, whatever the numbers say; gates of the export still apply."""
        settings = existing_home()
        from facesets_dagster.cli.rule import Statements
        from facesets_dagster.cli.ruled import How, carry_out

        carry_out(settings, Statements(settings, reason).assign(faces, faceset), How(dry_run, later, as_json))

    @command(group, _PANEL, "facesets rule feature trip/IMG_0042.jpg Anna --lead")
    def feature(
        face: Annotated[str, typer.Argument(metavar="FACE", help=_FACE_HELP)],
        faceset: Person,
        lead: Annotated[bool, typer.Option("--lead", help="The first of the export too.")] = False,
        dry_run: DryRun = False, later: Later = False, reason: Reason = None, as_json: Json = False,
    ) -> None:  # fmt: skip
        """A face is the picture that stands for a person."""
        settings = existing_home()
        from facesets_dagster.cli.rule import Statements
        from facesets_dagster.cli.ruled import How, carry_out

        found = Statements(settings, reason).feature(face, faceset, lead=lead)
        carry_out(settings, found, How(dry_run, later, as_json))


def _strangers(group: typer.Typer) -> None:
    @command(group, _PANEL, "facesets rule ignore faceset_040", "facesets rule ignore trip/IMG_0042.jpg#3")
    def ignore(
        who: Annotated[
            list[str],
            typer.Argument(metavar="FACESET|FACE...", help=f"People, or faces. {_FACE_HELP}",
                           autocompletion=person_names),
        ],
        dry_run: DryRun = False, later: Later = False, reason: Reason = None, as_json: Json = False,
    ) -> None:  # fmt: skip
        """Strangers, for ever: their face sets go out of use, and new faces of them found nothing."""
        settings = existing_home()
        from facesets_dagster.cli.rule import Statements
        from facesets_dagster.cli.ruled import How, carry_out

        carry_out(settings, Statements(settings, reason).ignore(who), How(dry_run, later, as_json))

    @command(group, _PANEL, "facesets rule not-a-face trip/IMG_0042.jpg#3", name="not-a-face")
    def not_a_face(
        faces: Faces, dry_run: DryRun = False, later: Later = False, reason: Reason = None, as_json: Json = False
    ) -> None:
        """What was detected is no face: a statue, a pattern."""
        settings = existing_home()
        from facesets_dagster.cli.rule import Statements
        from facesets_dagster.cli.ruled import How, carry_out

        carry_out(settings, Statements(settings, reason).not_a_face(faces), How(dry_run, later, as_json))


def _other(group: typer.Typer) -> None:
    @command(group, _PANEL, "facesets rule approve Anna")
    def approve(
        faceset: Person, dry_run: DryRun = False, later: Later = False, reason: Reason = None, as_json: Json = False
    ) -> None:
        """A face set is right as it stands; what joins later is counted."""
        settings = existing_home()
        from facesets_dagster.cli.rule import Statements
        from facesets_dagster.cli.ruled import How, carry_out

        carry_out(settings, Statements(settings, reason).approve(faceset), How(dry_run, later, as_json))

    @command(group, _PANEL, "facesets rule allow-together trip/collage.jpg", name="allow-together")
    def allow_together(
        photos: Annotated[list[str], typer.Argument(metavar="PHOTO", help="A photo, or some of its faces: PHOTO#1.")],
        dry_run: DryRun = False, later: Later = False, reason: Reason = None, as_json: Json = False,
    ) -> None:  # fmt: skip
        """A photo may show one person several times: a collage, a mirror, a screen."""
        settings = existing_home()
        from facesets_dagster.cli.rule import Statements
        from facesets_dagster.cli.ruled import How, carry_out

        carry_out(settings, Statements(settings, reason).allow_together(photos), How(dry_run, later, as_json))

    @command(group, _PANEL, "facesets rule threshold cover_distance 0.42")
    def threshold(
        number: Annotated[
            str, typer.Argument(metavar="NUMBER", help="By its name in the docs.", autocompletion=number_names)
        ],
        value: Annotated[float, typer.Argument(metavar="VALUE", help="What runs of this home take from now on.")],
        dry_run: DryRun = False, later: Later = False, reason: Reason = None, as_json: Json = False,
    ) -> None:  # fmt: skip
        """Set a number of this home for its model pack."""
        settings = existing_home()
        from facesets_dagster.cli.rule import Statements
        from facesets_dagster.cli.ruled import How, carry_out

        carry_out(settings, Statements(settings, reason).threshold(number, value), How(dry_run, later, as_json))
