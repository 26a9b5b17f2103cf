"""A recogniser's numbers from made-up faces whose distances are known."""

import numpy as np
import pytest

from facesets_dagster.identities.calibration import (
    BOUND,
    CROWD_RATES,
    MARGIN,
    Calibration,
    KnownFaces,
    Search,
    calibrate,
    half_of,
)
from facesets_dagster.identities.geometry import normalised
from facesets_dagster.identities.strangers import distances_of_pairs, distances_to_groups, strangers_of

DIM, PEOPLE, EACH, CROWD = 64, 60, 8, 300


def made_up(spread: float = 0.55, seed: int = 1) -> KnownFaces:
    """60 people with 8 faces each among 300 strangers, whose vectors are random directions."""
    rng = np.random.default_rng(seed)
    centres = normalised(rng.normal(size=(PEOPLE, DIM)))
    noise = normalised(rng.normal(size=(PEOPLE * EACH, DIM)))
    faces = np.repeat(centres, EACH, axis=0) + spread * noise
    unit = normalised(np.concatenate([faces, rng.normal(size=(CROWD, DIM))]))
    people = np.concatenate([np.repeat(np.arange(PEOPLE), EACH), np.full(CROWD, -1)])
    return KnownFaces(unit, np.full(len(unit), 20.0), people, [f"person {place}" for place in range(PEOPLE)])


@pytest.fixture(scope="module")
def found() -> Calibration:
    return calibrate(made_up(), lambda text: None)


def test_the_numbers_keep_the_bound_on_people_who_were_not_chosen_on(found: Calibration) -> None:
    assert found.scores.wrong_merges <= BOUND
    assert found.scores.bcubed_f > 0.99
    assert len(found.crossed) == 2
    for one in found.crossed:
        assert one.scores.wrong_merges <= BOUND
        assert one.scores.bcubed_f > 0.98


def test_each_distance_is_the_loosest_less_the_margin_and_within_what_a_crowd_allows(found: Calibration) -> None:
    for curve in found.curves:
        at = [value for value, scores in zip(curve.values, curve.scores, strict=True) if value <= curve.loosest]
        assert at
        assert all(one.wrong_merges <= BOUND for one in curve.scores[: len(at)])
        assert curve.chosen <= round(curve.loosest - MARGIN, 3) + 1e-9
        assert curve.crowd is None or curve.chosen <= round(curve.crowd, 2)
        assert found.numbers[curve.name] == curve.chosen
    assert found.curves[0].name == "cluster_distance"


def test_distances_of_covering_and_outliers_follow_the_strangers(found: Calibration) -> None:
    cover, export, outlier = (
        found.numbers[name] for name in ("cover_distance", "export_outlier_distance", "outlier_distance")
    )
    assert cover < export < outlier
    assert np.isclose(cover, found.strangers.distance_at(CROWD_RATES["cover_distance"]), atol=0.01)


def test_people_who_look_alike_make_the_numbers_tighter() -> None:
    faces = made_up()
    alike = faces.unit.copy()
    for pair in range(0, PEOPLE, 2):  # every second person becomes a brother of the one before
        rows = slice(EACH * (pair + 1), EACH * (pair + 2))
        alike[rows] = normalised(alike[rows] + 0.9 * alike[EACH * pair : EACH * (pair + 1)].mean(axis=0))
    brothers = KnownFaces(alike, faces.norms, faces.people, faces.names)
    apart, near = Search(faces).choose(faces.people)[0], Search(brothers).choose(faces.people)[0]
    assert near["cluster_distance"] < apart["cluster_distance"]
    assert Search(brothers).score(near, faces.people).wrong_merges <= BOUND


def test_the_same_faces_in_another_order_give_the_same_numbers(found: Calibration) -> None:
    faces = made_up()
    order = np.random.default_rng(3).permutation(len(faces.unit))
    again = calibrate(
        KnownFaces(faces.unit[order], faces.norms[order], faces.people[order], faces.names), lambda text: None
    )
    assert again.numbers == found.numbers


def test_halves_are_by_name_and_nobody_is_in_both() -> None:
    faces = made_up()
    first, second = faces.of_half(0), faces.of_half(1)
    assert not ((first >= 0) & (second >= 0)).any()
    assert ((first >= 0) | (second >= 0)).sum() == PEOPLE * EACH
    assert half_of("Anna") == half_of("Anna")


def test_the_tail_of_strangers_is_near_the_rates_that_are_seen_and_falls_beyond() -> None:
    faces = made_up()
    far, own = distances_to_groups(faces.unit, faces.people, 4)
    assert len(own) == PEOPLE * EACH
    assert len(far) == PEOPLE * EACH * (PEOPLE - 1)
    tail = strangers_of(far)
    seen = float(np.quantile(far, 1e-3))
    assert abs(tail.distance_at(1e-3) - seen) < 0.02
    assert tail.distance_at(1e-8) < tail.distance_at(1e-6) < tail.distance_at(1e-4) < tail.distance_at(1e-2)


def test_pairs_are_counted_once_and_by_person() -> None:
    faces = made_up()
    apart, together = distances_of_pairs(faces.unit, faces.people)
    known = PEOPLE * EACH
    assert len(together) == PEOPLE * EACH * (EACH - 1) // 2
    assert len(apart) + len(together) == known * (known - 1) // 2
