"""Where a decoder puts its pixels, and whom it asks before it takes much memory."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Room(Protocol):
    """What surrounds a decoder."""

    def need(self, needed_bytes: int, /) -> None:
        """Called before so much memory is taken in all. Raises `PhotoError` where there is none."""
        ...

    def pixels(self, height: int, width: int, /) -> NDArray[np.uint8]:
        """An array (h, w, 3), its values not set, for the pixels that are handed on."""
        ...


class OwnMemory:
    """Implements `Room`: memory of this process, as much as it gets."""

    def need(self, needed_bytes: int, /) -> None:
        """Grants all."""

    def pixels(self, height: int, width: int, /) -> NDArray[np.uint8]:
        """A new array."""
        return np.empty((height, width, 3), np.uint8)
