"""What is said of one face of a group holds for all; who is not a member's person is refused to it."""

from facesets_dagster.identities.bindings import NO_BINDINGS, Bindings
from facesets_dagster.identities.consequences import completed

PAIR = frozenset({("b", "c")})


def test_a_group_with_a_member_belongs_to_whose_it_is() -> None:
    said = completed(Bindings(together=(frozenset({"a", "b"}),)), {"faceset_020": {"a", "z"}})
    assert said.belongs == {"b": "faceset_020"}


def test_a_group_with_members_of_two_people_waits_for_a_merge() -> None:
    said = completed(Bindings(together=(frozenset({"a", "b", "c"}),)), {"faceset_020": {"a"}, "faceset_021": {"b"}})
    assert said.belongs == {}


def test_who_is_apart_from_a_member_or_a_face_given_to_somebody_is_refused_to_them() -> None:
    by_member = completed(Bindings(apart=PAIR), {"faceset_020": {"b"}})
    assert by_member.refused == {"c": frozenset({"faceset_020"})}
    by_ruling = completed(Bindings(apart=PAIR, belongs={"c": "faceset_021"}), {})
    assert by_ruling.refused == {"b": frozenset({"faceset_021"})}


def test_groups_carry_refusals_both_ways() -> None:
    groups = (frozenset({"a", "b"}), frozenset({"c", "d"}))
    said = completed(Bindings(together=groups, apart=PAIR, refused={"a": frozenset({"x"})}), {"faceset_020": {"d"}})
    assert said.refused["a"] == said.refused["b"] == {"x", "faceset_020"}
    assert "c" not in said.refused


def test_a_group_with_an_ignored_face_is_ignored_unless_somebody_has_it() -> None:
    said = Bindings(together=(frozenset({"a", "b"}),), ignored={"a": "r1"})
    assert completed(said, {}).ignored == {"a": "r1", "b": "r1"}
    assert completed(said, {"faceset_020": {"b"}}).ignored == {"a": "r1"}


def test_nothing_follows_from_nothing() -> None:
    assert completed(NO_BINDINGS, {"faceset_020": {"a"}}) is NO_BINDINGS
