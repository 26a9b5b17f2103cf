"""Block-quantised weights folded back to fp32, so that ONNX Runtime can run the file.

The int8 files of OpenCV Zoo store weights as int8 blocks with scales and zero points (DequantizeLinear with
`block_size`, opset 21), tensors reshaped to two dimensions first. ONNX Runtime refuses them.
Folding computes the fp32 weights once:
`(q - zero_point) * scale`, each scale repeated `block_size` times along `axis`.
"""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper


def fold_block_quantised(data: bytes, *, free_batch: bool) -> bytes:
    """The model with plain fp32 weights; `free_batch` frees the first dimension of its one real input.

    Initialisers listed among the graph's inputs are taken off that list. The same bytes in give the same bytes out.
    """
    model = onnx.load_from_string(data)
    graph = model.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    folded = _fold_nodes(graph, constants)
    kept = [node for node in graph.node if node.output[0] not in folded]
    used = {name for node in kept for name in node.input}
    del graph.node[:]
    graph.node.extend(kept)
    del graph.initializer[:]
    graph.initializer.extend(
        numpy_helper.from_array(np.ascontiguousarray(array), name)
        for name, array in sorted({**constants, **folded}.items())
        if name in used
    )
    inputs = [value for value in graph.input if value.name not in constants and value.name in used]
    del graph.input[:]
    graph.input.extend(inputs)
    if free_batch:
        for value in (*graph.input, *graph.output):
            value.type.tensor_type.shape.dim[0].dim_param = "batch"
        del graph.value_info[:]
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _fold_nodes(graph: onnx.GraphProto, constants: dict[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
    """Outputs of DequantizeLinear and of Reshape whose inputs are all constant."""
    folded: dict[str, NDArray[np.generic]] = {}
    for node in graph.node:
        known = {**constants, **folded}
        if not all(name in known for name in node.input):
            continue
        if node.op_type == "DequantizeLinear":
            folded[node.output[0]] = _dequantised(node, [known[name] for name in node.input])
        elif node.op_type == "Reshape":
            folded[node.output[0]] = known[node.input[0]].reshape(known[node.input[1]].tolist())
    return folded


def _dequantised(node: onnx.NodeProto, inputs: list[NDArray[np.generic]]) -> NDArray[np.float32]:
    attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    quantised, scales, zero_points = inputs
    axis, block = attributes.get("axis", 1), attributes.get("block_size", 0)
    if block:
        length = quantised.shape[axis]
        scales, zero_points = (
            np.repeat(array, block, axis=axis).take(range(length), axis=axis) for array in (scales, zero_points)
        )
    centred = quantised.astype(np.int32) - zero_points.astype(np.int32)
    return centred.astype(np.float32) * scales.astype(np.float32)
