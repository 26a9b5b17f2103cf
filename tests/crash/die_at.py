"""Child process of `test_die_at`: runs a job with the fake model and dies at the N-th durable step.

Arguments: home, job, bucket, N (0 = live on); `applied_merges` and `undone_merges` take the names of facesets instead
of a bucket, with a `+` between them. A durable step is a rename, a folder swap, a removal or a commit. Prints
the number of steps that were made.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as sa

from facesets_dagster.files import writing as storage
from facesets_dagster.library import moves
from facesets_dagster.settings import load_settings
from testing.fake_home import FakeHome

home, job, bucket, fatal = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
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

environment = {"FACESETS_HOME": str(home), "FACESETS_MODELS": str(home)}
if (home / "people").is_dir():
    environment["FACESETS_HAND_SORTED"] = str(home / "people")
settings = load_settings(environment, home)
with dg.DagsterInstance.ephemeral() as instance:
    here = FakeHome(settings, instance)
    engine_of = sa.create_engine

    def watched(url: str, *args: Any, **kwargs: Any) -> sa.Engine:
        engine = engine_of(url, *args, **kwargs)
        if url == settings.database_url:
            sa.event.listen(engine, "commit", step)
        return engine

    sa.create_engine = watched
    if job == "applied_merges":
        here.materialize(job, applied_merges={"merges": [bucket.split("+")]})
    elif job == "strict":  # nobody is known from another bucket; the person's years become an era
        strict = {"osrc_uncovered": {"cover_distance": 0.0}}
        here.run(bucket, osrc_clusters={"rematch_distance": 0.0, "min_faces": 3}, **strict)
        here.materialize("era_facesets", era_facesets={"split": ["*"], "min_era_faces": 2})
    elif job == "undone_merges":
        here.materialize(job, undone_merges={"undo": bucket.split("+")})
    else:
        here.run(bucket, job=job)
print(made)
