"""`facesets consent`: what the home's policy withholds from every export."""

import typer

from facesets_dagster.cli.program import Json, command, existing_home, new_group

_PANEL = "People"


def add_to(app: typer.Typer) -> None:
    """Adds the group to the program."""
    text = "List what consent.yaml withholds from every export, and make it true."
    group = new_group(text, invoke_without_command=True)
    app.add_typer(group, name="consent", rich_help_panel=_PANEL)

    @group.callback()
    def consent(context: typer.Context, as_json: Json = False) -> None:
        """List what consent.yaml withholds from every export, and make it true."""
        if context.invoked_subcommand is None:
            settings = existing_home()
            from facesets_dagster.cli.consent import print_consent

            print_consent(settings, as_json=as_json)

    @command(group, _PANEL, "facesets consent apply")
    def apply(as_json: Json = False) -> None:
        """Take out of the library and the exports what is to be withheld, and give back what is not any more."""
        settings = existing_home()
        from facesets_dagster.cli.consent import apply_consent

        apply_consent(settings, as_json=as_json)
