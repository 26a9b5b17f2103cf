"""Face models that take several pictures as bytes, for accelerators. Pure: ONNX graph in, ONNX graph out.

A byte a sample is a quarter of what a float32 tensor sends to the device, and scaling there costs nothing.

Detectors of insightface are written for one picture: their outputs go through `Transpose (2, 3, 0, 1)` and
`Reshape (-1, k)`, which would mix the rows of several. Here they keep the pictures apart.
"""

from typing import TYPE_CHECKING

import numpy as np

from facesets_dagster.embedding.rewrite import refill

if TYPE_CHECKING:
    import onnx

PICTURES = "pictures"
"""The input: (count, side, side, 3) uint8, BGR."""


def take_pictures(model: "onnx.ModelProto", *, count: int, side: int, mean: float, std: float, rgb: bool) -> None:
    """Changes the graph in place; outputs get the picture as first dimension, the rest in the order that it had.

    `count`: pictures; a fixed number, because ONNX Runtime plans every convolution anew when it changes.

    `mean`, `std`, `rgb`: how the model wants its float32 planes.
    """
    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    (planes,) = [value for value in graph.input if value.name not in weights]
    _keep_pictures_apart(graph)
    _scale_inside(graph, planes.name, mean=mean, std=std, rgb=rgb)
    _declare(graph, weights, (count, side, side, 3))


def _keep_pictures_apart(graph: "onnx.GraphProto") -> None:
    """`Reshape` to (rows, k) or (1, rows, k) behind a `Transpose` to channels last: to (pictures, rows, k)."""
    from onnx import helper, numpy_helper

    shapes = {tensor.name: numpy_helper.to_array(tensor).tolist() for tensor in graph.initializer}
    transposes = {node.output[0]: node for node in graph.node if node.op_type == "Transpose"}
    for node in graph.node:
        if node.op_type != "Reshape":
            continue
        shape, before = shapes.get(node.input[1]), transposes.get(node.input[0])
        if before is None or shape is None or len(shape) not in (2, 3) or shape[-2] != -1:
            continue
        (order,) = [attribute for attribute in before.attribute if attribute.name == "perm"]
        if list(order.ints) not in ([2, 3, 0, 1], [0, 2, 3, 1]):
            continue
        order.CopyFrom(helper.make_attribute("perm", [0, 2, 3, 1]))
        name = f"{node.output[0]}_shape"
        graph.initializer.append(numpy_helper.from_array(np.array([0, -1, shape[-1]], np.int64), name))
        node.input[1] = name


def _scale_inside(graph: "onnx.GraphProto", planes: str, *, mean: float, std: float, rgb: bool) -> None:
    from onnx import helper, numpy_helper

    constants = {
        "pictures_mean": np.float32(mean),
        "pictures_scale": np.float32(1.0 / std),
        "pictures_planes": np.array([2, 1, 0] if rgb else [0, 1, 2], np.int64),
    }
    graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items())
    first = [
        helper.make_node("Transpose", [PICTURES], ["pictures_bgr"], perm=[0, 3, 1, 2]),
        helper.make_node("Gather", ["pictures_bgr", "pictures_planes"], ["pictures_ordered"], axis=1),
        helper.make_node("Cast", ["pictures_ordered"], ["pictures_float"], to=1),
        helper.make_node("Sub", ["pictures_float", "pictures_mean"], ["pictures_centred"]),
        helper.make_node("Mul", ["pictures_centred", "pictures_scale"], [planes]),
    ]
    refill(graph.node, [*first, *graph.node])


def _declare(graph: "onnx.GraphProto", weights: set[str], shape: tuple[int, ...]) -> None:
    """The new input; shapes of outputs and of what is between are left to ONNX Runtime."""
    from onnx import TensorProto, helper

    listed = [value for value in graph.input if value.name in weights]
    pictures = helper.make_tensor_value_info(PICTURES, TensorProto.UINT8, shape)
    outputs = [helper.make_tensor_value_info(value.name, TensorProto.FLOAT, None) for value in graph.output]
    refill(graph.input, [pictures, *listed])
    refill(graph.output, outputs)
    del graph.value_info[:]
