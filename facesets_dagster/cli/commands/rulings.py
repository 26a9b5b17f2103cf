"""`facesets rulings`: what was decided by hand: listed, shown, taken back, moved as a file."""

from pathlib import Path
from typing import Annotated

import typer

from facesets_dagster.cli.commands.rule import DryRun, Later, Yes
from facesets_dagster.cli.complete import kind_names, person_names, ruling_ids, state_names
from facesets_dagster.cli.program import Json, command, existing_home, new_group

_PANEL = "People"
_ID = "As `facesets rulings` lists it; its beginning is enough where only one begins so."
_Ids = Annotated[list[str], typer.Argument(metavar="ID...", help=_ID, autocompletion=ruling_ids)]


def add_to(app: typer.Typer) -> None:
    """Adds the group to the program."""
    group = new_group("List the decisions made by hand, take them back, move them.", invoke_without_command=True)
    app.add_typer(group, name="rulings", rich_help_panel=_PANEL)

    @group.callback()
    def rulings(context: typer.Context, as_json: Json = False) -> None:
        """List the decisions made by hand, take them back, move them."""
        if context.invoked_subcommand is None:
            settings = existing_home()
            from facesets_dagster.cli.rulings import Wanted, print_rulings

            print_rulings(settings, Wanted(), as_json=as_json)

    _look(group)
    _change(group)
    _move(group)


def _look(group: typer.Typer) -> None:
    @command(group, _PANEL, "facesets rulings list --kind same", "facesets rulings list --about Anna --state in_force",
             name="list")  # fmt: skip
    def list_(
        kind: Annotated[
            list[str] | None, typer.Option("--kind", help="Of these kinds only.", autocompletion=kind_names)
        ] = None,
        state: Annotated[
            list[str] | None, typer.Option("--state", help="In these states only.", autocompletion=state_names)
        ] = None,
        about: Annotated[
            str | None,
            typer.Option(
                "--about", metavar="FACESET|FACE", help="Of this person or face.", autocompletion=person_names
            ),
        ] = None,
        as_json: Json = False,
    ) -> None:
        """List rulings, the newest last."""
        settings = existing_home()
        from facesets_dagster.cli.rulings import Wanted, print_rulings

        print_rulings(settings, Wanted(kind or [], state or [], about), as_json=as_json)

    @command(group, _PANEL, "facesets rulings show 01JE3V5W7ZQK8M2N4P6R9T1XYA")
    def show(
        ruling_id: Annotated[str, typer.Argument(metavar="ID", help=_ID, autocompletion=ruling_ids)],
        as_json: Json = False,
    ) -> None:
        """Show a ruling: its faces with their photos, who made it, what it changed."""
        settings = existing_home()
        from facesets_dagster.cli.rulings import print_ruling

        print_ruling(settings, ruling_id, as_json=as_json)


def _change(group: typer.Typer) -> None:
    @command(group, _PANEL, "facesets rulings undo 01JE3V5W7ZQK8M2N4P6R9T1XYA --dry-run")
    def undo(ids: _Ids, dry_run: DryRun = False, later: Later = False, as_json: Json = False) -> None:
        """Take rulings back, in any order: as if they had never been made."""
        settings = existing_home()
        from facesets_dagster.cli.ruled import How
        from facesets_dagster.cli.ruled import undo as take_back
        from facesets_dagster.cli.rulings import rulings_called

        take_back(settings, rulings_called(settings, ids), How(dry_run, later, as_json))

    @command(group, _PANEL, "facesets rulings apply")
    def apply(dry_run: DryRun = False, as_json: Json = False) -> None:
        """Make true what was written with --later, or by a run that did not finish."""
        settings = existing_home()
        from facesets_dagster.cli.ruled import How, apply_waiting

        apply_waiting(settings, How(dry_run, as_json=as_json))


def _move(group: typer.Typer) -> None:
    @command(group, _PANEL, "facesets rulings export rulings.jsonl")
    def export(
        file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file, one ruling a line.")],
        as_json: Json = False,
    ) -> None:
        """Write all rulings into a file, whatever their state."""
        settings = existing_home()
        from facesets_dagster.cli.rulings_file import export_rulings

        export_rulings(settings, file, as_json=as_json)

    @command(group, _PANEL, "facesets rulings import rulings.jsonl", name="import")
    def import_(
        file: Annotated[Path, typer.Argument(metavar="FILE", help="What `facesets rulings export` wrote.")],
        yes: Yes = False,
        dry_run: DryRun = False,
        later: Later = False,
        as_json: Json = False,
    ) -> None:
        """Take over the rulings of a file; says first which are new, known, or contradict."""
        settings = existing_home()
        from facesets_dagster.cli.ruled import How
        from facesets_dagster.cli.rulings_file import import_rulings

        import_rulings(settings, file, How(dry_run, later, as_json, yes))
