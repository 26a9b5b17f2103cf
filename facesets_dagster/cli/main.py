"""Commands of `facesets`. Each reads the settings, makes the home if it is missing, and calls one function.

What does not belong here: anything that the Dagster UI does not offer as well. Modules are imported by the command that
needs them, so that `facesets --help` answers at once.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from facesets_dagster.errors import FacesetsError

if TYPE_CHECKING:
    from facesets_dagster.settings import Settings


class Teaching(TyperGroup):
    """A `FacesetsError` of any command becomes its message and exit code 1, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except FacesetsError as error:
            err.print(f"{type(error).__name__}: {error}", style="red", markup=False)
            raise typer.Exit(1) from error


app = typer.Typer(
    cls=Teaching,
    help="Turns folders of photos into curated, per-person, swap-ready face sets.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
models = typer.Typer(help="Model packs: list, download, check.", no_args_is_help=True)
app.add_typer(models, name="models")

err = Console(stderr=True, highlight=False, soft_wrap=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def say(text: str) -> None:
    """A line for the person at the terminal; standard output is kept for results."""
    err.print(text, markup=False)


def ready_home(automation: bool | None = None) -> "Settings":
    """The settings, after making the home if it is missing. Prints a warning for each unknown setting."""
    from facesets_dagster.home import init_home
    from facesets_dagster.settings import load_settings

    settings = load_settings()
    for warning in settings.unknown:
        err.print(f"warning: {warning}", style="yellow", markup=False)
    init_home(settings, say=say, automation=automation)
    return settings


@app.command()
def init(
    automation: Annotated[
        bool | None, typer.Option("--automation/--no-automation", help="Switch sensor and schedule on or off.")
    ] = None,
) -> None:
    """Make the home: folders, dagster.yaml, databases. Every other command does this first."""
    settings = ready_home(automation)
    typer.echo(f"home: {settings.home}\ndagster: {settings.dagster_home}")


@app.command()
def sample(directory: Annotated[Path, typer.Argument(help="Where the sample buckets are written.")]) -> None:
    """Write the sample buckets: photos that installed packages ship, augmented."""
    from facesets_dagster.sample.buckets import write_sample

    settings = ready_home()
    summary = write_sample(directory, cache_dir=settings.cache_dir / "sample", say=say)
    typer.echo(summary.text())


@app.command()
def run(
    buckets: Annotated[list[str] | None, typer.Argument(help="Bucket names; default: all that changed.")] = None,
    config: Annotated[Path | None, typer.Option(help="Run config in YAML, as the launchpad shows it.")] = None,
) -> None:
    """Run the main job on buckets, one after the other, and end with a table."""
    settings = ready_home()
    from facesets_dagster.cli.run import run_buckets

    raise typer.Exit(run_buckets(settings, buckets or [], config, Console(highlight=False)))


@app.command()
def status(as_json: Json = False) -> None:
    """List buckets, facesets and tombstones."""
    settings = ready_home()
    from facesets_dagster.cli.status import print_status

    print_status(settings, as_json=as_json)


@app.command()
def explain(
    photo: Annotated[str, typer.Argument(help="A photo (a file, or BUCKET/PATH) or a face_id.")], as_json: Json = False
) -> None:
    """Explain each face of a photo: its state and the number that decided it."""
    settings = ready_home()
    from facesets_dagster.cli.explain import explain as explain_photo

    explain_photo(settings, photo, as_json=as_json)


@app.command()
def show(
    faceset: Annotated[str, typer.Argument(help="Name of a faceset, e.g. faceset_020.")], as_json: Json = False
) -> None:
    """Show a faceset: ranks and their components, members, provenance."""
    settings = ready_home()
    from facesets_dagster.cli.explain import show as show_faceset

    show_faceset(settings, faceset, as_json=as_json)


@app.command("what-if")
def what_if(
    bucket: Annotated[str, typer.Argument(help="Name of a bucket whose faces are cached.")],
    cover_distance: Annotated[float | None, typer.Option(help="Reach of a known identity.")] = None,
    cluster_distance: Annotated[float | None, typer.Option(help="Average distance at which clusters are cut.")] = None,
    min_face_short_px: Annotated[float | None, typer.Option(help="Minimum of the shorter side of a face, px.")] = None,
    min_blur: Annotated[float | None, typer.Option(help="Minimum sharpness of a face.")] = None,
    min_det_score: Annotated[float | None, typer.Option(help="Minimum confidence of the detector.")] = None,
    min_faces: Annotated[int | None, typer.Option(help="Minimum number of photos of a new identity.")] = None,
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
    settings = ready_home()
    from facesets_dagster.cli.what_if import print_what_if

    given = {name: value for name, value in values.items() if value is not None}
    print_what_if(settings, bucket, given, Console(highlight=False))


@app.command()
def label(
    faceset: Annotated[str, typer.Argument(help="Name of a faceset, e.g. faceset_020.")],
    name: Annotated[str, typer.Argument(help="The person's name; empty removes it.")],
) -> None:
    """Name a person; later runs keep the name."""
    settings = ready_home()
    from facesets_dagster.cli.label import label_faceset

    now = label_faceset(settings, faceset, name.strip() or None)
    typer.echo(f"{faceset} was merged into {now}." if now != faceset else "", nl=now != faceset)
    typer.echo(f"{now}: {name.strip() or 'no name'}")


@app.command()
def verify(as_json: Json = False) -> None:
    """Check every file of the library against its manifest, and the registry against the disk."""
    settings = ready_home()
    from facesets_dagster.cli.status import print_verification

    raise typer.Exit(print_verification(settings, as_json=as_json))


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check the environment; each problem comes with its remedy."""
    from facesets_dagster.cli.environment import print_doctor
    from facesets_dagster.settings import load_settings

    raise typer.Exit(print_doctor(load_settings(), as_json=as_json))


@models.command("list")
def models_list(as_json: Json = False) -> None:
    """List the packs on this machine and where they are."""
    from facesets_dagster.cli.environment import print_packs
    from facesets_dagster.settings import load_settings

    print_packs(load_settings(), as_json=as_json)


@models.command("pull")
def models_pull(pack: Annotated[str, typer.Argument(help="Name of a pack, e.g. embedded or buffalo_l.")]) -> None:
    """Download a pack into the models root."""
    from facesets_dagster.embedding.packs import pull_pack
    from facesets_dagster.settings import load_settings

    typer.echo(str(pull_pack(pack, load_settings().models_root, say).folder))


@models.command("verify")
def models_verify(as_json: Json = False) -> None:
    """Check the digests of the packs on this machine."""
    from facesets_dagster.cli.environment import print_pack_verification
    from facesets_dagster.settings import load_settings

    raise typer.Exit(print_pack_verification(load_settings(), as_json=as_json))


if __name__ == "__main__":
    sys.exit(app())
