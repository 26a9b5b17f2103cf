"""Face sets in the formats of other face-swap programs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import dagster as dg
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.analysis.consumer_exports import (
    Describe,
    ExportInputs,
    Exports,
    export_consumers,
    indexes_of,
    other_recogniser,
)
from facesets_dagster.analysis.exported_faces import faces_of
from facesets_dagster.analysis.face_landmarks import enrich_faces
from facesets_dagster.analysis.published_facesets import PublishedFaceset
from facesets_dagster.assets._asset import Check, Result, library_asset
from facesets_dagster.assets._config import PhotoConfig
from facesets_dagster.assets._consent import consent_here
from facesets_dagster.assets._page import Page
from facesets_dagster.assets._versions import text_version
from facesets_dagster.assets.top_manifest import top_manifest
from facesets_dagster.embedding.landmarks import Values
from facesets_dagster.faces.landmark_store import LandmarkStore
from facesets_dagster.faces.photo_loader import photo_loader
from facesets_dagster.reports.export_page import export_sections, export_sheet, export_table
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.wording import counted

NOTHING_IN_THE_WAY = Check(
    "no_files_in_the_way", "Every exported file is as it was written; none was changed or put there by hand."
)
EVERY_FACESET_EXPORTED = Check(
    "every_faceset_exported", "Every chosen faceset is in the folder of every chosen program."
)
RECOGNISER_FITS = Check(
    "recogniser_fits_swapper",
    "The embeddings are those of the recogniser that the swapper of these programs was trained with.",
)


class ConsumerExportsConfig(PhotoConfig):
    """The programs and the facesets to export."""

    consumers: list[str] | None = Field(
        default=None,
        description=(
            "Some of facefusion, reactor, rope, visomaster. null = all that fit the home's model pack; naming "
            "one that does not fit is an error."
        ),
    )
    facesets: list[str] = Field(
        default=[],
        description=("Facesets to export, e.g. faceset_001; files of other live ones stay. Empty = all live ones."),
    )
    remove_others: bool = Field(
        default=False, description="With facesets named: remove the files of all other facesets."
    )
    by_person: bool = Field(
        default=False, description="Name files and folders by the person (Anna.safetensors) instead of the faceset."
    )
    filled: bool = Field(
        default=True,
        description="Faces that fill a set up, smaller than its export gate, too. false = only those that pass.",
    )


@library_asset(
    kinds={"json", "png"},
    deps=[top_manifest],
    pool="library",
    checks=[NOTHING_IN_THE_WAY, EVERY_FACESET_EXPORTED, RECOGNISER_FITS],
)
def consumer_exports(
    context: AssetExecutionContext, config: ConsumerExportsConfig, home: HomeResource, embedder: EmbedderResource
) -> Result:
    """Face sets for ReActor, VisoMaster, Rope and FaceFusion, each in its own format, under `exports/<consumer>/`.

    Made from the library, which is only read: averaged raw embeddings, or the pictures. Files of facesets that are no
    longer live are removed, and unchanged files are not written again; a file that you changed is left alone and
    reported. A program that does not fit the home's model pack is left out with the reason.
    """
    page, pack, library = Page(context, home, embedder), embedder.pack(), home.library()
    consent = consent_here(home, embedder, max_pixels=config.max_pixels)
    inputs = ExportInputs(
        consumers=config.consumers,
        facesets=config.facesets,
        remove_others=config.remove_others,
        pack=pack,
        tasks=tuple(embedder.extra_models()),
        exports_dir=Path(home.exports_dir),
        run_id=context.run.run_id,
        by_person=config.by_person,
        filled=config.filled,
        consent=consent,
    )
    result = export_consumers(inputs, library, _describer(context, config, home, embedder), say=context.log.info)
    doubt, sheet = other_recogniser([export.consumer for export in result.exports], pack), export_sheet(result)
    sections = export_sections(result, sheet, doubt)
    page.write("Exports for other programs", sections, "what went where", sheet=sheet, changes=_in_a_word(result))
    return _described(page, result, doubt, config.model_dump())


def _in_a_word(result: Exports) -> str:
    written = sum(len(export.outcome.written) for export in result.exports)
    removed = sum(len(export.outcome.removed) for export in result.exports)
    words = ((written, "written"), (removed, "removed"))
    return ", ".join(f"{counted(count, 'file')} {word}" for count, word in words if count)


def _describer(
    context: AssetExecutionContext, config: ConsumerExportsConfig, home: HomeResource, embedder: EmbedderResource
) -> Describe:
    """Asks the record of `face_landmarks` for the best faces, and the models for what it lacks."""
    pack, library = embedder.pack(), home.library()
    store = LandmarkStore(Path(home.cache_dir), pack.model_id)

    def describe(facesets: Sequence[PublishedFaceset], tasks: Sequence[str]) -> Mapping[str, Values]:
        models = [model for task, model in embedder.extra_models().items() if task in tasks]
        faces = faces_of(facesets, library, home.store_of(pack), 1)
        load_photo = photo_loader(home.folders(), faces, config.max_pixels)
        found = enrich_faces(faces, models, embedder.enricher, load_photo, store, say=context.log.info)
        known = {faceset.name: found.of_face(faceset.faces[0].face_id) for faceset in facesets}
        return {name: values for name, values in known.items() if values is not None}

    return describe


def _described(page: Page, result: Exports, doubt: str | None, parameters: dict[str, object]) -> Result:
    page.say(f"{counted(len(result.facesets), 'faceset')} for {counted(len(result.exports), 'consumer')}")
    return page.result(
        {
            "facesets": len(result.facesets),
            "exports": export_table(result),
            "not_fed": result.refused,
            "not_published_here": list(result.not_published_here)[:200],
        },
        {
            "written": sum(len(export.outcome.written) for export in result.exports),
            "removed": sum(len(export.outcome.removed) for export in result.exports),
            "folder": dg.MetadataValue.path(str(result.exports[0].folder.parent)) if result.exports else None,
            "parameters": parameters,
        },
        rows=sum(len(export.facesets) for export in result.exports),
        version=text_version(indexes_of(result)),
        checks=_checks(result, doubt),
    )


def _checks(result: Exports, doubt: str | None) -> list[dg.AssetCheckResult]:
    foreign = [str(export.folder / path) for export in result.exports for path in export.outcome.foreign]
    left_out = [
        f"{export.consumer.name}: {name}: {why}" for export in result.exports for name, why in export.left_out.items()
    ]
    return [
        NOTHING_IN_THE_WAY.result(
            not foreign,
            files=foreign[:100],
            what_to_do="They were left as they are. Move them away to have them exported again.",
        ),
        EVERY_FACESET_EXPORTED.result(
            not left_out and not result.not_published_here,
            left_out=left_out[:100],
            withheld=result.withheld,
            not_published_here=[f"{name}: in {root}" for name, root in result.not_published_here.items()][:100],
            what_to_do=(
                "Make the photos readable (is a disk not mounted?). Adopted legacy facesets are published here by "
                "extended_facesets as soon as they get a new face; until then their files are in that library."
            ),
        ),
        RECOGNISER_FITS.result(doubt is None, what_to_know=doubt, swappers_recogniser="w600k_r50.onnx"),
    ]
