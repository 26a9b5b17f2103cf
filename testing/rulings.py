"""Rulings in a home with the fake model: decided, obeyed, taken back."""

from collections.abc import Callable
from pathlib import Path

import polars as pl

from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.publishing.rulings.requests import Requests
from facesets_dagster.publishing.rulings.subjects import Subjects
from facesets_dagster.publishing.rulings.writing import Author, enter, take_back
from facesets_dagster.resources.home import HomeResource
from testing.fake_home import FakeHome, fake_home_in
from testing.fakes import write_looks
from testing.forked import Forked

COVER = 0.45
"""Distance at which faces are covered, in what rulings are made with here."""
AUTHOR = Author("tester", "cli")


def requests(home: FakeHome) -> Requests:
    """What makes rulings of words."""
    stores = HomeResource.of(home.settings).store_of(home.embedder.pack())
    return Requests(Subjects(home.library, stores), AUTHOR, COVER)


def decide(home: FakeHome, make: Callable[[Requests], Ruling]) -> str:
    """Writes one ruling and gives its id."""
    (written,) = enter(home.library, [make(requests(home))])
    return written.ruling_id


def obey(home: FakeHome) -> None:
    """Brings the library up to the rulings in force."""
    assert home.materialize("applied_rulings", "top_manifest").success


def obey_apart(home: FakeHome) -> None:
    """The same in a process of its own: while a browser is open, no run can be executed in this one."""
    child = Forked("testing.rulings:obey_below", str(home.settings.home.parent), environment={}, new_session=False)
    said, _ = child.communicate()
    assert child.returncode == 0, said


def obey_below(folder: str) -> None:
    """Brings the library of the home below `folder` up, with a Dagster that knows nothing of earlier runs."""
    with fake_home_in(Path(folder)) as home:
        obey(home)


def undo_ruling(home: FakeHome, *ids: str) -> None:
    """Takes rulings back and brings the library up."""
    take_back(home.library, ids, AUTHOR)
    obey(home)


def three_people(home: FakeHome) -> None:
    """Bucket `a`: persons 1, 2 and 3, five, four and three portraits: `faceset_001` to `faceset_003`."""
    home.begin(_three_people)


def _three_people(home: FakeHome) -> None:
    for person, looks in ((1, [-0.9, -0.45, 0.0, 0.45, 0.9]), (2, [-0.9, -0.45, 0.0, 0.45]), (3, [-0.9, -0.45, 0.0])):
        write_looks(home.buckets / "a", person, looks)
    home.run("a", osrc_clusters={"min_faces": 3})


def faces_of(home: FakeHome, name: str) -> list[str]:
    """face_ids of an identity's members, sorted."""
    return sorted(home.library.registry.members([name]).get(name, {}))


def state_of_face(home: FakeHome, face_id: str, bucket: str = "a") -> tuple[str, str | None, str | None]:
    """How a face ended: state, identity, ruling."""
    rows = home.library.registry.decisions(bucket)
    row = rows.row(by_predicate=pl.col("face_id") == face_id, named=True)
    return row["state"], row["identity"], row["ruling"]
