"""The home's Dagster instance, for commands that materialize."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from facesets_dagster.dagster_yaml import require_storage
from facesets_dagster.settings import Settings

if TYPE_CHECKING:
    import dagster as dg


@contextmanager
def instance_of(settings: Settings) -> Iterator["dg.DagsterInstance"]:
    """The instance that `make dev` shows, so that everything has lineage."""
    import dagster as dg

    require_storage(settings)
    os.environ.update(settings.dagster_environment)  # also for processes that Dagster starts
    with dg.DagsterInstance.get() as instance:
        yield instance
