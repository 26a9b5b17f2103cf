"""Drawn rulings, undoings, new photos and runs with other numbers: the library is always what the rulings say."""

import random
from collections.abc import Callable

import pytest

from facesets_dagster.errors import FacesetsError
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.publishing.rulings.planner import changes_now
from facesets_dagster.publishing.rulings.requests import Requests
from facesets_dagster.registry.rulings import rulings_in_force
from testing.fake_home import FakeHome, fake_home_in
from testing.fakes import write_looks
from testing.merges import live
from testing.rulings import decide, faces_of, obey, three_people, undo_ruling

NUMBERS = {"min_faces": 3}
NEW_PHOTOS = [(1, [-0.7, 0.2]), (2, [-0.7, 0.2, 0.7]), (3, [0.45, 0.9]), (4, [-0.9, -0.3, 0.3, 0.9])]


def drawn(home: FakeHome, dice: random.Random) -> Callable[[Requests], Ruling] | None:
    """A ruling on who is there now; None if nobody is."""
    people = live(home)
    if len(people) < 2:
        return None
    first, second = dice.sample(people, 2)
    mine = faces_of(home, first)
    face, places = dice.choice(mine), {dice.choice(mine): None}
    kinds: list[Callable[[Requests], Ruling]] = [
        lambda ask: ask.name(first, f"Person {dice.randint(1, 9)}"),
        lambda ask: ask.different(first, second),
        lambda ask: ask.not_person({face: None}, first),
        lambda ask: ask.assign({face: None}, second),
        lambda ask: ask.split(first, [{mine[0]: None}, {mine[-1]: None}]),
        lambda ask: ask.ignore(first),
        lambda ask: ask.ignore_faces(places, are_faces=dice.random() < 0.5),
        lambda ask: ask.feature(face, first, lead=dice.random() < 0.5),
        lambda ask: ask.approve(first),
        lambda ask: _same(ask, first, second),
    ]
    return dice.choice(kinds)


def _same(ask: Requests, first: str, second: str) -> Ruling:
    names = {"a": first, "b": second}
    faces = [face for role, name in names.items() for face in ask.subjects.of_identity(name, role)]
    return ask.author.ruling("same", names=names, faces=tuple(faces), payload={"keeper": "b"})


def step(home: FakeHome, twin: FakeHome, dice: random.Random, photos: list[tuple[int, list[float]]]) -> str:
    """One thing happens; what has nothing to do with rulings happens to the twin too. Says what it was."""
    chance = dice.random()
    in_force = [ruling.ruling_id for ruling in rulings_in_force(home.library.registry)]
    if chance < 0.25 and in_force:
        undo_ruling(home, *dice.sample(in_force, dice.randint(1, min(2, len(in_force)))))
        return "undo"
    if chance < 0.4 and photos:
        person, looks = photos.pop()
        for one in (home, twin):
            write_looks(one.buckets / "b", person, looks)
            one.run("b", osrc_clusters=NUMBERS)
        return "photos"
    if chance < 0.5:
        numbers = {**NUMBERS, "outlier_min_size": dice.randint(3, 6)}
        for one in (home, twin):
            one.run("a", osrc_clusters=numbers)
        return "run"
    make = drawn(home, dice)
    if make is not None:
        try:
            decide(home, make)
        except FacesetsError as refused:
            return f"refused: {refused}"
        obey(home)
    return "ruling"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_the_library_is_what_the_rulings_say_and_without_them_as_if_there_had_been_none(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    dice, photos = random.Random(seed), list(NEW_PHOTOS)
    with fake_home_in(tmp_path_factory.mktemp("home")) as home, fake_home_in(tmp_path_factory.mktemp("twin")) as twin:
        for one in (home, twin):
            three_people(one)
        story = []
        for _ in range(14):
            story.append(step(home, twin, dice, photos))
            assert changes_now(home.library).are_none(), story
            assert home.flaws() == [], story
            owners = [face for name in live(home) for face in faces_of(home, name)]
            assert len(owners) == len(set(owners)), story
        for ruling in dice.sample(
            rulings_in_force(home.library.registry), len(rulings_in_force(home.library.registry))
        ):
            undo_ruling(home, ruling.ruling_id)
            assert home.flaws() == [], story
        for bucket in ("a", "b", "a", "b") if photos != NEW_PHOTOS else ("a", "a"):
            for one in (home, twin):
                one.run(bucket, osrc_clusters=NUMBERS)
        assert partition(home) == partition(twin), story


def partition(home: FakeHome) -> list[list[str]]:
    """Members of every identity."""
    return sorted(faces_of(home, name) for name in live(home))
