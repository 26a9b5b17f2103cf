"""When answers speak for another threshold, and how far it may go. Pure.

It is offered with what speaks for it and against it, and taken by a person. It never goes beyond the distance that
faces of one photo allow.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.cards import Card
from facesets_dagster.identities.chances import Chances, Told
from facesets_dagster.identities.same_photo import is_loose
from facesets_dagster.linkage import Merges, connected

FEWEST_ANSWERS = 12
LEAST_CHANGE = 0.03
"""Of the distance: less is not worth a question."""
_STEP = 0.01


def photo_limit(merges: Merges, pairs: NDArray[np.int64], photos: NDArray[np.int64], cut: float) -> float:
    """The largest distance that faces of one photo allow: at which no more of them are joined than by chance.

    `pairs` (m, 2): rows of one photo that are two people (`same_photo.PhotoFaces.pairs`); `photos` (n,): number of each
    row's photo. A few photos prove nothing (`same_photo.is_loose`): collages, mirrors, rows of men without hair. `cut`
    itself if it joins too many already. `merges` reach as far as a threshold may go.
    """
    could = len(np.unique(photos[pairs[:, 0]]))

    def allows(made: int) -> bool:
        labels = connected(merges.count, merges.pairs[:made, 0], merges.pairs[:made, 1])
        joined = labels[pairs[:, 0]] == labels[pairs[:, 1]]
        return not is_loose(len(np.unique(photos[pairs[joined, 0]])), could)

    low, high = int(np.searchsorted(merges.heights, cut, side="left")), len(merges.heights)
    if not allows(low):
        return cut
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if allows(middle) else (low, middle - 1)
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
