"""Values of exported faces from further models: landmarks, pose, gender, age."""

from pathlib import Path

import polars as pl
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.analysis.exported_faces import faces_of
from facesets_dagster.analysis.face_landmarks import (
    Enriched,
    enrich_faces,
    facesets_to_describe,
    wanted_models,
    with_values,
)
from facesets_dagster.analysis.published_facesets import Published
from facesets_dagster.assets._asset import Check, Result, library_asset
from facesets_dagster.assets._config import PhotoConfig
from facesets_dagster.assets._page import Page
from facesets_dagster.assets._versions import text_version
from facesets_dagster.assets.top_manifest import top_manifest
from facesets_dagster.embedding.landmarks import ExtraModel
from facesets_dagster.faces.landmark_store import LandmarkStore
from facesets_dagster.faces.photo_loader import photo_loader
from facesets_dagster.reports.landmark_page import landmark_sections, landmark_sheet
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.wording import counted

EVERY_FACE_DESCRIBED = Check(
    "every_face_has_values", "Every chosen face has its values; if not, its photo cannot be read now."
)
COLUMNS = {
    "faceset": "name of the faceset",
    "rank": "its rank there, 1 = best",
    "face_id": "the face",
    "bucket": "bucket of its photo",
    "path": "the photo, relative to the bucket",
    "landmark_2d_106": "106 landmarks, px of the upright photo",
    "landmark_3d_68": "68 landmarks with depth, px of the upright photo",
    "pose": "pitch, yaw, roll in degrees",
    "gender": "0 female, 1 male, as the model guesses",
    "age": "years, as the model guesses",
}


class FaceLandmarksConfig(PhotoConfig):
    """The quantities, and the faces to compute them for."""

    quantities: list[str] | None = Field(
        default=None,
        description=(
            "Some of landmark_2d_106, landmark_3d_68 (with pose), genderage. null = all that the pack has "
            "models for; naming one that the pack lacks is an error."
        ),
    )
    faces_per_faceset: int = Field(
        default=1,
        ge=0,
        description="Best-ranked faces of each faceset. 1 is what exports need, 0 = all exported faces.",
    )
    facesets: list[str] = Field(default=[], description="Names, e.g. faceset_001; empty = all live ones.")


@library_asset(kinds={"parquet"}, deps=[top_manifest], table="LandmarksTable", checks=[EVERY_FACE_DESCRIBED])
def face_landmarks(
    context: AssetExecutionContext, config: FaceLandmarksConfig, home: HomeResource, embedder: EmbedderResource
) -> Result:
    """Landmarks (106 in the picture, 68 with depth), head pose, gender and age of the best exported faces.

    Computed by the models that some packs have besides detector and recogniser (`buffalo_l` does, the embedded pack
    does not), kept for each model, and computed only once. The legacy `enrich`. The library is only read. ReActor face
    models need these values.
    """
    page, pack, library = Page(context, home, embedder), embedder.pack(), home.library()
    models = wanted_models(config.quantities, embedder.extra_models(), pack.name, embedder.folder())
    holder = f"run {context.run.run_id}"
    published = facesets_to_describe(library, pack, models, config.facesets, holder=holder, say=context.log.info)
    faces = faces_of(published.facesets, library, home.store_of(pack), config.faces_per_faceset)
    load_photo = photo_loader(home.folders(), faces, config.max_pixels)
    store = LandmarkStore(Path(home.cache_dir), pack.model_id)
    found = enrich_faces(faces, models, embedder.enricher, load_photo, store, say=context.log.info)
    table = with_values(faces, found)
    sheet = landmark_sheet(table, published.facesets)
    sections = landmark_sections(table, found, models, sheet, pack.name, published.not_published_here)
    page.write("Landmarks, pose, gender, age", sections, "the faces, with what was found", sheet=sheet)
    return _described(page, config, table, found, models, published)


def _described(
    page: Page,
    config: FaceLandmarksConfig,
    table: pl.DataFrame,
    found: Enriched,
    models: list[ExtraModel],
    published: Published,
) -> Result:
    facesets, computed = counted(len(published.facesets), "faceset"), sum(found.computed.values())
    page.say(f"{counted(len(table), 'face')} of {facesets}, {counted(computed, 'value')} computed")
    made_by = {model.task: f"{model.file.name} ({model.sha256[:16]})" for model in models}
    return page.table(
        table,
        COLUMNS,
        {
            "faces": len(table),
            "note": None if models else "Nothing to compute: the pack of this home has no landmark models.",
            "computed": dict(found.computed),
            "photos_not_readable": len(found.unreadable),
        },
        {
            "models": made_by,
            "not_published_here": list(published.not_published_here)[:200],
            "parameters": config.model_dump(),
        },
        version=text_version(repr([*made_by.items(), *table.select("faceset", "rank", "face_id").rows()])),
        checks=[
            EVERY_FACE_DESCRIBED.result(
                not found.unreadable,
                faces=[f"{face_id}: {why}" for face_id, why in sorted(found.unreadable.items())[:100]],
                what_to_do="Make the photos readable (is a disk not mounted?) and materialize it again.",
            )
        ],
    )
