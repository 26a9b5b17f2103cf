"""The numbers of a recogniser from labelled faces, by the errors of the whole clustering in a crowd.

Each number is the loosest at which the wrong pairs in the clusters of all faces are within a bound, less a
margin; and it lets in no more strangers than a crowd of thousands allows, by the tail of the distances between
strangers (`strangers`): a folder of some hundred people does not hold the look-alikes of ten thousand. People are
divided into halves by their names: what is chosen on one half is scored on the other.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.joining import JoinRule, join_pieces
from facesets_dagster.identities.scores import Scores, score_groups
from facesets_dagster.identities.strangers import (
    Strangers,
    distances_of_pairs,
    distances_to_groups,
    strangers_of,
)
from facesets_dagster.linkage import average_merges

BOUND = 0.001
"""Most pairs of two people in one cluster, for each pair of one person that there is."""
MARGIN = 0.03
"""Taken from the loosest distance that keeps the bound."""
QUALITY_GAIN = 0.3
"""See `JoinRule`; measured in docs/decisions/two-stages.md."""
JOINS = ("join_two_faces", "join_face_and_group", "join_two_groups")
CROWD_RATES = {
    "join_two_faces": 1e-6,
    "join_face_and_group": 1e-6,
    "join_two_groups": 1e-7,
    "cover_distance": 1e-8,
    "export_outlier_distance": 1e-6,
    "outlier_distance": 1e-4,
}
"""Share of strangers within each distance, at most: of pairs of faces for the first, else of a face and a person."""
COPY_RATE = 0.002
"""Share of pairs of one person's different photos that may be taken for near duplicates."""
GROUP = 4
"""A person of so many faces has a mean that is exact."""
STEP = 0.02
_FROM, _TO = 0.2, 0.9
_BEYOND = 0.06
"""A sweep ends so far beyond what the crowd allows."""
_FAR_BEYOND = 20
"""A sweep ends where the wrong pairs are so many times the bound."""
_ENOUGH_PAIRS = 1_000


@dataclass(frozen=True)
class KnownFaces:
    """Faces of which some are known by person; the others are part of the crowd."""

    unit: NDArray[np.float32]
    """(n, dim)"""
    norms: NDArray[np.float64]
    """(n,): lengths of the raw embeddings."""
    people: NDArray[np.int64]
    """(n,): number of the person in `names`, -1 = not known."""
    names: Sequence[str]

    def of_half(self, half: int) -> NDArray[np.int64]:
        """`people` with those of the other half as not known."""
        mine = np.array([half_of(name) == half for name in self.names], bool)
        return np.where((self.people >= 0) & mine[self.people], self.people, -1)


def half_of(name: str) -> int:
    """0 or 1: the half of the people that this one belongs to."""
    return int(hashlib.md5(name.encode(), usedforsecurity=False).hexdigest(), 16) % 2


@dataclass(frozen=True)
class Curve:
    """A number, and what clusters are like at each of its values, the numbers chosen before it fixed."""

    name: str
    values: list[float]
    scores: list[Scores]
    loosest: float
    """The last value of those that keep the bound, from the smallest on."""
    crowd: float | None
    """What the crowd allows; None where it does not limit."""
    chosen: float


@dataclass(frozen=True)
class Crossed:
    """Numbers chosen on one half of the people, and what they come to on the other."""

    numbers: dict[str, float]
    scores: Scores


@dataclass(frozen=True)
class Calibration:
    """Numbers by the names of `PackThresholds`, and what they rest on."""

    numbers: dict[str, float]
    curves: list[Curve]
    scores: Scores
    """Of the chosen numbers, on all people: what they were chosen on."""
    crossed: list[Crossed]
    strangers: Strangers
    """Of a face and a person's mean."""


def calibrate(faces: KnownFaces, say: Callable[[str], None]) -> Calibration:
    """The numbers for all people, with those of each half scored on the other half."""
    search = Search(faces)
    crossed = []
    for half in (0, 1):
        numbers, _ = search.choose(faces.of_half(half))
        crossed.append(Crossed(numbers, search.score(numbers, faces.of_half(1 - half))))
        say(f"chosen on one half of the people: {_listed(numbers)}; wrong pairs on the other half: "
            f"{crossed[-1].scores.wrong_merges:.4%}")  # fmt: skip
    numbers, curves = search.choose(faces.people)
    say(f"chosen on all: {_listed(numbers)}")
    numbers |= by_strangers(faces, search.groups)
    return Calibration(numbers, curves, search.score(numbers, faces.people), crossed, search.groups)


def _listed(numbers: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in numbers.items())


def by_strangers(faces: KnownFaces, groups: Strangers) -> dict[str, float]:
    """The numbers that no clustering measures: covering, outliers, near duplicates."""
    found = {
        name: round(groups.distance_at(CROWD_RATES[name]), 2)
        for name in ("cover_distance", "outlier_distance", "export_outlier_distance")
    }
    _, together = distances_of_pairs(faces.unit, faces.people)
    different = together[together > 0.01]
    if len(different) >= _ENOUGH_PAIRS:
        found["near_duplicate_similarity"] = round(max(0.9, 1 - float(np.quantile(different, COPY_RATE))), 2)
    return found


class Search:
    """Values of one number after the other, on one set of faces whose first stage is made once."""

    def __init__(self, faces: KnownFaces) -> None:
        self._faces = faces
        self.good_norm = round(float(np.median(faces.norms[faces.people >= 0])), 1)
        self._quality = faces.norms / self.good_norm
        self._merges = average_merges(faces.unit, _TO)
        self._last: tuple[float, NDArray[np.int64]] | None = None
        self.groups = strangers_of(distances_to_groups(faces.unit, faces.people, GROUP)[0])
        self.singles = strangers_of(distances_of_pairs(faces.unit, faces.people)[0])

    def labels(self, numbers: dict[str, float]) -> NDArray[np.int64]:
        """Clusters (n,) of all faces at these numbers; a distance for joining that is not there is 0."""
        cut = numbers["cluster_distance"]
        if self._last is None or self._last[0] != cut:
            self._last = cut, self._merges.labels_at(cut)
        two_faces, face_and_group, two_groups = (numbers.get(name, 0.0) for name in JOINS)
        if max(two_faces, face_and_group, two_groups) == 0:
            return self._last[1]
        rule = JoinRule(two_faces, face_and_group, two_groups, QUALITY_GAIN)
        return join_pieces(self._faces.unit, self._quality, self._last[1], rule).labels

    def score(self, numbers: dict[str, float], people: NDArray[np.int64]) -> Scores:
        """Of the clusters at these numbers against these people (n,)."""
        return score_groups(self.labels(numbers), people)

    def choose(self, people: NDArray[np.int64]) -> tuple[dict[str, float], list[Curve]]:
        """The distances of both stages: the safest kind of join is chosen first."""
        numbers: dict[str, float] = {}
        curves = []
        for name, strangers in (
            ("cluster_distance", None),
            ("join_two_groups", self.groups),
            ("join_face_and_group", self.groups),
            ("join_two_faces", self.singles),
        ):
            crowd = strangers.distance_at(CROWD_RATES[name]) if strangers else None
            curve = self._sweep(name, numbers, people, crowd)
            numbers[name] = curve.chosen
            curves.append(curve)
        # Two means are known better than a mean and a face.
        numbers["join_two_groups"] = min(numbers["join_two_groups"], numbers["join_face_and_group"])
        return {**numbers, "join_quality_gain": QUALITY_GAIN, "good_norm": self.good_norm}, curves

    def _sweep(self, name: str, numbers: dict[str, float], people: NDArray[np.int64], crowd: float | None) -> Curve:
        values: list[float] = []
        scores: list[Scores] = []
        loosest, kept = 0.0, True
        for value in (float(round(one, 3)) for one in np.arange(_FROM, _TO, STEP)):
            found = self.score({**numbers, name: value}, people)
            values.append(value)
            scores.append(found)
            kept &= found.wrong_merges <= BOUND
            loosest = value if kept else loosest
            if found.wrong_merges > _FAR_BEYOND * BOUND or (crowd is not None and value > crowd + _BEYOND):
                break
        chosen = max(loosest - MARGIN, 0.0)
        return Curve(name, values, scores, loosest, crowd, round(chosen if crowd is None else min(chosen, crowd), 2))
