"""VisoMaster: a JSON list of embeddings, one file per faceset.

`[{"name": ..., "embedding_store": {"Inswapper128ArcFace": [512 numbers]}}]`. Raw, as VisoMaster itself saves them: it
normalises when it swaps, and averages raw vectors when several are chosen. ASCII only: it opens the file in the
system's encoding.
"""

import json
from collections.abc import Sequence

from facesets_dagster.export.consumers.consumer import Consumer, ExportFile, FacesetSource

RECOGNISER = "Inswapper128ArcFace"


def _files(facesets: Sequence[FacesetSource]) -> list[ExportFile]:
    return [ExportFile.of(f"{faceset.file_name}.json", _embedding_file(faceset), [faceset]) for faceset in facesets]


def _embedding_file(faceset: FacesetSource) -> bytes:
    entry = {"name": faceset.title, "embedding_store": {RECOGNISER: faceset.embedding.tolist()}}
    return (json.dumps([entry]) + "\n").encode("ascii")


VISOMASTER = Consumer("visomaster", "VisoMaster embeddings", _files, embedding_dim=512)
