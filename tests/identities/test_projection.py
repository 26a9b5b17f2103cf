"""What rulings make of a library, for drawn libraries and rulings."""

from hypothesis import given
from hypothesis import strategies as st

from facesets_dagster.identities.merging import MARK, Merge
from facesets_dagster.identities.projection import RULED, Base, Projection, project
from facesets_dagster.identities.rulings import STANDS_FOR, Ruling
from facesets_dagster.publishing.rulings.standing import with_names
from testing.made_up_rulings import NAMES, face, made_up_base, people, rulings

ONE, TWO, THREE = NAMES[:3]
SIZES = st.lists(st.integers(1, 5), min_size=3, max_size=6)


def projected(base: Base, decided: list[Ruling]) -> Projection:
    return project(with_names(base, decided, 100), decided)


def ruling(kind: str, *faces: object, names: dict[str, str] | None = None, place: int = 1, **payload: object) -> Ruling:
    return Ruling(f"R{place}", kind, "", "t", "cli", tuple(faces), names or {}, payload, sequence=place)  # type: ignore[arg-type]


@given(SIZES, st.data())
def test_every_face_is_with_one_person_or_taken_by_a_ruling(sizes: list[int], data: st.DataObject) -> None:
    base = made_up_base(sizes)
    found = projected(base, data.draw(rulings(base)))
    owned = [one for name, rows in found.members.items() if "_era_" not in name for one in rows]
    assert len(owned) == len(set(owned))
    everything = {one for name in people(base) for one in base.members[name]}
    taken = {face_id for _, face_id in found.faces}
    assert set(owned) | taken == everything
    assert not set(owned) & taken


@given(SIZES, st.data())
def test_the_same_rulings_in_any_container_give_the_same(sizes: list[int], data: st.DataObject) -> None:
    base = made_up_base(sizes)
    decided = data.draw(rulings(base))
    shuffled = data.draw(st.permutations(decided))
    named = with_names(base, decided, 100)
    assert project(named, decided) == project(named, shuffled)


@given(SIZES, st.data())
def test_only_faces_that_are_named_and_faces_of_people_who_are_named_move(
    sizes: list[int], data: st.DataObject
) -> None:
    base = made_up_base(sizes)
    decided = data.draw(rulings(base))
    found = projected(base, decided)
    names = {name for one in decided for name in one.names.values()}
    faces = {face.face_id for one in decided for face in one.of_role("face")}
    for name in people(base):
        if name in names or faces & base.members[name].keys():
            continue
        assert found.members[name] == base.members[name]
        assert name not in found.touched


@given(SIZES, st.data())
def test_an_era_is_part_of_its_person(sizes: list[int], data: st.DataObject) -> None:
    base = made_up_base(sizes)
    found = projected(base, data.draw(rulings(base)))
    for name, rows in found.members.items():
        parent = base.identities[name].parent if name in base.identities else None
        if parent is not None:
            assert rows
            assert rows.keys() <= found.members[parent].keys()


@given(SIZES, st.data())
def test_nobody_in_use_is_without_a_face_and_a_merged_name_leads_to_somebody(
    sizes: list[int], data: st.DataObject
) -> None:
    base = made_up_base(sizes)
    found = projected(base, data.draw(rulings(base)))
    assert all(found.members.values())
    assert not found.members.keys() & found.out.keys()
    for merge in found.merges:
        end = found.leads_to(merge.merged)
        assert end in found.members or found.out[end].reason in ("ignored", "emptied")


def test_no_ruling_is_the_base() -> None:
    base = made_up_base([3, 2, 4])
    found = projected(base, [])
    assert dict(found.members) == dict(base.members)
    assert (found.out, found.merges, found.faces, found.touched) == ({}, (), {}, frozenset())


def test_a_merge_marks_what_it_brings_and_a_later_one_carries_it_on() -> None:
    base = made_up_base([2, 2, 2])
    first = ruling("same", names={"a": ONE, "b": TWO}, keeper="b")
    second = ruling("same", names={"a": TWO, "b": THREE}, keeper="b", place=2)
    found = projected(base, [first, second])
    assert found.merges == (Merge(ONE, TWO), Merge(TWO, THREE))
    how = {face_id: how for face_id, (_, how) in found.members[THREE].items()}
    assert how["001-0"] == MARK + ONE
    assert how["002-0"] == MARK + TWO
    assert projected(base, [second]).members[ONE] == base.members[ONE]


def test_a_face_goes_with_the_newest_ruling() -> None:
    base = made_up_base([3, 2, 2])
    to_two = ruling("assign", face("001-0", "face"), names={STANDS_FOR: TWO})
    to_three = ruling("assign", face("001-0", "face"), names={STANDS_FOR: THREE}, place=2)
    found = projected(base, [to_two, to_three])
    assert "001-0" in found.members[THREE]
    assert "001-0" not in found.members[TWO]
    assert found.members[THREE]["001-0"] == ("a", f"{RULED}R2")


def test_a_name_follows_the_faces_when_its_identity_is_gone() -> None:
    base = made_up_base([3, 2, 2])
    anchors = [face(one, STANDS_FOR) for one in base.members[ONE]]
    named = ruling("name", *anchors, names={STANDS_FOR: ONE}, text="Anna")
    gone = {name: rows for name, rows in base.members.items() if not name.startswith(ONE)}
    anew = Base(base.identities, {**gone, TWO: {**gone[TWO], **base.members[ONE]}}, base.labels, {})
    assert projected(anew, [named]).labels[TWO] == "Anna"


def test_an_ignored_person_takes_the_eras_along() -> None:
    base = made_up_base([3, 2, 2])
    found = projected(base, [ruling("ignore", names={STANDS_FOR: ONE})])
    assert {name: out.reason for name, out in found.out.items()} == {ONE: "ignored", f"{ONE}_era_2010": "ignored"}
    assert {one.state for one in found.faces.values()} == {"ignored"}
