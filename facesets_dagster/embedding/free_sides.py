"""A detector whose graph fixes its input's sides, opened at another size: a copy of the graph with the sides freed.

YuNet is fully convolutional, and its file fixes 640 x 640 all the same; with the sides freed it gives at 640 the same
bits. A graph that really depends on its size is refused by ONNX Runtime when it runs.
"""

from pathlib import Path

from facesets_dagster.embedding.model_shapes import shape_of
from facesets_dagster.files.writing import write_bytes


def needs_free_sides(detector: Path, det_size: int) -> bool:
    """Whether the file fixes sides, and others than `det_size`."""
    sides = shape_of(detector).sides
    return any(sides) and set(sides) != {det_size}


def write_free_sides(detector: Path, folder: Path) -> Path:
    """A copy in `folder` that takes any sides."""
    import onnx

    model = onnx.load(str(detector), load_external_data=False)
    weights = {tensor.name for tensor in model.graph.initializer}
    for value in model.graph.input:
        if value.name not in weights:
            height, width = list(value.type.tensor_type.shape.dim)[-2:]
            height.dim_param, width.dim_param = "height", "width"
    for value in model.graph.output:
        for axis, dim in enumerate(list(value.type.tensor_type.shape.dim)[:-1]):
            if dim.dim_value > 1:
                dim.dim_param = f"{value.name}_{axis}"
    del model.graph.value_info[:]
    write_bytes(folder / detector.name, model.SerializeToString(deterministic=True))
    return folder / detector.name
