"""Face models as faster graphs that compute the same. Pure: ONNX graph in, ONNX graph out; `faster` checks and uses it.

Two things cost time on a CPU without need. ONNX Runtime has no kernel for PReLU in the blocked layout of its
convolutions, so every PReLU brings two conversions of the whole activation with it; as multiplication, ReLU and sum it
stays in that layout. And a detector's heads run several convolutions with few outputs over the same input; as one
convolution the input is read once.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

Weights = dict[str, NDArray[np.generic]]


def rewrite(model: "onnx.ModelProto") -> int:
    """Rewrites the graph in place; how many nodes were replaced."""
    from onnx import numpy_helper

    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    return _replace_prelu(model.graph, weights) + _merge_convolutions(model, weights)


def _replace_prelu(graph: "onnx.GraphProto", weights: Weights) -> int:
    """PReLU with one slope a channel as `relu((1 - a) x) + a x`; with slopes over 1 as `(1 - a) relu(x) + a x`."""
    nodes: list[onnx.NodeProto] = []
    replaced = 0
    for node in graph.node:
        slope = weights.get(node.input[1]) if node.op_type == "PRelu" else None
        if slope is None or slope.ndim != 3 or slope.shape[1:] != (1, 1):
            nodes.append(node)
            continue
        nodes.extend(_rectified(graph, node, slope.astype(np.float32)))
        replaced += 1
    refill(graph.node, nodes)
    return replaced


def _rectified(
    graph: "onnx.GraphProto", node: "onnx.NodeProto", slope: NDArray[np.float32]
) -> Iterator["onnx.NodeProto"]:
    from onnx import helper

    source, (target,) = node.input[0], node.output
    low, high, rest, kept = (f"{target}_{part}" for part in ("low", "high", "rest", "kept"))
    _add_weight(graph, f"{target}_slope", slope)
    _add_weight(graph, f"{target}_rest_slope", 1 - slope)
    yield helper.make_node("Mul", [source, f"{target}_slope"], [low])
    if slope.max() <= 1:
        yield helper.make_node("Mul", [source, f"{target}_rest_slope"], [rest])
        yield helper.make_node("Relu", [rest], [high])
    else:
        yield helper.make_node("Relu", [source], [kept])
        yield helper.make_node("Mul", [kept, f"{target}_rest_slope"], [high])
    yield helper.make_node("Add", [low, high], [target])


def _merge_convolutions(model: "onnx.ModelProto", weights: Weights) -> int:
    """Convolutions of one input with equal kernels and attributes as one, split again behind it."""
    graph = model.graph
    groups: dict[tuple[object, ...], list[int]] = {}
    for index, node in enumerate(graph.node):
        if _is_plain_convolution(node, weights):
            groups.setdefault(_likeness(node, weights), []).append(index)
    merged = {indices[0]: indices for indices in groups.values() if len(indices) > 1}
    gone = {index for indices in merged.values() for index in indices}
    version = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    nodes: list[onnx.NodeProto] = []
    for index, node in enumerate(graph.node):
        if index in merged:
            nodes.extend(_merged(graph, [graph.node[other] for other in merged[index]], weights, version))
        elif index not in gone:
            nodes.append(node)
    refill(graph.node, nodes)
    return len(gone)


def _is_plain_convolution(node: "onnx.NodeProto", weights: Weights) -> bool:
    """Ungrouped, with constant weights."""
    group = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
    return node.op_type == "Conv" and group == 1 and all(name in weights for name in node.input[1:])


def _likeness(node: "onnx.NodeProto", weights: Weights) -> tuple[object, ...]:
    attributes = tuple(sorted(attribute.SerializeToString(deterministic=True) for attribute in node.attribute))
    return node.input[0], len(node.input), weights[node.input[1]].shape[1:], attributes


def _merged(
    graph: "onnx.GraphProto", alike: list["onnx.NodeProto"], weights: Weights, version: int
) -> Iterator["onnx.NodeProto"]:
    from onnx import helper

    first = alike[0]
    name = f"{first.output[0]}_merged"
    inputs = [first.input[0]]
    for index in range(1, len(first.input)):
        inputs.append(f"{name}_{index}")
        _add_weight(graph, inputs[-1], np.concatenate([weights[node.input[index]] for node in alike]))
    convolution = helper.make_node("Conv", inputs, [name])
    convolution.attribute.extend(first.attribute)
    yield convolution
    sizes = [weights[node.input[1]].shape[0] for node in alike]
    outputs = [node.output[0] for node in alike]
    if version < 13:
        yield helper.make_node("Split", [name], outputs, axis=1, split=sizes)
        return
    _add_weight(graph, f"{name}_sizes", np.array(sizes, np.int64))
    yield helper.make_node("Split", [name, f"{name}_sizes"], outputs, axis=1)


def _add_weight(graph: "onnx.GraphProto", name: str, values: NDArray[np.generic]) -> None:
    from onnx import numpy_helper

    graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values), name))


def refill(field: Any, messages: Sequence[Any]) -> None:
    """Makes a repeated field of a graph hold these messages, some of which may be its own."""
    kept = [type(message).FromString(message.SerializeToString()) for message in messages]
    del field[:]
    field.extend(kept)
