"""What an import of legacy libraries is made with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from facesets_dagster.embedding.embedder import ModelPack
from facesets_dagster.legacy.column_map import ColumnMap


@dataclass(frozen=True)
class LegacyInputs:
    """What the asset hands over."""

    columns: ColumnMap
    min_iou: float
    """Intersection over union, 0..1, from which two boxes mean one face."""
    min_model_similarity: float
    """Median cosine similarity from which a legacy cache is of our model."""
    min_shared_faces: int
    """Faces that it takes to say so."""
    pack: ModelPack
    folders: Mapping[str, Path]
    """Bucket -> where its photos lie, the pseudo bucket `LEGACY` among them."""
    written: Sequence[Path]
    """Folders that the platform writes to; a legacy root must not lie in one, nor one in a root."""
    max_pixels: int
    workers: int
    run_id: str
