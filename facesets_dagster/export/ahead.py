"""Crops made ahead by several threads, and only those that will be needed.

`rendering.choose` needs one crop after the other, because a near-duplicate of an accepted one is not cropped at
all. Whoever resembles neither an accepted candidate nor one whose turn comes before is asked for whatever happens:
those of the next `WINDOW` are made together, each photo decoded once for all its faces. Of the reserve not more than
the set still lacks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.gates import Verdict
from facesets_dagster.threads import in_threads

WINDOW = 64

Crop = Callable[[int], bytes | Verdict]
"""Position of a candidate -> its PNG, or why there is none; called from several threads."""


@dataclass(frozen=True)
class Reserve:
    """The candidates that are asked only where a set is to be filled up."""

    start: int
    """Position of the first; those before it are asked whatever happens."""
    fill_to: int
    """So many accepted ones make a set full."""


class CropsAhead:
    """Implements `Crop` for positions in rising order, with accepted PNGs."""

    def __init__(
        self,
        crop: Crop,
        unit: NDArray[np.float32],
        photos: Sequence[str],
        near_duplicate: float,
        looks: NDArray[np.int64],
        reserve: Reserve,
    ) -> None:
        """`unit`: embeddings (n, dim) of the candidates, unit length; `photos`: the content of each.

        `looks` (n,): the number of the photo of which each one's is a copy.
        """
        self._crop = crop
        self._unit = unit
        self._photos = photos
        self._near_duplicate = near_duplicate
        self._looks = looks
        self._reserve = reserve
        self._accepted: list[int] = []
        self._made: dict[int, bytes | Verdict] = {}

    def __call__(self, place: int) -> bytes | Verdict:
        """The crop of the candidate at this position."""
        if place not in self._made:
            groups = self._by_photo(self._sure(place))
            for group, crops in zip(groups, in_threads(self._crops, groups), strict=True):
                self._made.update(zip(group, crops, strict=True))
        outcome = self._made.pop(place)
        if isinstance(outcome, bytes):
            self._accepted.append(place)
        return outcome

    def _sure(self, first: int) -> list[int]:
        """Positions from `first` on that will be needed and are not made yet."""
        window = np.arange(first, min(first + WINDOW, self._end(first)))
        others = np.concatenate([np.array(self._accepted, np.int64), window])
        alike = self._unit[window] @ self._unit[others].T >= self._near_duplicate
        alike |= self._looks[window][:, None] == self._looks[others]
        before = len(self._accepted)
        return [
            int(place)
            for number, place in enumerate(window)
            if place == first or (place not in self._made and not alike[number, : before + number].any())
        ]

    def _end(self, first: int) -> int:
        """Behind the last position that can be sure to be needed when it is the turn of `first`."""
        if first < self._reserve.start:
            return self._reserve.start
        return min(first + max(self._reserve.fill_to - len(self._accepted), 1), len(self._unit))

    def _by_photo(self, places: list[int]) -> list[list[int]]:
        groups: dict[str, list[int]] = {}
        for place in places:
            groups.setdefault(self._photos[place], []).append(place)
        return list(groups.values())

    def _crops(self, group: list[int]) -> list[bytes | Verdict]:
        return [self._crop(place) for place in group]
