"""Products of tiles of rows through ONNX Runtime: 8-bit integers or float32, and which of the two this CPU is to use.

One session with one thread, called by as many workers as there are cores, each on a tile that stays in its own
cache: twice as fast as one call that shares a larger tile among threads.
"""

import time
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.onnx_sessions import open_session

if TYPE_CHECKING:
    import onnxruntime as ort

_CPU = "CPUExecutionProvider"

_TRIAL = (1024, 512)
"""Rows and columns of the matrices that decide which arithmetic is the faster."""


@lru_cache(maxsize=1)
def integer_session() -> "ort.InferenceSession":
    """`codes` (r, dim) uint8, less `zero`, times `others` (dim, c) int8: `product` (r, c) int32."""
    from onnx import TensorProto as Type
    from onnx import helper

    node = helper.make_node("MatMulInteger", ["codes", "others", "zero"], ["product"])
    inputs = [
        helper.make_tensor_value_info("codes", Type.UINT8, ["r", "k"]),
        helper.make_tensor_value_info("others", Type.INT8, ["k", "c"]),
        helper.make_tensor_value_info("zero", Type.UINT8, []),
    ]
    output = helper.make_tensor_value_info("product", Type.INT32, ["r", "c"])
    return open_session(_model(helper.make_graph([node], "integer", inputs, [output])), providers=(_CPU,), threads=1)


@lru_cache(maxsize=1)
def float_session() -> "ort.InferenceSession":
    """`rows` (r, dim) times the transpose of `others` (c, dim), both float32: `product` (r, c)."""
    from onnx import TensorProto as Type
    from onnx import helper

    node = helper.make_node("Gemm", ["rows", "others"], ["product"], transB=1)
    inputs = [helper.make_tensor_value_info(name, Type.FLOAT, [size, "k"]) for name, size in _SIDES]
    output = helper.make_tensor_value_info("product", Type.FLOAT, ["r", "c"])
    return open_session(_model(helper.make_graph([node], "float", inputs, [output])), providers=(_CPU,), threads=1)


_SIDES = (("rows", "r"), ("others", "c"))


def _model(graph: object) -> bytes:
    from onnx import helper

    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


@lru_cache(maxsize=8)
def integer_limit(dim: int) -> int | None:
    """The largest codes, 127 or 63, whose products this CPU makes faster than float32 ones; None: use float32.

    CPUs without 8-bit dot products add pairs of products in 16 bits, which overflow with 8-bit codes and do not with
    7-bit ones. So the product is compared with one that numpy makes of wide numbers, at the largest codes.
    """
    exact = next((limit for limit in (127, 63) if is_exact(dim, limit)), None)
    if exact is None:
        return None
    codes, others = _trial(dim, exact)
    rows, columns = codes.astype(np.float32), np.ascontiguousarray(others.T.astype(np.float32))
    zero = np.array(exact + 1, np.uint8)
    whole = _seconds(lambda: integer_session().run(None, {"codes": codes, "others": others, "zero": zero}))
    return exact if whole < _seconds(lambda: float_session().run(None, {"rows": rows, "others": columns})) else None


@lru_cache(maxsize=8)
def is_exact(dim: int, limit: int) -> bool:
    """Whether this CPU multiplies rows of `dim` codes up to `limit` without an overflow."""
    return products_are_exact(integer_product, dim, limit)


def products_are_exact(
    product: Callable[[NDArray[np.uint8], NDArray[np.int8], int], NDArray[np.int32]], dim: int, limit: int
) -> bool:
    """Whether a product of codes up to `limit` is that of the integers, where overflow would show."""
    codes, others = _trial(dim, limit)
    codes[:8], others[:, :8] = 2 * limit + 1, -limit
    codes[8:16], others[:, 8:16] = 1, limit
    true = (codes.astype(np.float64) - limit - 1) @ others.astype(np.float64)  # whole numbers far below 2^53
    return bool(np.array_equal(product(codes, others, limit), true))


def integer_product(codes: NDArray[np.uint8], others: NDArray[np.int8], limit: int) -> NDArray[np.int32]:
    """(r, dim) codes, each limit + 1 too large so as not to be negative, times (dim, c)."""
    feed = {"codes": codes, "others": others, "zero": np.array(limit + 1, np.uint8)}
    return np.asarray(integer_session().run(None, feed)[0])


def _trial(dim: int, limit: int) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
    numbers = np.random.default_rng(0)
    codes = numbers.integers(1, 2 * limit + 2, (_TRIAL[0], dim), np.uint8)
    return codes, numbers.integers(-limit, limit + 1, (dim, _TRIAL[1]), np.int8)


def _seconds(work: Callable[[], object]) -> float:
    """The least of three."""
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)
