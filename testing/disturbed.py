"""`facesets` in a process of its own, with the fake model and a home that Dagster's databases lie in, while somebody
disturbs it: what a person would see of a fault, without the seconds of a real model."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from facesets_dagster.analysis.ruling_flaws import every_flaw
from facesets_dagster.cli import run as run_command
from facesets_dagster.definitions import build_defs
from testing.fakes import FakeEmbedderResource
from testing.forked import Forked, ForkedHome


@dataclass(frozen=True)
class DisturbedHome(ForkedHome):
    """A home whose commands run the fake model."""

    def start(self, *arguments: str, **options: Any) -> Any:
        """`facesets ARGUMENTS`; `disturbed_by`: MODULE:NAME of a function of the home's folder, called before."""
        return Forked(
            f"{__name__}:facesets", str(self.folder), options.get("disturbed_by", ""), *arguments,
            environment=self.environment, new_session=options.get("start_new_session", False),
        )  # fmt: skip

    def said(self, *arguments: str, code: int = 0, disturbed_by: str = "") -> str:
        """What the command says, which is never a traceback; it ends with this exit code."""
        child = self.start(*arguments, disturbed_by=disturbed_by)
        said, _ = child.communicate()
        assert child.wait() == code, f"exit {child.returncode}\n{said[-4000:]}"
        assert "Traceback" not in said, said[-4000:]
        return str(said)

    def flaws(self) -> list[object]:
        """What `facesets verify` would list."""
        return list(every_flaw(self.library))

    def copied(self, folder: Path) -> "DisturbedHome":
        """A copy of it, times of files included."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return DisturbedHome(folder, self.pack, self.models_root, self.more)


def disturbed_home(folder: Path) -> DisturbedHome:
    """An empty home, made."""
    return DisturbedHome(folder, "embedded", folder.parent).made()


def facesets(folder: str, disturbed_by: str, *arguments: str) -> None:
    """In the process: the command line with the fake model; ends the process."""
    from facesets_dagster.cli.main import app

    run_command.build_defs = partial(build_defs, overrides={"embedder": FakeEmbedderResource()})  # type: ignore[attr-defined]
    if disturbed_by:
        function_of(disturbed_by)(Path(folder))
    app(list(arguments), prog_name="facesets")


def function_of(name: str) -> Callable[..., Any]:
    """The function MODULE:NAME."""
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found
