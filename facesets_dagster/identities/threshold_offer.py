"""When answers speak for another threshold, and how far it may go. Pure.

It is offered with what speaks for it and against it, and taken by a person. It never goes beyond the distance at which
two faces of one photo would be joined that are not yet.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.cards import Card
from facesets_dagster.identities.chances import Chances, Told
from facesets_dagster.linkage import Merges, connected

FEWEST_ANSWERS = 12
LEAST_CHANGE = 0.03
"""Of the distance: less is not worth a question."""
_STEP = 0.01


def photo_limit(merges: Merges, pairs: NDArray[np.int64], cut: float) -> float:
    """The largest distance at which no further pair (m, 2) of faces of one photo is joined.

    Pairs that are joined at `cut` do not count: collages and mirrors. `merges` reach as far as a threshold may go.
    """
    joined = connected(merges.count, *_ends(merges, cut))
    open_ones = pairs[joined[pairs[:, 0]] != joined[pairs[:, 1]]]
    high, low = len(merges.heights), int(np.searchsorted(merges.heights, cut, side="left"))
    while low < high:  # the first merges by which a pair of them comes together
        middle = (low + high + 1) // 2
        labels = connected(merges.count, merges.pairs[:middle, 0], merges.pairs[:middle, 1])
        if (labels[open_ones[:, 0]] == labels[open_ones[:, 1]]).any():
            high = middle - 1
        else:
            low = middle
    return float(merges.heights[low]) if low < len(merges.heights) else merges.distance_threshold


def threshold_card(chances: Chances, current: float, limit: float, *, offered_at: int = 0) -> Card | None:
    """A card that offers the even distance of the answers instead of `current`, if they say so.

    `limit`: see `photo_limit`; `offered_at`: answers there were at the last offer: as many as at first are awaited
    before the next one.
    """
    told = chances.told
    if len(told) < offered_at + FEWEST_ANSWERS:
        return None
    new = round(float(np.floor(min(chances.even_distance(), limit) / _STEP)) * _STEP, 2)
    gain, harm = _weighed(told, current, new)
    if abs(new - current) <= LEAST_CHANGE or gain <= harm:
        return None
    numbers = {"old": current, "new": new, "answers": len(told), "gain": gain, "harm": harm, "photo_limit": limit}
    return Card(card_id=f"threshold:{new:g}", kind="threshold", sides=(), numbers=numbers)


def _weighed(told: Sequence[Told], current: float, new: float) -> tuple[int, int]:
    """Answers that the new distance would make true, and those that it would make wrong."""
    low, high = min(current, new), max(current, new)
    between = [one.same for one in told if low <= one.likeness.distance < high]
    right = sum(between) if new > current else between.count(False)
    return right, len(between) - right


def _ends(merges: Merges, cut: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    made = int(np.searchsorted(merges.heights, cut, side="left"))
    return merges.pairs[:made, 0], merges.pairs[:made, 1]
