"""Two loops written as LLVM vectors, where numba's own are too slow or depend on the CPU.

`dot` decides, so it has the same bits everywhere: 64 partial sums, then a tree. numba's loops are either in order and
ten times slower, or (`fastmath`) summed as the registers of the CPU happen to be wide. No multiply and add are fused,
for not every CPU can. `any_reaches` looks at 64 numbers at once. Imports numba: import it inside a function.
"""

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types  # noqa: TID253  (this module is imported lazily)
from numba.core.errors import TypingError  # noqa: TID253
from numba.extending import intrinsic  # noqa: TID253

from facesets_dagster.linkage.width import WIDTH

_LANES = 16
_PARTS = WIDTH // _LANES
_ROW = types.Array(types.float32, 1, "C")


def _sum(builder: ir.IRBuilder, vector: ir.Value, lanes: int) -> ir.Value:
    """The lanes of a vector, halves added to each other."""
    while lanes > 1:
        lanes //= 2
        low, high = (
            builder.shuffle_vector(
                vector, vector, ir.Constant(ir.VectorType(ir.IntType(32), lanes), list(range(at, at + lanes)))
            )
            for at in (0, lanes)
        )
        vector = builder.fadd(low, high)
    return builder.extract_element(vector, ir.IntType(32)(0))


@intrinsic
def dot(typingctx, a, b):  # type: ignore[no-untyped-def]
    """Dot product of two contiguous float32 rows of one length, a multiple of `WIDTH`."""
    if a != _ROW or b != _ROW:
        raise TypingError(f"dot takes contiguous float32 rows, not {a} and {b}.")

    def code(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        first, second = (context.make_array(_ROW)(context, builder, value) for value in arguments)
        length = builder.extract_value(first.shape, 0)
        vector = ir.VectorType(ir.FloatType(), _LANES)
        zero, step = ir.Constant(vector, [0.0] * _LANES), length.type(_LANES * _PARTS)
        before, loop, after = builder.block, builder.append_basic_block("dot"), builder.append_basic_block("sum")
        builder.cbranch(builder.icmp_signed(">", length, length.type(0)), loop, after)
        builder.position_at_end(loop)
        at = builder.phi(length.type)
        at.add_incoming(length.type(0), before)
        sums = [builder.phi(vector) for _ in range(_PARTS)]
        added = []
        for part, partial in enumerate(sums):
            partial.add_incoming(zero, before)
            offset = builder.add(at, length.type(part * _LANES))
            x, y = (
                builder.load(builder.bitcast(builder.gep(row.data, [offset]), vector.as_pointer()), align=4)
                for row in (first, second)
            )
            added.append(builder.fadd(partial, builder.fmul(x, y)))
            partial.add_incoming(added[-1], loop)
        following = builder.add(at, step)
        at.add_incoming(following, loop)
        builder.cbranch(builder.icmp_signed("<", following, length), loop, after)
        builder.position_at_end(after)
        ends = []
        for value in added:
            end = builder.phi(vector)
            end.add_incoming(zero, before)
            end.add_incoming(value, loop)
            ends.append(end)
        total = builder.fadd(builder.fadd(ends[0], ends[2]), builder.fadd(ends[1], ends[3]))
        return _sum(builder, total, _LANES)

    return types.float32(a, b), code


@intrinsic
def any_reaches(typingctx, line, left, threshold):  # type: ignore[no-untyped-def]
    """Whether one of `line[left : left + 64]` is `threshold` or more; int32 or float32, no bounds are checked."""
    if line.dtype != threshold or threshold not in (types.int32, types.float32):
        raise TypingError(f"any_reaches takes int32 or float32 twice, not {line} and {threshold}.")

    def code(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        row = context.make_array(line)(context, builder, arguments[0])
        number = arguments[2].type
        vector, lanes = ir.VectorType(number, _LANES), ir.VectorType(ir.IntType(32), _LANES)
        one = builder.insert_element(ir.Constant(vector, ir.Undefined), arguments[2], ir.IntType(32)(0))
        least = builder.shuffle_vector(one, one, ir.Constant(lanes, [0] * _LANES))
        reached = ir.Constant(ir.VectorType(ir.IntType(1), _LANES), [0] * _LANES)
        for part in range(_PARTS):
            offset = builder.add(arguments[1], arguments[1].type(part * _LANES))
            pointer = builder.bitcast(builder.gep(row.data, [offset]), vector.as_pointer())
            compare = builder.icmp_signed if isinstance(number, ir.IntType) else builder.fcmp_ordered
            reached = builder.or_(reached, compare(">=", builder.load(pointer, align=4), least))
        return builder.icmp_unsigned("!=", builder.bitcast(reached, ir.IntType(_LANES)), ir.IntType(_LANES)(0))

    return types.boolean(line, types.intp, threshold), code
