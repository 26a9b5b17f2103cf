"""Progress as a bar on a terminal, and as lines in the run's log."""

import os
import pty
import re

import pytest

from facesets_dagster.resources import progress
from facesets_dagster.resources.progress import ProgressResource


def everything(controller: int) -> bytes:
    """What was written to a terminal that is closed by now."""
    parts = []
    try:
        while part := os.read(controller, 10_000):
            parts.append(part)
    except OSError:  # Linux: the other end is gone
        pass
    os.close(controller)
    return b"".join(parts)


def test_lines_have_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    said: list[str] = []
    with ProgressResource().photos(said.append, "trip") as report:
        for done in range(1, 101):
            now[0] += 0.5
            report(done, 100, 2 * done, done // 50)
    assert said[0] == "trip: 20 of 100 photos, 40 faces, 0 failed, 2.0 photos/s, 40 s left"
    assert said[-1] == "trip: 100 of 100 photos, 200 faces, 2 failed, 2.0 photos/s, 0 s left"
    assert len(said) == 5


def test_a_terminal_gets_a_bar_and_the_log_its_lines() -> None:
    controller, terminal = pty.openpty()
    said: list[str] = []
    with ProgressResource(terminal=terminal).photos(said.append, "trip") as report:
        report(30, 30, 44, 1)
    os.close(terminal)
    drawn = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", everything(controller).decode())
    assert "30/30" in drawn
    assert "44 faces, 1 failed" in drawn
    assert len(said) == 1


def test_phases_that_take_long_have_lines_and_short_ones_none(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    said: list[str] = []
    with ProgressResource().phases(said.append, "trip") as report:
        report("pairs", 1, 100)
        now[0] += 9
        report("pairs", 100, 100)
        assert said == []
        for done in range(0, 51, 10):
            now[0] += 4
            report("merges", done, 50)
    assert said == [
        "trip: merges 0 % (0 of 50), 0 s left",
        "trip: merges 60 % (30 of 50), 8 s left",
    ]


def test_a_terminal_gets_a_bar_for_every_long_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_LINE_EVERY_SECONDS", 0.0)
    controller, terminal = pty.openpty()
    with ProgressResource(terminal=terminal).phases(lambda _: None, "trip") as report:
        report("pairs", 50, 50)
        report("merges", 7, 7)
    os.close(terminal)
    drawn = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", everything(controller).decode())
    assert re.search(r"trip: pairs .*100%", drawn)
    assert re.search(r"trip: merges .*100%", drawn)
