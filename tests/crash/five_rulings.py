"""One ruling of each kind that moves faces, for the tests of runs that die: written once, however often it is tried."""

from dataclasses import replace

from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.library.home import Home
from facesets_dagster.publishing.rulings.requests import Requests
from facesets_dagster.publishing.rulings.subjects import Subjects
from facesets_dagster.publishing.rulings.writing import Author, enter, take_back
from facesets_dagster.registry.rulings import all_rulings
from testing.fake_home import FakeHome

_AUTHOR = Author("somebody", "cli")
_MERGED = {"a": "faceset_005", "b": "faceset_004"}


def decide(home: FakeHome) -> None:
    """Five people: the first is two, the second a stranger, one of the third is nobody, one of the fourth is the
    third's, and the fifth is the fourth.
    """
    if all_rulings(home.library.registry):
        return
    subjects = Subjects(home.library, Home.of(home.settings).cached)
    requests = Requests(subjects, _AUTHOR, cover_distance=0)
    faces = {name: sorted(rows) for name, rows in home.library.registry.members().items()}
    same = tuple(face for role, name in _MERGED.items() for face in subjects.of_identity(name, role))
    rulings: list[Ruling] = [
        requests.split("faceset_001", [{faces["faceset_001"][0]: None}, {faces["faceset_001"][-1]: None}]),
        requests.ignore("faceset_002"),
        requests.not_person({faces["faceset_003"][0]: None}, "faceset_003"),
        requests.assign({faces["faceset_004"][0]: None}, "faceset_003"),
        _AUTHOR.ruling("same", names=_MERGED, faces=same, payload={"keeper": "b"}),
    ]
    enter(home.library, [replace(ruling, ruling_id=f"{place:026d}") for place, ruling in enumerate(rulings)])


def take_all_back(home: FakeHome) -> None:
    take_back(home.library, [ruling.ruling_id for ruling in all_rulings(home.library.registry)], _AUTHOR)
