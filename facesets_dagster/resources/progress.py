"""Progress of long steps: a bar where a person looks at a terminal, lines in the run's log everywhere.

Dagster captures the standard streams of a step, so the command line hands over a copy of its terminal's descriptor.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, TYPE_CHECKING

import dagster as dg
from pydantic import Field

from facesets_dagster.faces.face_cache import ReportProgress

if TYPE_CHECKING:
    from rich.progress import TaskID

_LINE_EVERY_SECONDS = 10.0

Phases = Callable[[str, int, int], None]


class ProgressResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """How progress is shown."""

    terminal: int | None = Field(
        default=None,
        description="File descriptor of a terminal to draw a bar on; set by the command line. null = lines in the log.",
    )

    @contextmanager
    def photos(self, log: Callable[[str], None], title: str) -> Iterator[ReportProgress]:
        """Gives a function to call after every photo with (done, total, faces, failed)."""
        lines = _lines(log, title)
        if self.terminal is None:
            yield lines
            return
        with os.fdopen(self.terminal, "w", closefd=False) as stream, _bar(title, stream) as draw:

            def both(done: int, total: int, faces: int, failed: int) -> None:
                lines(done, total, faces, failed)
                draw(done, total, faces, failed)

            yield both

    @contextmanager
    def phases(self, log: Callable[[str], None], title: str) -> Iterator[Phases]:
        """Gives a function to call with (phase, done, total); what takes less than ten seconds is not shown."""
        with ExitStack() as shown:
            lines, draw, began = _phase_lines(log, title), None, time.monotonic()

            def report(phase: str, done: int, total: int) -> None:
                nonlocal draw
                lines(phase, done, total)
                if self.terminal is None or time.monotonic() - began < _LINE_EVERY_SECONDS:
                    return
                if draw is None:
                    stream = shown.enter_context(os.fdopen(self.terminal, "w", closefd=False))
                    draw = shown.enter_context(_phase_bars(title, stream))
                draw(phase, done, total)

            yield report


def _phase_lines(log: Callable[[str], None], title: str) -> Phases:
    last = time.monotonic()
    since: dict[str, tuple[float, int]] = {}

    def report(phase: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        began, at = since.setdefault(phase, (now, done))
        if now - last >= _LINE_EVERY_SECONDS:
            last = now
            left = (total - done) * (now - began) / max(done - at, 1)
            log(f"{title}: {phase} {100 * done / max(total, 1):.0f} % ({done} of {total}), {left:.0f} s left")

    return report


@contextmanager
def _phase_bars(title: str, stream: IO[str]) -> Iterator[Phases]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=stream, force_terminal=True)) as progress:
        tasks: dict[str, TaskID] = {}

        def report(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                tasks[phase] = progress.add_task(f"{title}: {phase}", total=total)
            progress.update(tasks[phase], completed=done, total=total)

        yield report


def _lines(log: Callable[[str], None], title: str) -> ReportProgress:
    started = last = time.monotonic()

    def report(done: int, total: int, faces: int, failed: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _LINE_EVERY_SECONDS and done < total:
            return
        last = now
        rate = done / max(now - started, 1e-6)
        left = (total - done) / rate
        log(
            f"{title}: {done} of {total} photos, {faces} faces, {failed} failed, {rate:.1f} photos/s, {left:.0f} s left"
        )

    return report


@contextmanager
def _bar(title: str, stream: IO[str]) -> Iterator[ReportProgress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:.1f} photos/s, {task.fields[faces]} faces, {task.fields[failed]} failed"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(file=stream, force_terminal=True)) as progress:
        task = progress.add_task(title, total=None, rate=0.0, faces=0, failed=0)
        started = time.monotonic()

        def report(done: int, total: int, faces: int, failed: int) -> None:
            rate = done / max(time.monotonic() - started, 1e-6)
            progress.update(task, completed=done, total=total, rate=rate, faces=faces, failed=failed)

        yield report
