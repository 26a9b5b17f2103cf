"""What all commands of `facesets` share: how they are declared, how they fail, and how they find the home.

Imports nothing but Typer at module level, so that `facesets --help` answers at once.
"""

import json
import re
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from facesets_dagster.errors import FacesetsError
from facesets_dagster.files.trouble import disk_words

if TYPE_CHECKING:
    from rich.console import Console

    from facesets_dagster.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]

_Function = TypeVar("_Function", bound=Callable[..., None])


class _Plain(TyperCommand):
    """Help without `<bool>` beside options that take no value."""

    def get_params(self, ctx: typer.Context) -> list[Any]:  # type: ignore[override]
        """The options and arguments."""
        return _named(super().get_params(ctx))


class Program(TyperGroup):
    """Ends every failure with one message and an exit code, without a traceback: 1, or 2 for a wrong command line."""

    def main(self, args: Sequence[str] | None = None, *, standalone_mode: bool = True, **extra: Any) -> Any:  # type: ignore[override]
        """Runs a command line; with `--json` a failure is a JSON document as well."""
        arguments = sys.argv[1:] if args is None else list(args)
        if not standalone_mode:
            return super().main(arguments, standalone_mode=False, **extra)
        as_json = "--json" in arguments
        try:
            code = super().main(arguments, standalone_mode=False, **extra)
        except FacesetsError as error:
            code = _fail(str(error), _kind(error), as_json=as_json)
        except OSError as error:
            code = _fail(_in_words(error, disk_words(error)), "disk", as_json=as_json)
        except typer.TyperException as error:  # a wrong command line; the help it stands for was printed already
            code, text = error.exit_code, error.format_message()
            if text:
                _fail(text, "usage", as_json=as_json, hint=_usage(error))
        except typer.Abort:
            code = _fail("Ended. What was finished is kept.", "ended", as_json=as_json)
        except Exception as error:
            code = _fail(_in_words(error, _of_database(error)), "database", as_json=as_json)
        sys.exit(code or 0)

    def get_params(self, ctx: typer.Context) -> list[Any]:  # type: ignore[override]
        """The options, without `<bool>` beside those that take no value."""
        return _named(super().get_params(ctx))


def _named(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    return parameters


def new_group(text: str, **more: Any) -> typer.Typer:
    """A group of commands; `text`: its help."""
    return typer.Typer(
        cls=Program,
        help=text,
        no_args_is_help=not more.get("invoke_without_command"),
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        **more,
    )


def command(
    group: typer.Typer, panel: str, *examples: str, name: str | None = None
) -> Callable[[_Function], _Function]:
    """Declares a function as a command, listed under `panel`; the examples stand below its help."""
    lines = [f"$ {line}".replace("[", r"\[") for line in examples]
    epilog = "\n\n".join(["[bold]Examples[/bold]", *lines]) if lines else None
    return group.command(name, cls=_Plain, rich_help_panel=panel, epilog=epilog)


def console(*, as_json: bool = False) -> "Console":
    """Where results are printed; with `--json` all that is no JSON goes to standard error."""
    from rich.console import Console

    return Console(stderr=as_json, highlight=False)


def say(text: str, style: str | None = None) -> None:
    """A line for the person at the terminal; standard output is kept for results. Long lines are not broken."""
    from rich.console import Console

    Console(stderr=True, highlight=False, soft_wrap=True).print(text, style=style, markup=False)


def existing_home() -> "Settings":
    """The settings of a home that exists, for commands that make none. Raises `SettingsError` if there is none."""
    from facesets_dagster.home import recorded_pack, recorded_precision, require_home

    settings = _settings()
    require_home(settings)
    recorded_pack(settings)  # raises if the settings name another model than the home's
    recorded_precision(settings)
    return settings


def home_of_any_pack() -> "Settings":
    """The settings of a home that exists, whatever pack they name: for the command that changes it."""
    from facesets_dagster.home import recorded_precision, require_home

    settings = _settings()
    require_home(settings)
    recorded_precision(settings)
    return settings


def made_home(automation: bool | None = None) -> "Settings":
    """The settings, after making the home if it is missing."""
    from facesets_dagster.home import init_home

    settings = _settings()
    init_home(settings, say=say, automation=automation)
    return settings


def _settings() -> "Settings":
    """Prints a warning for each unknown setting."""
    from facesets_dagster.files.access import Access, keep_access
    from facesets_dagster.settings import load_settings

    settings = load_settings()
    keep_access(Access.of(settings.share_group))
    for warning in settings.unknown:
        say(f"warning: {warning}", "yellow")
    return settings


def _fail(text: str, kind: str, *, as_json: bool, hint: str = "") -> int:
    if as_json:
        typer.echo(json.dumps({"error": {"kind": kind, "message": text}}, indent=2, ensure_ascii=False))
    else:
        say(text, "red")
        if hint:
            say(hint)
    return 1


def _in_words(error: Exception, words: str | None) -> str:
    """The words; raises the error again if there are none: a defect is shown with its traceback."""
    if words is None:
        raise error
    return words


def _of_database(error: Exception) -> str | None:
    """Of Dagster's own databases; the registry's errors are sentences already."""
    cause = error.__cause__ if type(error).__module__.startswith("dagster_postgres") else error  # it gave up trying
    if cause is None or not type(cause).__module__.startswith("sqlalchemy"):
        return None
    from facesets_dagster.registry.unavailable import reason_of

    reason = reason_of(getattr(cause, "orig", None), "dagster.yaml in DAGSTER_HOME")
    return None if reason is None else f"Dagster's database (DAGSTER_HOME) cannot be used: {reason}, and do it again."


def _kind(error: FacesetsError) -> str:
    """`bucket_error` for a `BucketError`: for programs that read JSON."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()


def _usage(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    if context is None:
        return ""
    usage = " ".join(context.get_usage().split())
    return f"{usage}\n`{context.command_path} -h` explains it."
