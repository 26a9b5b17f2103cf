"""How long the linkage is in its matrix product, at which rate, and what this machine's best product does."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from types import TracebackType
from typing import Any

import numpy as np

from facesets_dagster.linkage import finders, products
from facesets_dagster.threads import cores

_SHAPES = ((1024, 1024), (1024, 4096), (2048, 2048), (512, 1024))


class ProductClock:
    """Times every product of tiles while it is entered."""

    def __init__(self) -> None:
        self.seconds, self.processor_seconds, self.operations = 0.0, 0.0, 0.0
        self.width, self.integer = 0, False
        self._lock = Lock()
        self._kept = (finders.integer_session, finders.float_session)
        self._near = {kind: kind.near for kind in (finders._CodeTiles, finders._FloatTiles)}

    def __enter__(self) -> "ProductClock":
        integer, floating = self._kept
        finders.integer_session = lambda: _Timed(integer(), self, True)  # type: ignore[assignment]
        finders.float_session = lambda: _Timed(floating(), self, False)  # type: ignore[assignment]
        for kind, near in self._near.items():
            kind.near = self._measured(near)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        finders.integer_session, finders.float_session = self._kept  # type: ignore[assignment]
        for kind_of_tiles, near in self._near.items():
            kind_of_tiles.near = near

    def _measured(self, near: Callable[..., finders.TilePositions]) -> Callable[..., finders.TilePositions]:
        def measured(tiles: Any, tile: int) -> finders.TilePositions:
            self.width = tiles._left.shape[1]
            return near(tiles, tile)

        return measured

    def add(self, seconds: float, worked: float, cells: int, integer: bool) -> None:
        with self._lock:
            self.seconds += seconds
            self.processor_seconds += worked
            self.operations += 2.0 * cells * self.width
            self.integer = integer

    def seconds_per_core(self) -> float:
        return self.seconds / cores()

    def rate(self) -> float | None:
        """Giga-operations per second, all cores together."""
        return self.operations / self.seconds_per_core() / 1e9 if self.seconds else None


class _Timed:
    """A session whose bound runs are timed."""

    def __init__(self, session: Any, clock: ProductClock, integer: bool) -> None:
        self._session, self._clock, self._integer = session, clock, integer

    def io_binding(self) -> Any:
        return self._session.io_binding()

    def run_with_iobinding(self, bound: Any) -> None:
        start, worked = time.perf_counter(), time.thread_time()
        self._session.run_with_iobinding(bound)
        seconds, worked = time.perf_counter() - start, time.thread_time() - worked
        rows, columns = bound.get_outputs()[0].shape()
        self._clock.add(seconds, worked, rows * columns, self._integer)


def best_rate(integer: bool, dim: int = 512) -> float:
    """Giga-operations per second of the best of some shapes, a session of one thread called by every core at once."""
    return max(_rate(integer, rows, columns, dim) for rows, columns in _SHAPES)


def _rate(integer: bool, rows: int, columns: int, dim: int, seconds: float = 1.0) -> float:
    numbers = np.random.default_rng(0)
    if integer:
        session = products.integer_session()
        feed = {
            "codes": numbers.integers(1, 255, (rows, dim), np.uint8),
            "others": numbers.integers(-127, 128, (dim, columns), np.int8),
            "zero": np.array(128, np.uint8),
        }
    else:
        session = products.float_session()
        feed = {
            "rows": numbers.standard_normal((rows, dim), np.float32),
            "others": numbers.standard_normal((columns, dim), np.float32),
        }

    def work(_: int) -> int:
        binding = session.io_binding()
        for name, values in feed.items():
            binding.bind_cpu_input(name, values)
        out = np.empty((rows, columns), np.int32 if integer else np.float32)
        binding.bind_output("product", "cpu", 0, out.dtype, out.shape, out.ctypes.data)
        session.run_with_iobinding(binding)
        runs, end = 0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            session.run_with_iobinding(binding)
            runs += 1
        return runs

    with ThreadPoolExecutor(cores()) as pool:
        start = time.perf_counter()
        runs = sum(pool.map(work, range(cores())))
        taken = time.perf_counter() - start
    return runs * 2.0 * rows * columns * dim / taken / 1e9
