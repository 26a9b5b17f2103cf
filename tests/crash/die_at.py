"""A run with the fake model that dies at its N-th durable step: a rename, a folder swap, a removal or a commit."""

import errno
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as sa

from facesets_dagster.assets import _asset as asset_module
from facesets_dagster.databases import with_driver
from facesets_dagster.files import writing
from facesets_dagster.library import moves
from facesets_dagster.publishing.recovery.recovery import recover
from facesets_dagster.settings import Settings, load_settings
from testing.fake_home import FakeHome
from testing.forgetting import forget_or_finish, kept_instance, person
from testing.forked import Forked
from testing.homes import clean_environment
from testing.other_pack import reembed_to_other
from tests.crash.five_rulings import decide, take_all_back
from tests.crash.homes import settings_of
from tests.crash.ticks import tick_until_rest

KILLED = 137
"""The exit code, as a shell gives it after `kill -9`."""


def start_dying(home: Path, job: str, bucket: str, fatal: int) -> Forked:
    """`job` in a process of its own, dead at its `fatal`-th durable step; 0: it lives on, and says how many it made.

    Below 0: from that step on every one is refused, as a full disk refuses it.
    `apply_merges` and `undo_merges` take the names of facesets instead of a bucket, with a `+` between them; `decide`
    and `take_back` (`five_rulings`) take none, nor does `recover`; `forget` takes the name of one, `ticks` that of a
    job.
    """
    arguments = (str(home), job, bucket, fatal)
    return Forked(f"{__name__}:main", *arguments, environment=clean_environment(), new_session=False)


def run_dying(home: Path, job: str, bucket: str, fatal: int) -> "subprocess.CompletedProcess[str]":
    """The same, waited for."""
    child = start_dying(home, job, bucket, fatal)
    said, _ = child.communicate()
    return subprocess.CompletedProcess([job, bucket, str(fatal)], child.wait(), said)


def main(folder: str, job: str, bucket: str, fatal: int) -> None:
    """In the process."""
    home, steps = Path(folder), _Steps(fatal)
    asset_module.RETRY_SECONDS = 0
    environment = {"FACESETS_HOME": str(home), "FACESETS_MODELS": str(home), **settings_of(home)}
    if (home / "people").is_dir():
        environment["FACESETS_HAND_SORTED"] = str(home / "people")
    settings = load_settings(environment, home)
    steps.watch(settings)
    with dg.DagsterInstance.ephemeral() as instance:
        lost = FakeHome(settings, instance)
        if job == "ticks":  # goes by what Dagster knows of the run that died
            with kept_instance(lost) as kept:
                tick_until_rest(kept, bucket)
        else:
            _run(lost, job, bucket)
    print(steps.made)


class _Steps:
    """Counts durable steps and dies before the fatal one is made, as `kill -9` would."""

    def __init__(self, fatal: int) -> None:
        self.fatal = fatal
        self.made = 0

    def one(self, *_: Any) -> None:
        self.made += 1
        if self.made == self.fatal:
            os._exit(KILLED)
        if 0 < -self.fatal <= self.made:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "of the test")

    def before(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.one()
            return function(*args, **kwargs)

        return wrapped

    def watch(self, settings: Settings) -> None:
        """Every rename, swap and removal of this process from now on, and every commit of the registry."""
        os.replace, os.rename = self.before(os.replace), self.before(os.rename)
        shutil.rmtree = self.before(shutil.rmtree)  # type: ignore[assignment]
        writing.exchange_folders = moves.exchange_folders = self.before(writing.exchange_folders)
        engine_of = sa.create_engine

        def watched(url: str | sa.URL, *args: Any, **kwargs: Any) -> sa.Engine:
            engine = engine_of(url, *args, **kwargs)
            if sa.make_url(url) == with_driver(settings.database_url):
                sa.event.listen(engine, "commit", self.one)
            return engine

        sa.create_engine = watched


def _run(home: FakeHome, job: str, bucket: str) -> None:
    if job == "apply_merges":
        home.materialize("applied_rulings", applied_rulings={"merges": [bucket.split("+")]})
    elif job == "strict":  # nobody is known from another bucket; the person's years become an era
        strict = {"osrc_uncovered": {"cover_distance": 0.0}}
        home.run(bucket, osrc_clusters={"rematch_distance": 0.0, "min_faces": 3}, **strict)
        home.materialize("era_facesets", era_facesets={"split": ["*"], "min_era_faces": 2})
    elif job == "recover":
        recover(home.settings.library_dir, home.settings.database_url, print)
    elif job == "reembed":
        reembed_to_other(home)
    elif job == "forget":
        forget_or_finish(home, person(bucket))
    elif job == "undo_merges":
        home.materialize("applied_rulings", applied_rulings={"undo": bucket.split("+")})
    elif job in ("decide", "take_back"):
        (decide if job == "decide" else take_all_back)(home)
        home.materialize("applied_rulings")
    else:
        home.run(bucket, job=job)
