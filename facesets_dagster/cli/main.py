"""Commands of `facesets`. Each reads the settings, makes the home if need be, and calls one function.

What does not belong here: anything that a user of the Dagster UI would miss.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from facesets_dagster.errors import FacesetsError

if TYPE_CHECKING:
    from facesets_dagster.settings import Settings

app = typer.Typer(
    help="Turns folders of photos into curated, per-person, swap-ready face sets.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
models = typer.Typer(help="Model packs: where they are, fetch, check.", no_args_is_help=True)
app.add_typer(models, name="models")

err = Console(stderr=True, highlight=False, soft_wrap=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def say(text: str) -> None:
    """A line for the person at the terminal; standard output is kept for results."""
    err.print(text, markup=False)


@contextmanager
def teaching() -> Iterator[None]:
    """A `FacesetsError` becomes its message and exit code 1, without a traceback."""
    try:
        yield
    except FacesetsError as error:
        err.print(f"{type(error).__name__}: {error}", style="red", markup=False)
        raise typer.Exit(1) from error


def ready_home(automation: bool | None = None) -> "Settings":
    """The settings of a home that is there."""
    from facesets_dagster.home import init_home
    from facesets_dagster.settings import load_settings

    settings = load_settings()
    for warning in settings.unknown:
        err.print(f"warning: {warning}", style="yellow", markup=False)
    home = init_home(settings, say=say, automation=automation)
    return home.settings


@app.command()
def init(
    automation: Annotated[
        bool | None, typer.Option("--automation/--no-automation", help="Sensor and schedule run by themselves.")
    ] = None,
) -> None:
    """Make the home: folders, dagster.yaml, databases. Every other command calls it."""
    with teaching():
        settings = ready_home(automation)
        typer.echo(f"home: {settings.home}\ndagster: {settings.dagster_home}")


@app.command()
def sample(directory: Annotated[Path, typer.Argument(help="Where the sample buckets are written.")]) -> None:
    """Write the sample buckets: photos that installed packages ship, augmented."""
    with teaching():
        from facesets_dagster.sample.buckets import write_sample

        settings = ready_home()
        summary = write_sample(directory, cache_dir=settings.cache_dir / "sample", say=say)
        typer.echo(summary.text())


@app.command()
def run(
    buckets: Annotated[list[str] | None, typer.Argument(help="Bucket names; default: all with news.")] = None,
    config: Annotated[Path | None, typer.Option(help="Run config in YAML, as the launchpad shows it.")] = None,
) -> None:
    """Run the main job on buckets, one after the other, and end with a table."""
    with teaching():
        settings = ready_home()
        from facesets_dagster.cli.run import run_buckets

        raise typer.Exit(run_buckets(settings, buckets or [], config, Console(highlight=False)))


@app.command()
def status(as_json: Json = False) -> None:
    """Buckets, identities, facesets, tombstones."""
    with teaching():
        settings = ready_home()
        from facesets_dagster.cli.status import print_status

        print_status(settings, as_json=as_json)


@app.command()
def explain(
    photo: Annotated[str, typer.Argument(help="A photo (a file, or BUCKET/PATH) or a face_id.")], as_json: Json = False
) -> None:
    """Why a face is where it is: every face of the photo with its state and the number that decided it."""
    with teaching():
        settings = ready_home()
        from facesets_dagster.cli.explain import explain as explain_photo

        explain_photo(settings, photo, as_json=as_json)


@app.command()
def show(
    faceset: Annotated[str, typer.Argument(help="Name of a faceset, e.g. faceset_020.")], as_json: Json = False
) -> None:
    """What a faceset is made of: ranks and their components, members, provenance."""
    with teaching():
        settings = ready_home()
        from facesets_dagster.cli.explain import show as show_faceset

        show_faceset(settings, faceset, as_json=as_json)


@app.command("what-if")
def what_if(
    bucket: Annotated[str, typer.Argument(help="Name of a bucket whose faces are cached.")],
    cover_distance: Annotated[float | None, typer.Option(help="Nearer to a known identity is its own.")] = None,
    cluster_distance: Annotated[float | None, typer.Option(help="Average distance at which a cluster ends.")] = None,
    min_face_short_px: Annotated[float | None, typer.Option(help="Least shorter side of a face, px.")] = None,
    min_blur: Annotated[float | None, typer.Option(help="Least sharpness of a face.")] = None,
    min_det_score: Annotated[float | None, typer.Option(help="Least confidence of the detector.")] = None,
    min_faces: Annotated[int | None, typer.Option(help="Least photos of a new identity.")] = None,
) -> None:
    """What a run with other numbers would come to; changes nothing.

    Numbers that are not given are those of the bucket's last run. Without any, each one is swept in turn.
    """
    with teaching():
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
    name: Annotated[str, typer.Argument(help="The person's name; empty to take it away.")],
) -> None:
    """Name a person by hand; kept by every later run."""
    with teaching():
        settings = ready_home()
        from facesets_dagster.cli.label import label_faceset

        now = label_faceset(settings, faceset, name.strip() or None)
        typer.echo(f"{faceset} was merged into {now}." if now != faceset else "", nl=now != faceset)
        typer.echo(f"{now}: {name.strip() or 'no name'}")


@app.command()
def verify(as_json: Json = False) -> None:
    """Check every file of the library against its manifest, and the registry against the disk."""
    with teaching():
        settings = ready_home()
        from facesets_dagster.cli.status import print_verification

        raise typer.Exit(print_verification(settings, as_json=as_json))


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check the environment and say what to do about each problem."""
    with teaching():
        from facesets_dagster.cli.environment import print_doctor
        from facesets_dagster.settings import load_settings

        raise typer.Exit(print_doctor(load_settings(), as_json=as_json))


@models.command("list")
def models_list(as_json: Json = False) -> None:
    """Which packs are here, and where."""
    with teaching():
        from facesets_dagster.cli.environment import print_packs
        from facesets_dagster.settings import load_settings

        print_packs(load_settings(), as_json=as_json)


@models.command("pull")
def models_pull(pack: Annotated[str, typer.Argument(help="Name of a pack, e.g. embedded or buffalo_l.")]) -> None:
    """Fetch a pack into the models root."""
    with teaching():
        from facesets_dagster.embedding.packs import pull_pack
        from facesets_dagster.settings import load_settings

        typer.echo(str(pull_pack(pack, load_settings().models_root, say).folder))


@models.command("verify")
def models_verify(as_json: Json = False) -> None:
    """Check the digests of the packs that are here."""
    with teaching():
        from facesets_dagster.cli.environment import print_pack_verification
        from facesets_dagster.settings import load_settings

        raise typer.Exit(print_pack_verification(load_settings(), as_json=as_json))


if __name__ == "__main__":
    sys.exit(app())
