"""Recognisers in half precision: for GPUs, where it is faster and takes half the memory. Not quite exact, so off by
default. Detectors stay in fp32: landmarks that move a little change an embedding more than arithmetic does.

The conversion is ONNX Runtime's own; inputs and outputs stay float32. Nothing heavy is imported until a model is
converted.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

FP32, FP16 = "fp32", "fp16"

LEAST_COSINE = 0.999
"""Between what a model gives in fp16 and in fp32; the same face is at 0.55 and more."""


def halve(model: "onnx.ModelProto") -> "onnx.ModelProto":
    """The model with weights and arithmetic in fp16; the one given may be changed."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    halved: onnx.ModelProto = convert_float_to_float16(model, keep_io_types=True)
    for index, node in enumerate(halved.graph.node):
        node.name = f"{node.op_type}_{index}"  # the converter gives some name twice, which a session may refuse
    return halved
