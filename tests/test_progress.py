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
