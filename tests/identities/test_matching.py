"""Clusters find their identity again by who is in them."""

from hypothesis import given
from hypothesis import strategies as st

from facesets_dagster.identities.matching import match_by_overlap


def test_each_identity_is_given_once_and_ties_of_clusters_go_to_the_lower_key() -> None:
    clusters = {0: {"a", "b", "c"}, 1: {"d", "e"}}
    identities = {20: {"a", "b", "d", "e"}, 21: {"c"}}
    assert match_by_overlap(clusters, identities) == {0: 20}


def test_half_of_the_smaller_set_is_enough_and_less_is_not() -> None:
    assert match_by_overlap({0: {"a", "b", "x", "y"}}, {20: {"a", "b", "c", "d"}}) == {0: 20}
    assert match_by_overlap({0: {"a", "x", "y", "z"}}, {20: {"a", "b", "c", "d"}}) == {}


def test_ties_go_to_the_lower_number() -> None:
    assert match_by_overlap({5: {"a", "b"}}, {31: {"a", "c"}, 30: {"b", "d"}}) == {5: 30}


faces = st.sets(st.sampled_from("abcdefghij"), min_size=1)


@given(st.dictionaries(st.integers(0, 5), faces), st.dictionaries(st.integers(20, 25), faces))
def test_no_cluster_and_no_identity_is_matched_twice(clusters: dict, identities: dict) -> None:
    matched = match_by_overlap(clusters, identities)
    assert len(set(matched.values())) == len(matched)
    for key, number in matched.items():
        overlap = len(clusters[key] & identities[number])
        assert 2 * overlap >= min(len(clusters[key]), len(identities[number]))
