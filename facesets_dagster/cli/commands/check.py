"""Commands that check: the library, the environment, the model packs."""

from pathlib import Path
from typing import Annotated

import typer

from facesets_dagster.cli.complete import pack_names
from facesets_dagster.cli.program import (
    Json,
    command,
    console,
    existing_home,
    home_of_any_pack,
    made_home,
    new_group,
    say,
)

_PANEL = "Check"


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the program."""

    @command(app, _PANEL, "facesets verify")
    def verify(as_json: Json = False) -> None:
        """Check every file of the library against its manifest, and the registry against the disk."""
        settings = existing_home()
        from facesets_dagster.cli.status import print_verification

        raise typer.Exit(print_verification(settings, as_json=as_json))

    @command(app, _PANEL, "facesets recover --dry-run", "facesets recover", "facesets recover --from-backup latest")
    def recover(
        name: Annotated[
            str | None, typer.Argument(metavar="[NAME]", help="With --from-backup: the copy; without, they are listed.")
        ] = None,
        from_backup: Annotated[
            bool, typer.Option("--from-backup", help="Put a copy of the registry in its place.")
        ] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, change nothing.")] = False,
        as_json: Json = False,
    ) -> None:
        """Rebuild a registry that is lost or damaged from the library, which stays as it is."""
        settings = home_of_any_pack()
        from facesets_dagster.cli.recover import print_backups, print_recovery, print_restored, require_no_name

        if from_backup and name is not None and not dry_run:
            print_restored(settings, name, as_json=as_json)
        elif from_backup:
            print_backups(settings, as_json=as_json)
        else:
            require_no_name(name)
            print_recovery(settings, dry_run=dry_run, as_json=as_json)

    @command(app, _PANEL, "facesets upgrade --dry-run", "facesets upgrade")
    def upgrade(
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, change nothing.")] = False,
        as_json: Json = False,
    ) -> None:
        """Bring a home of an older release up to this one now; the next run does it otherwise."""
        settings = home_of_any_pack()
        from facesets_dagster.cli.recover import print_upgrade

        print_upgrade(settings, dry_run=dry_run, as_json=as_json)

    @command(app, _PANEL, "facesets doctor")
    def doctor(as_json: Json = False) -> None:
        """Check the environment; each problem comes with its remedy."""
        from facesets_dagster.cli.environment import print_doctor
        from facesets_dagster.settings import load_settings

        raise typer.Exit(print_doctor(load_settings(), as_json=as_json))

    @command(app, _PANEL, "facesets calibrate ~/labelled", "facesets calibrate", "facesets calibrate --remove")
    def calibrate(
        folder: Annotated[
            Path | None,
            typer.Argument(metavar="FOLDER", help="A folder with a sub-folder of photos for each person."),
        ] = None,
        remove: Annotated[bool, typer.Option("--remove", help="Go back to the shipped numbers.")] = False,
        as_json: Json = False,
    ) -> None:
        """Measure the distances of the model pack on labelled folders, for all later runs.

        Without a folder, on the home's own photos: faces of one photo show if a distance is too loose.
        """
        settings = made_home()
        from facesets_dagster.cli.calibrate import print_calibration

        print_calibration(settings, folder, console(as_json=as_json), remove=remove, as_json=as_json)

    @command(app, _PANEL, "facesets reembed buffalo_l --dry-run", "facesets reembed buffalo_l")
    def reembed(
        pack: Annotated[
            str, typer.Argument(metavar="PACK", help="The pack that the home gets.", autocompletion=pack_names)
        ],
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, change nothing.")] = False,
        despite_absent: Annotated[
            bool, typer.Option("--despite-absent", help="Although folders of buckets are not there now.")
        ] = False,
        remove_old: Annotated[
            bool, typer.Option("--remove-old", help="Remove what other packs have read, once the home has this one.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Give the home another model pack; names, numbers, members and rulings go over."""
        settings = home_of_any_pack()
        from facesets_dagster.cli.reembed import Wishes, print_reembed

        wishes = Wishes(dry_run=dry_run, despite_absent=despite_absent, remove_old=remove_old)
        print_reembed(settings, pack, wishes, as_json=as_json)

    models = new_group("Model packs: list, download, check.")
    app.add_typer(models, name="models", rich_help_panel=_PANEL)
    _add_models_to(models)


def _add_models_to(models: typer.Typer) -> None:
    @command(models, "Model packs", "facesets models list", name="list")
    def models_list(as_json: Json = False) -> None:
        """List the packs on this machine and where they are."""
        from facesets_dagster.cli.environment import print_packs
        from facesets_dagster.settings import load_settings

        print_packs(load_settings(), as_json=as_json)

    @command(models, "Model packs", "facesets models pull buffalo_l", name="pull")
    def models_pull(
        pack: Annotated[
            str,
            typer.Argument(
                metavar="PACK", help="Name of a pack, e.g. embedded or buffalo_l.", autocompletion=pack_names
            ),
        ],
        as_json: Json = False,
    ) -> None:
        """Download a pack into the models root."""
        from facesets_dagster.cli.tables import print_json
        from facesets_dagster.embedding.packs import pull_pack
        from facesets_dagster.settings import load_settings

        folder = pull_pack(pack, load_settings().models_root, say).folder
        if as_json:
            print_json({"pack": pack, "folder": folder})
        else:
            typer.echo(str(folder))

    @command(models, "Model packs", "facesets models verify", name="verify")
    def models_verify(as_json: Json = False) -> None:
        """Check the digests of the packs on this machine."""
        from facesets_dagster.cli.environment import print_pack_verification
        from facesets_dagster.settings import load_settings

        raise typer.Exit(print_pack_verification(load_settings(), as_json=as_json))
