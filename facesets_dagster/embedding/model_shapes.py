"""The role of each ONNX file of a pack, by the shapes of its inputs and outputs, as in insightface.

No session is opened and no weight is kept. Detector and recogniser are chosen in `packs`.
"""

from dataclasses import dataclass
from pathlib import Path

from facesets_dagster.errors import ModelPackInvalid
from facesets_dagster.files.states import kept_by_state

LANDMARK_2D, LANDMARK_3D, GENDER_AGE = "landmark_2d_106", "landmark_3d_68", "genderage"
_EXTRA_TASKS: dict[tuple[int, ...], str] = {
    (192, 192, 212): LANDMARK_2D,
    (192, 192, 3309): LANDMARK_3D,
    (96, 96, 3): GENDER_AGE,
}
"""Height and width of the input, length of the output -> what the model computes, in insightface's words."""
EXTRA_TASKS = tuple(_EXTRA_TASKS.values())


@dataclass(frozen=True)
class ModelShape:
    """The shapes that distinguish models."""

    outputs: int
    inputs: int
    """Weights are not counted."""
    sides: tuple[int, ...]
    """Height and width of the first input; 0 for a free one."""
    length: int
    """Last dimension of the first output; 0 for a free one."""


@kept_by_state  # reading the file takes longer than detecting a face
def shape_of(path: Path) -> ModelShape:
    """The shape of a model file. Raises `ModelPackInvalid` for what is no ONNX file."""
    import onnx

    try:
        graph = onnx.load(str(path), load_external_data=False).graph
    except Exception as error:  # protobuf's DecodeError and others have no public common base
        raise ModelPackInvalid(f"{path} is not an ONNX file ({error}). Fetch the pack again.") from error
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    sides = [dim.dim_value for dim in inputs[0].type.tensor_type.shape.dim][-2:] if inputs else []
    outputs = [[dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in graph.output]
    return ModelShape(len(outputs), len(inputs), tuple(sides), outputs[0][-1] if outputs and outputs[0] else 0)


def extra_models(folder: Path) -> dict[str, Path]:
    """Task of `EXTRA_TASKS` -> file, of what a pack's folder has beyond detector and recogniser.

    The first file of a task counts; nothing where there is no such folder.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("*.onnx")):
        shape = shape_of(path)
        task = _EXTRA_TASKS.get((*shape.sides, shape.length)) if shape.outputs == 1 else None
        if task is not None:
            found.setdefault(task, path)
    return found
