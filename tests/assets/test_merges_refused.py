"""What is not merged unless somebody insists, and the messages that say why."""

import shutil

import pytest
import sqlalchemy as sa

from facesets_dagster.registry import tables as t
from facesets_dagster.registry.schema import next_generation
from testing.eras import YOUNG, write_dated
from testing.fake_home import FakeHome
from testing.fakes import FakeFace, write_looks, write_person, write_photo
from testing.merges import LEFT, MIDDLE, RIGHT, STRICT, apply, live, meet, propose, sort_by_hand, undo

pytestmark = pytest.mark.both_databases


def refused(home: FakeHome, words: str, *groups: list[str], **config: object) -> None:
    before = home.files()
    with pytest.raises(Exception, match=words):
        apply(home, *groups, **config)
    assert home.files() == before
    assert home.flaws() == []


def seen_together(home: FakeHome) -> list[str]:
    """Two look-alikes, discovered in two buckets, who stand side by side in a photo of each."""
    for bucket, looks in (("a", LEFT), ("b", RIGHT)):
        write_looks(home.buckets / bucket, 1, looks)
        both = [FakeFace(1, looks[0], x=20), FakeFace(1, -looks[0], x=300)]
        write_photo(home.buckets / bucket / "both.png", both, seed=4)
    write_photo(home.buckets / "a" / "both.png", [FakeFace(1, -0.5, x=20), FakeFace(1, 0.7, x=300)], seed=5)
    shutil.copy(home.buckets / "a" / "both.png", home.buckets / "b" / "both.png")
    narrow = {"osrc_clusters": {**STRICT["osrc_clusters"], "cluster_distance": 0.2}}
    for bucket in "ab":
        home.run(bucket, osrc_uncovered=STRICT["osrc_uncovered"], **narrow)
    return live(home)


def test_names_that_cannot_be_merged_are_refused_with_what_to_do(fake_home: FakeHome) -> None:
    one, two, three = meet(fake_home, LEFT, MIDDLE, RIGHT)
    refused(fake_home, "faceset_777, which does not exist", [one, "faceset_777"])
    refused(fake_home, "two or more different", [one])
    refused(fake_home, "two or more different", [one, one])
    refused(fake_home, f"{two} is in two groups", [one, two], [two, three])
    apply(fake_home, [one, two])
    refused(fake_home, f"{two} was merged into {one}. Name {one}", [two, three])
    before = fake_home.files()
    with pytest.raises(Exception, match=f"{three}, which was never merged. Merged now: {two}"):
        undo(fake_home, three)
    assert fake_home.files() == before


def test_an_era_is_refused_and_its_person_named(fake_home: FakeHome) -> None:
    write_dated(fake_home.buckets / "a", YOUNG)
    fake_home.run("a", osrc_clusters={"min_faces": 3})
    fake_home.materialize("era_facesets", era_facesets={"split": ["*"], "min_era_faces": 1})
    era = next(name for name in live(fake_home) if "_era_" in name)
    write_person(fake_home.buckets / "b", 2, 6)
    fake_home.run("b")
    refused(fake_home, "an era of faceset_001", [era, "faceset_002"])


def test_two_who_are_on_one_photo_are_vetoed_and_merged_only_despite_it(fake_home: FakeHome) -> None:
    one, two = seen_together(fake_home)
    before = fake_home.files()
    found = propose(fake_home)
    assert [row["state"] for row in found] == ["vetoed"]
    assert len(found[0]["veto_photos"]) == 1
    refused(fake_home, r"Photos show both: .*both\.png", [one, two])
    assert apply(fake_home, [one, two], despite_veto=True).success
    assert live(fake_home) == [one]
    assert fake_home.flaws() == []
    undo(fake_home, two)
    assert fake_home.files() == before


def test_two_labels_are_refused_and_the_keepers_stays_when_told(fake_home: FakeHome) -> None:
    sort_by_hand(fake_home, ("Anna a", LEFT), ("Anna b", RIGHT))
    one, two = live(fake_home)
    refused(fake_home, "Two labels in one group: faceset_001 is 'Anna a', faceset_002 is 'Anna b'", [one, two])
    assert apply(fake_home, [one, two], despite_labels=True).success
    assert fake_home.library.registry.identities()[0].label == "Anna a"


def test_a_rejected_pair_is_never_proposed_nor_merged_until_it_is_accepted_again(fake_home: FakeHome) -> None:
    one, two, three = meet(fake_home, LEFT, MIDDLE, RIGHT)
    assert [row["names"] for row in propose(fake_home)] == [[one, two, three]]
    before = fake_home.files()
    apply(fake_home, reject=[[two, one]])
    assert fake_home.files() == before
    states = {tuple(row["names"]): row["state"] for row in propose(fake_home)}
    assert states[one, two] == "rejected"
    assert not any(state == "proposed" and {one, two} <= {*names} for names, state in states.items())
    refused(fake_home, f"{one} and {two}: rejected as two people", [one, two])
    refused(fake_home, "`reject` names faceset_404", reject=[[one, "faceset_404"]])
    apply(fake_home, accept_again=[[one, two]])
    assert [row["names"] for row in propose(fake_home)] == [[one, two, three]]


def test_a_rejected_pair_stays_so_when_one_of_them_was_merged_and_when_that_is_undone(fake_home: FakeHome) -> None:
    one, two, three = meet(fake_home, LEFT, MIDDLE, RIGHT)
    apply(fake_home, reject=[[one, three]])
    apply(fake_home, [two, three])
    assert [(row["names"], row["state"]) for row in propose(fake_home)] == [([one, two], "rejected")]
    refused(fake_home, rf"{one} and {two} \(as {one} and {three}\): rejected as two people", [one, two])
    undo(fake_home, three)
    states = {tuple(row["names"]): row["state"] for row in propose(fake_home)}
    assert states[one, three] == "rejected"
    assert states[one, two] != "rejected"


@pytest.mark.parametrize("named", [(1, 2), (1, 3)])
def test_a_rejected_pair_is_accepted_again_by_its_own_names_and_by_those_that_they_lead_to(
    fake_home: FakeHome, named: tuple[int, int]
) -> None:
    names = meet(fake_home, LEFT, MIDDLE, RIGHT)
    one, two, three = names
    apply(fake_home, reject=[[one, three]])
    apply(fake_home, [two, three])
    apply(fake_home, accept_again=[[names[place - 1] for place in named]])
    assert [row["state"] for row in propose(fake_home)] == ["proposed"]
    assert apply(fake_home, [one, two]).success


def test_two_who_are_merged_are_not_rejected_before_that_is_undone(fake_home: FakeHome) -> None:
    one, two, three = meet(fake_home, LEFT, MIDDLE, RIGHT)
    apply(fake_home, [one, two])
    refused(fake_home, rf"merged into one: {one}.*undo_merges with `undo: \[{two}\]`", reject=[[one, two]])
    apply(fake_home, reject=[[two, three]])
    assert [(row["names"], row["state"]) for row in propose(fake_home)] == [([one, three], "rejected")]
    refused(fake_home, "rejected as two people", [one, three])


def test_identities_of_another_model_are_not_compared(fake_home: FakeHome) -> None:
    one, two = meet(fake_home, LEFT, RIGHT)
    with fake_home.library.registry.engine.begin() as connection:
        next_generation(connection)
        this = t.identities.c.name == two
        connection.execute(sa.update(t.identities).where(this).values(model_id="another"))
    refused(fake_home, "was made with the model another", [one, two])
    with pytest.raises(Exception, match="was made with the model another"):
        propose(fake_home)
