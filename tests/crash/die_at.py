"""Child process of `test_die_at`: runs the main job with the fake model and dies at the N-th durable step.

Arguments: home, bucket, N (0 = live on). A durable step is a rename, a folder swap, a removal or a commit. Prints
the number of steps that were made.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as sa

from facesets_dagster import storage
from facesets_dagster.library import moves
from facesets_dagster.settings import load_settings
from tests.conftest import FakeHome

home, bucket, fatal = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
made = 0


def step(*_: Any) -> None:
    """Dies before the N-th step is made, as `kill -9` would."""
    global made
    made += 1
    if made == fatal:
        os._exit(137)


def fatal_before(function: Any) -> Any:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        step()
        return function(*args, **kwargs)

    return wrapped


os.replace = fatal_before(os.replace)
os.rename = fatal_before(os.rename)
shutil.rmtree = fatal_before(shutil.rmtree)
exchange = fatal_before(storage.exchange_folders)
storage.exchange_folders = moves.exchange_folders = exchange

settings = load_settings({"FACESETS_HOME": str(home), "FACESETS_MODELS": str(home)}, home)
with dg.DagsterInstance.ephemeral() as instance:
    here = FakeHome(settings, instance)
    engine_of = sa.create_engine

    def watched(url: str, *args: Any, **kwargs: Any) -> sa.Engine:
        engine = engine_of(url, *args, **kwargs)
        if url == settings.database_url:
            sa.event.listen(engine, "commit", step)
        return engine

    sa.create_engine = watched
    here.run(bucket)
print(made)
