"""What further models tell of exported faces: landmarks, pose, gender, age."""

from pathlib import Path

import dagster as dg
import polars as pl
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.analysis.exported_faces import faces_of
from facesets_dagster.analysis.face_landmarks import Enriched, enrich_faces, wanted_models
from facesets_dagster.analysis.published_facesets import Published, published_facesets
from facesets_dagster.assets._asset import teaching
from facesets_dagster.assets._links import link
from facesets_dagster.assets._publishers import PUBLISHERS
from facesets_dagster.assets._shape import CODE_VERSION, GROUP, OWNERS
from facesets_dagster.assets._story import Story
from facesets_dagster.assets._versions import table_columns, text_version
from facesets_dagster.embedding.embedder import ModelPack
from facesets_dagster.embedding.landmarks import ExtraModel
from facesets_dagster.faces.landmark_store import LandmarkStore
from facesets_dagster.faces.photo_loader import photo_loader
from facesets_dagster.library.library import Library
from facesets_dagster.library.lock import library_lock
from facesets_dagster.library.moves import settle
from facesets_dagster.photos.bucket_key import LIBRARY
from facesets_dagster.reports.contact_sheet import sheet_markdown
from facesets_dagster.reports.landmark_page import landmark_sections, landmark_sheet
from facesets_dagster.reports.system_page import not_published_sections, write_system_page
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.wording import counted

COLUMNS = {
    "faceset": "whose exported face it is",
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


class FaceLandmarksConfig(dg.Config):
    """Which quantities of which faces."""

    quantities: list[str] | None = Field(
        default=None,
        description=(
            "Some of landmark_2d_106, landmark_3d_68 (with pose), genderage. null = all that the pack has models for; "
            "one that is named and that the pack lacks is an error."
        ),
    )
    faces_per_faceset: int = Field(
        default=1, ge=0, description="Best-ranked faces of each faceset. 1 is what exports ask for, 0 = all exported."
    )
    facesets: list[str] = Field(default_factory=list, description="Names, e.g. faceset_001; empty = all live ones.")
    max_pixels: int = Field(default=300_000_000, gt=0, description="Photos with more pixels (decoded) are refused.")


@dg.asset(
    deps=PUBLISHERS,
    group_name=GROUP,
    owners=OWNERS,
    kinds={"parquet"},
    code_version=CODE_VERSION,
    io_manager_key="tables",
    dagster_type=dg.PythonObjectDagsterType(pl.DataFrame, name="LandmarksTable"),
    check_specs=[
        dg.AssetCheckSpec(
            "every_face_described",
            asset="face_landmarks",
            description="Every face that was asked for has its values; if not, its photo cannot be read now.",
        )
    ],
)
@teaching
def face_landmarks(
    context: AssetExecutionContext, config: FaceLandmarksConfig, home: HomeResource, embedder: EmbedderResource
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Landmarks (106 in the picture, 68 with depth), head pose, gender and age of the best exported faces.

    Made by the models that some packs have beside detector and recogniser (buffalo_l does, the embedded pack does not),
    kept by model, and computed only where it is asked for and not on record. The legacy `enrich`. The library is only
    read; ReActor face models are what needs it.
    """
    story, pack, library = Story(context), embedder.pack(), home.library()
    models = wanted_models(config.quantities, embedder.extra_models(), pack.name, embedder.folder())
    published = _published(library, pack, config.facesets, context) if models else Published([], {}, ())
    facesets = published.facesets
    faces = faces_of(facesets, library, home.store_of(pack), config.faces_per_faceset)
    load_photo = photo_loader(home.folders(), faces, config.max_pixels)
    store = LandmarkStore(Path(home.cache_dir), pack.model_id)
    found = enrich_faces(faces, models, embedder.enricher, load_photo, store, say=context.log.info)
    table = _table(faces, found)
    story.tell(
        f"{counted(len(faces), 'face')} of {counted(len(facesets), 'faceset')}, "
        f"{counted(sum(found.computed.values()), 'value')} computed"
    )
    note = {} if models else {"note": f"Nothing to compute: the pack {pack.name} has no landmark models."}
    sheet = landmark_sheet(table, facesets)
    page = write_system_page(
        home.reports(),
        LIBRARY,
        context.run.run_id,
        "face_landmarks",
        "Landmarks, pose, gender, age",
        [
            *landmark_sections(table, found, models, sheet, pack.name),
            *not_published_sections(published.not_published_here),
        ],
        changes="",
    )
    return dg.MaterializeResult(
        value=table,
        data_version=text_version(
            repr([*_made_by(models).items(), *table.select("faceset", "rank", "face_id").rows()])
        ),
        metadata={
            "dagster/row_count": len(table),
            "dagster/column_schema": table_columns(table, COLUMNS),
            **note,
            "models": _made_by(models),
            "computed": dict(found.computed),
            "photos_not_readable": len(found.unreadable),
            "not_published_here": list(published.not_published_here)[:200],
            "report": link("the faces, with what was found", "reports", LIBRARY, page.name),
            **({"contact_sheet": dg.MetadataValue.md(sheet_markdown(sheet))} if home.pictures_in_ui else {}),
            "parameters": config.model_dump(),
            "seconds": story.seconds(),
            **embedder.describe(),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="every_face_described",
                passed=not found.unreadable,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={
                    "faces": [f"{face_id}: {why}" for face_id, why in sorted(found.unreadable.items())[:100]],
                    "what_to_do": "Make the photos readable (is a disk not mounted?) and materialize it again.",
                },
            )
        ],
    )


def _published(library: Library, pack: ModelPack, names: list[str], context: AssetExecutionContext) -> Published:
    """Read under the lock: a run that publishes meanwhile would look like a damaged library."""
    with library_lock(library.folder, f"run {context.run.run_id}", say=context.log.info):
        settle(library.registry, library.folder, context.log.info)
        return published_facesets(library, pack, names)


def _made_by(models: list[ExtraModel]) -> dict[str, str]:
    """Quantity -> file and digest of its model."""
    return {model.task: f"{model.file.name} ({model.sha256[:16]})" for model in models}


def _table(faces: pl.DataFrame, found: Enriched) -> pl.DataFrame:
    """The faces with their values; a column for each value of the chosen quantities, null where it is not known."""
    table = faces.select("faceset", "rank", "face_id", "bucket", "path")
    for values in found.tables.values():
        table = table.join(values, on="face_id", how="left", maintain_order="left")
    return table
