"""Periods of one identity's life. (The helper that writes the algorithm replaces this file.)"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Anchor:
    """What an era was seeded with; never re-centred."""

    centroid: NDArray[np.float32]
    year: float
    first_year: int
    last_year: int
