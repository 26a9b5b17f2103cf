"""Finders of near rows: a product of two tiles, and the positions in it that are similar enough.

A finder returns every near pair; a few that are not quite near may be among them. Two ways: products of 8-bit codes,
or of float32.
"""

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.errors import SettingsError
from facesets_dagster.linkage.codes import encode
from facesets_dagster.linkage.products import float_session, integer_limit, integer_session, is_exact

TilePositions = tuple[NDArray[np.int32], NDArray[np.int32]]
"""Row within its tile, column within its tile."""

Arithmetic = Literal["auto", "int8", "int7", "float32"]
"""How products of tiles are made; `auto` takes what is fastest on this CPU."""

_LIMITS = {"int8": 127, "int7": 63, "float32": None}
"""The largest code of an arithmetic."""
_TILE = 1024
"""Rows of a tile: the codes and the product of two nearly fit a second-level cache."""
_FLOAT_ROUNDING = 1e-4
"""How far a float32 product of unit rows may be from the true one, whatever the order of its sums."""
_SMALL = 4096
"""So few rows take less time than finding out which arithmetic is the faster."""


class TileFinder(Protocol):
    """Used by one worker at a time."""

    def take_rows(self, tile: int) -> None:
        """Sets the tile whose rows are compared."""

    def near(self, tile: int) -> TilePositions:
        """Rows and columns of pairs with that tile; of the tile with itself each once. Valid until called again."""


class Finder(Protocol):
    """Opened once per worker."""

    tile: int
    """Rows of a tile."""

    def open(self) -> TileFinder:
        """A finder with buffers of its own."""


def choose_finder(unit: NDArray[np.float32], keep: float, arithmetic: Arithmetic) -> Finder:
    """The finder for pairs of unit rows (n, dim) with a similarity >= `keep`; all find the same pairs.

    Raises `SettingsError` if products of the chosen codes overflow on this CPU.
    """
    if arithmetic == "auto":
        limit = integer_limit(unit.shape[1]) if len(unit) > _SMALL else None
    else:
        limit = _LIMITS[arithmetic]
        if limit is not None and not is_exact(unit.shape[1], limit):
            raise SettingsError(
                f"Products of {arithmetic} codes overflow on this CPU, and near pairs would be lost. Use `auto`, "
                "`int7` or `float32`."
            )
    return FloatFinder(unit, keep) if limit is None else CodeFinder(unit, keep, limit)


class _Scanner:
    """A buffer for products and one for the positions found in them."""

    def __init__(self, kind: type[np.int32] | type[np.float32]) -> None:
        self._product = np.empty(_TILE * _TILE, kind)
        self._rows, self._columns = np.empty(1 << 16, np.int32), np.empty(1 << 16, np.int32)

    def room(self, rows: int, columns: int) -> NDArray[np.number]:
        return self._product[: rows * columns].reshape(rows, columns)

    def scan(self, product: NDArray[np.number], thresholds: NDArray[np.number], diagonal: bool) -> TilePositions:
        from facesets_dagster.linkage import kernels

        found = int(kernels.scan(product, thresholds, diagonal, self._rows, self._columns))
        if found > len(self._rows):
            self._rows, self._columns = np.empty(found, np.int32), np.empty(found, np.int32)
            kernels.scan(product, thresholds, diagonal, self._rows, self._columns)
        return self._rows[:found], self._columns[:found]


class CodeFinder:
    """By products of integer codes, which bound the true ones."""

    def __init__(self, unit: NDArray[np.float32], keep: float, limit: int) -> None:
        self.tile = _TILE
        self.codes = encode(unit, limit, _TILE)
        self.keep = keep

    def open(self) -> TileFinder:
        """A worker's buffers."""
        return _CodeTiles(self)


class _CodeTiles:
    def __init__(self, finder: CodeFinder) -> None:
        self._codes, self._keep = finder.codes, finder.keep
        self._scanner, self._tile = _Scanner(np.int32), -1
        self._run = integer_session().io_binding()
        self._zero = np.array(self._codes.limit + 1, np.uint8)
        self._run.bind_cpu_input("zero", self._zero)

    def take_rows(self, tile: int) -> None:
        self._tile, self._left = tile, self._codes.left(tile)
        self._run.bind_cpu_input("codes", self._left)

    def near(self, tile: int) -> TilePositions:
        others = self._codes.tiles[tile]
        product = self._scanner.room(len(self._left), others.shape[1])
        self._run.bind_cpu_input("others", others)
        self._run.bind_output("product", "cpu", 0, np.int32, product.shape, product.ctypes.data)
        integer_session().run_with_iobinding(self._run)
        thresholds = self._codes.thresholds(_rows(self._tile, _TILE), _rows(tile, _TILE), self._keep)
        return self._scanner.scan(product, thresholds, tile == self._tile)


class FloatFinder:
    """By float32 products."""

    def __init__(self, unit: NDArray[np.float32], keep: float) -> None:
        self.tile = _TILE
        self.unit, self.keep = unit, keep

    def open(self) -> TileFinder:
        """A worker's buffers."""
        return _FloatTiles(self)


class _FloatTiles:
    def __init__(self, finder: FloatFinder) -> None:
        self._unit, self._scanner, self._tile = finder.unit, _Scanner(np.float32), -1
        self._thresholds = np.full(_TILE, finder.keep - _FLOAT_ROUNDING, np.float32)
        self._run = float_session().io_binding()

    def take_rows(self, tile: int) -> None:
        self._tile, self._left = tile, self._unit[_rows(tile, _TILE)]
        self._run.bind_cpu_input("rows", self._left)

    def near(self, tile: int) -> TilePositions:
        others = self._unit[_rows(tile, _TILE)]
        product = self._scanner.room(len(self._left), len(others))
        self._run.bind_cpu_input("others", others)
        self._run.bind_output("product", "cpu", 0, np.float32, product.shape, product.ctypes.data)
        float_session().run_with_iobinding(self._run)
        return self._scanner.scan(product, self._thresholds, tile == self._tile)


def _rows(tile: int, size: int) -> slice:
    return slice(tile * size, (tile + 1) * size)
