"""Landmarks, pose, gender and age of chosen faces: the domain call behind `face_landmarks` (the legacy `enrich`).

Only values that are not on record are computed; a model is opened when the first face needs it.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.analysis.published_facesets import Published, published_facesets
from facesets_dagster.embedding.embedder import ModelPack
from facesets_dagster.embedding.landmarks import VALUES, Enricher, ExtraModel, Values
from facesets_dagster.embedding.model_shapes import EXTRA_TASKS
from facesets_dagster.errors import PhotoError, SettingsError
from facesets_dagster.faces.landmark_store import LandmarkStore
from facesets_dagster.faces.photo_loader import LoadPhoto
from facesets_dagster.library.library import Library

_KEEP_EVERY = 200

OpenEnricher = Callable[[ExtraModel], Enricher]


@dataclass(frozen=True)
class Enriched:
    """What is known of the faces now."""

    tables: Mapping[str, pl.DataFrame]
    """Task -> rows of `landmark_schema`, of the chosen faces."""
    computed: Mapping[str, int]
    """Task -> faces that were not on record before."""
    unreadable: Mapping[str, str]
    """face_id -> why its photo could not be read, of faces that lack a value."""

    def of_face(self, face_id: str) -> Values | None:
        """All values of a face; None if one of the tasks has none."""
        found: dict[str, NDArray[np.generic]] = {}
        for task, table in self.tables.items():
            rows = table.filter(pl.col("face_id") == face_id)
            if rows.is_empty():
                return None
            for name, (dtype, shape) in VALUES[task].items():
                found[name] = np.asarray(rows[name].to_list()[0], dtype).reshape(shape)
        return found


def wanted_models(
    tasks: Sequence[str] | None, models: Mapping[str, ExtraModel], pack: str, folder: Path
) -> list[ExtraModel]:
    """The models for these tasks; None = all that the pack has. Raises `SettingsError` for one that it lacks."""
    for task in tasks or ():
        if task not in models:
            known = ", ".join(sorted(models)) or "none"
            raise SettingsError(
                f"`quantities` has {task!r}. The pack {pack} in {folder} has models for: {known}; expected one of "
                f"{', '.join(EXTRA_TASKS)}. Use a home with a pack that has it (buffalo_l, buffalo_m, buffalo_s and "
                "antelopev2 do), or leave it out."
            )
    return [models[task] for task in EXTRA_TASKS if task in models and (tasks is None or task in tasks)]


def facesets_to_describe(
    library: Library,
    pack: ModelPack,
    models: Sequence[ExtraModel],
    names: Sequence[str],
    *,
    holder: str,
    say: Callable[[str], None],
) -> Published:
    """The live facesets, or these; none where there is no model.

    Read under the lock: a run that publishes meanwhile would look like a damaged library.
    """
    if not models:
        return Published([], {}, (), {})
    with library.held(holder, say):
        return published_facesets(library, pack, names)


def with_values(faces: pl.DataFrame, found: Enriched) -> pl.DataFrame:
    """The faces with a column for each value of the chosen quantities, null where it is not known."""
    table = faces.select("faceset", "rank", "face_id", "bucket", "path")
    for values in found.tables.values():
        table = table.join(values, on="face_id", how="left", maintain_order="left")
    return table


def enrich_faces(
    faces: pl.DataFrame,
    models: Sequence[ExtraModel],
    open_enricher: OpenEnricher,
    load_photo: LoadPhoto,
    store: LandmarkStore,
    *,
    say: Callable[[str], None],
) -> Enriched:
    """Brings the record up to `faces` (`face_id`, `sha256`, `bbox`), one photo after the other."""
    ids = set(faces["face_id"])
    known = {model.task: set(store.read(model)["face_id"]) for model in models}
    work = _Work(models, open_enricher, store)
    unreadable: dict[str, str] = {}
    for face_id, sha256, bbox in faces.sort("sha256", "face_id").select("face_id", "sha256", "bbox").iter_rows():
        missing = [model for model in models if face_id not in known[model.task]]
        if not missing:
            continue
        try:
            image = load_photo(sha256)
        except PhotoError as error:
            unreadable[face_id] = error.reason
            continue
        for model in missing:
            work.do(model, face_id, image, np.asarray(bbox, np.float32))
    work.keep()
    for task, count in work.done.items():
        say(f"{task}: computed for {count} faces")
    tables = {model.task: store.read(model).filter(pl.col("face_id").is_in(list(ids))) for model in models}
    return Enriched(tables, {model.task: work.done[model.task] for model in models}, unreadable)


class _Work:
    """Models opened on demand, and values that are not kept yet."""

    def __init__(self, models: Sequence[ExtraModel], open_enricher: OpenEnricher, store: LandmarkStore) -> None:
        self.done = Counter[str]()
        self._open = open_enricher
        self._store = store
        self._opened: dict[str, Enricher] = {}
        self._found: dict[str, list[tuple[str, Values]]] = {model.task: [] for model in models}
        self._models = models

    def do(self, model: ExtraModel, face_id: str, image: NDArray[np.uint8], bbox: NDArray[np.float32]) -> None:
        if model.task not in self._opened:
            self._opened[model.task] = self._open(model)
        self._found[model.task].append((face_id, self._opened[model.task].describe(image, bbox)))
        self.done[model.task] += 1
        if len(self._found[model.task]) >= _KEEP_EVERY:
            self.keep()

    def keep(self) -> None:
        for model in self._models:
            if self._found[model.task]:
                self._store.add(model, self._found[model.task])
                self._found[model.task] = []
