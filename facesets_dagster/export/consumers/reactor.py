"""ReActor (ComfyUI, Stable Diffusion web UI): a face model as `.safetensors`, one per faceset.

What its "Build Blended Face Model" writes with the compute method "Mean": the mean of the raw embeddings, everything
else of the first face, here the best-ranked one. ReActor loads each tensor into an insightface `Face` of that name.
"""

import json
from collections.abc import Sequence

import numpy as np
from safetensors.numpy import save

from facesets_dagster.embedding.model_shapes import GENDER_AGE, LANDMARK_2D, LANDMARK_3D
from facesets_dagster.export.consumers.consumer import Consumer, ExportFile, FacesetSource

METADATA_KEY = "facesets"
SCHEMA_VERSION = 1


def _files(facesets: Sequence[FacesetSource]) -> list[ExportFile]:
    return [ExportFile.of(f"{faceset.file_name}.safetensors", face_model(faceset), [faceset]) for faceset in facesets]


def face_model(faceset: FacesetSource) -> bytes:
    """The bytes of the file.

    Tensors: `bbox` (4,), `kps` (5, 2), `det_score` (), `landmark_3d_68` (68, 3), `pose` (3,), `landmark_2d_106`
    (106, 2), `embedding` (512,), all float32; `gender` (), `age` (), int64.
    """
    tensors = {
        "bbox": faceset.bbox,
        "kps": faceset.kps,
        "det_score": np.asarray(faceset.det_score, np.float32),
        "embedding": faceset.embedding,
        **faceset.values,
    }
    # One key: the library writes several in an order of its own, and the same face set should give the same bytes.
    return bytes(save(dict(sorted(tensors.items())), metadata={METADATA_KEY: _provenance(faceset)}))


def _provenance(faceset: FacesetSource) -> str:
    return json.dumps(
        {
            "schema_version": SCHEMA_VERSION,
            "faceset": faceset.name,
            "label": faceset.title,
            "manifest_sha256": faceset.manifest_sha256,
            "model_id": faceset.model_id,
            "face_ids": faceset.face_ids,
        },
        sort_keys=True,
    )


REACTOR = Consumer(
    "reactor", "ReActor face models", _files, embedding_dim=512, tasks=(LANDMARK_2D, LANDMARK_3D, GENDER_AGE)
)
