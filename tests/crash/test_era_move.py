"""A thin era that has grown moves house; whoever dies on the way leaves nothing that the next run does not finish."""

import shutil
from itertools import count
from typing import Any

import dagster as dg
import pytest

from facesets_dagster.library import moves
from testing.eras import FIRST, SECOND, meet, names, split, write_dated
from testing.fake_home import FakeHome


@pytest.fixture
def known(fake_home: FakeHome) -> FakeHome:
    return meet(fake_home)


def test_a_move_that_is_killed_at_any_step_is_finished_by_the_next_run(
    known: FakeHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    split(known, "faceset_001", min_era_faces=3)
    write_dated(known.buckets / "a", [(2013, -0.05)])
    known.run("a")
    kept = known.settings.home.with_name("kept")
    shutil.copytree(known.settings.home, kept)
    known.materialize("era_facesets", "top_manifest")
    whole = _of_no_run(known.files())
    for fatal in count(1):
        shutil.rmtree(known.settings.home)
        shutil.copytree(kept, known.settings.home)
        died = _die_at(known, fatal, monkeypatch)
        assert known.materialize("era_facesets", "top_manifest").success
        assert names(known) == {FIRST: "era", SECOND: "thin_era"}
        assert known.flaws() == []
        assert _of_no_run(known.files()) == whole
        if not died:
            break
    assert fatal > 3


def _of_no_run(files: dict[str, bytes]) -> dict[str, bytes]:
    """Files that do not say which run made them."""
    return {name: data for name, data in files.items() if not name.endswith((".json", ".txt"))}


def _die_at(home: FakeHome, fatal: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Ends the run before the `fatal`-th rename, swap or removal of the moves; True if it came so far."""
    made = count(1)

    def dying(function: Any) -> Any:
        def wrapped(*arguments: Any, **keywords: Any) -> Any:
            if next(made) == fatal:
                raise KeyboardInterrupt
            return function(*arguments, **keywords)

        return wrapped

    with monkeypatch.context() as patch:
        patch.setattr(moves, "exchange_folders", dying(moves.exchange_folders))
        patch.setattr(moves.os, "rename", dying(moves.os.rename))
        patch.setattr(moves.shutil, "rmtree", dying(moves.shutil.rmtree))
        try:
            return not home.materialize("era_facesets").success
        except (KeyboardInterrupt, dg.DagsterExecutionInterruptedError):
            return True
