"""Projections that are made one from the other, against projections of everything."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from facesets_dagster.identities.projection import Base, project
from facesets_dagster.identities.projections import Projections
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.publishing.rulings.standing import with_names
from testing.made_up_rulings import NAMES, made_up_base, rulings

SIZES = st.lists(st.integers(1, 5), min_size=3, max_size=6)


@given(SIZES, st.booleans(), st.data())
def test_whatever_is_written_and_taken_back_it_is_the_projection_of_everything(
    sizes: list[int], shared: bool, data: st.DataObject
) -> None:
    base = _with_a_shared_face(made_up_base(sizes)) if shared else made_up_base(sizes)
    decided, grown = data.draw(rulings(base)), Projections(base)
    in_force: list[Ruling] = []
    for one in data.draw(st.lists(st.sampled_from(decided), max_size=12)):
        without = [other for other in in_force if other is not one]
        in_force = without if len(without) < len(in_force) else [*in_force, one]
        named = with_names(base, in_force, 100)
        assert grown.of(in_force, named.made).projection == project(named, in_force)


@given(SIZES, st.data())
def test_it_says_who_may_have_changed_and_who_has_which_face(sizes: list[int], data: st.DataObject) -> None:
    base = made_up_base(sizes)
    decided, grown = data.draw(rulings(base)), Projections(base)
    before = grown.of([], {})
    for one in range(len(decided) + 1):
        in_force = decided[:one]
        now = grown.of(in_force, with_names(base, in_force, 100).made)
        for part in ("members", "out", "labels"):
            then, after = getattr(before.projection, part), getattr(now.projection, part)
            different = {name for name in {*then, *after} if then.get(name) != after.get(name)}
            assert different <= now.changed_since(before)
        owned = {face for name, rows in now.projection.members.items() if "_era_" not in name for face in rows}
        faces = {face for rows in base.members.values() for face in rows}
        assert {face for face in faces if face in now.owners} == owned & faces
        before = now


def test_a_ruling_on_one_person_leaves_the_others_as_they_are() -> None:
    base = made_up_base([3, 3, 3])
    grown = Projections(base)
    named = Ruling("R1", "name", "", "t", "cli", (), {"identity": NAMES[0]}, {"text": "Anna"}, sequence=1)
    other = Ruling("R2", "name", "", "t", "cli", (), {"identity": NAMES[1]}, {"text": "Tom"}, sequence=2)
    nobody, first = grown.of([], {}), grown.of([named], {})
    both, second = grown.of([named, other], {}), grown.of([other], {})
    assert _people(first.changed_since(nobody)) == {NAMES[0]}
    assert _people(both.changed_since(first)) == {NAMES[1]}
    assert _people(second.changed_since(both)) == {NAMES[0]}
    assert _people(second.changed_since(nobody)) == {NAMES[1]}
    assert grown.of([other], {}).changed_since(second) == frozenset()


def _people(names: frozenset[str]) -> set[str]:
    """Names of people, an era counted as its person."""
    return {name.split("_era_")[0] for name in names}


def _with_a_shared_face(base: Base) -> Base:
    """The first two people have one face, through copies of its photo."""
    face = next(iter(base.members[NAMES[0]]))
    shared = {**base.members[NAMES[1]], face: ("b", "founded")}
    return replace(base, members={**base.members, NAMES[1]: shared})
