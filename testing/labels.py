"""A label as a run or an older release would have given it; `facesets label` makes a ruling of it."""

import sqlalchemy as sa

from facesets_dagster.cli.label import enter_name
from facesets_dagster.library.home import Home
from facesets_dagster.registry import tables as t
from facesets_dagster.registry.registry import Registry
from facesets_dagster.registry.schema import next_generation
from testing.fake_home import FakeHome


def give_label(registry: Registry, name: str, label: str | None) -> None:
    """Names a live faceset without a ruling."""
    with registry.engine.begin() as connection:
        next_generation(connection)
        these = sa.update(t.identities).where(t.identities.c.name == name, t.identities.c.live)
        assert connection.execute(these.values(label=label)).rowcount == 1


def decide_name(home: FakeHome, name: str, label: str | None) -> None:
    """Names a live faceset by a ruling that is not applied yet."""
    enter_name(Home.of(home.settings), name, label)
