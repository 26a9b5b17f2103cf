"""Face sets in the formats of other face-swap programs."""

import json
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
    other_recogniser,
)
from facesets_dagster.analysis.exported_faces import faces_of
from facesets_dagster.analysis.face_landmarks import enrich_faces
from facesets_dagster.analysis.published_facesets import PublishedFaceset
from facesets_dagster.assets._asset import teaching
from facesets_dagster.assets._links import link
from facesets_dagster.assets._publishers import PUBLISHERS
from facesets_dagster.assets._shape import CODE_VERSION, GROUP, OWNERS
from facesets_dagster.assets._story import Story
from facesets_dagster.assets._versions import text_version
from facesets_dagster.assets.face_landmarks import face_landmarks
from facesets_dagster.embedding.landmarks import Values
from facesets_dagster.export.consumers.owned_folder import INDEX
from facesets_dagster.faces.landmark_store import LandmarkStore
from facesets_dagster.faces.photo_loader import photo_loader
from facesets_dagster.photos.bucket_key import LIBRARY
from facesets_dagster.reports.contact_sheet import sheet_markdown
from facesets_dagster.reports.export_page import export_sections, export_sheet, export_table
from facesets_dagster.reports.system_page import write_system_page
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.wording import counted


class ConsumerExportsConfig(dg.Config):
    """For which programs, and which facesets."""

    consumers: list[str] | None = Field(
        default=None,
        description=(
            "Some of facefusion, reactor, rope, visomaster. null = all that the home's pack can feed; one that is "
            "named and that it cannot feed is an error."
        ),
    )
    facesets: list[str] = Field(
        default_factory=list,
        description=(
            "Brought up are these, e.g. faceset_001; what was exported of other live ones stays. Empty = all live ones."
        ),
    )
    remove_others: bool = Field(
        default=False, description="With facesets named: the folders hold these and no others, whose files go."
    )
    max_pixels: int = Field(default=300_000_000, gt=0, description="Photos with more pixels (decoded) are refused.")


@dg.asset(
    deps=[*PUBLISHERS, face_landmarks],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"json", "png"},
    code_version=CODE_VERSION,
    pool="library",
    check_specs=[
        dg.AssetCheckSpec(
            "nothing_in_the_way",
            asset="consumer_exports",
            description="No file that somebody changed or put there stands where an export belongs.",
        ),
        dg.AssetCheckSpec(
            "every_faceset_exported",
            asset="consumer_exports",
            description="Every faceset that was asked for is in the folder of every consumer.",
        ),
        dg.AssetCheckSpec(
            "recogniser_fits",
            asset="consumer_exports",
            description="Embeddings come from the recogniser that these programs' swapper was trained with.",
        ),
    ],
)
@teaching
def consumer_exports(
    context: AssetExecutionContext, config: ConsumerExportsConfig, home: HomeResource, embedder: EmbedderResource
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Face sets for ReActor, VisoMaster, Rope and FaceFusion, each in its own format, below `exports/<consumer>/`.

    Made of the library, which is only read: averaged raw embeddings, or the pictures. Files of facesets that are no
    longer live are removed, and unchanged ones are not written again; a file that you changed is left alone and
    reported. What the home's pack cannot feed is refused with the reason.
    """
    story, pack, library = Story(context), embedder.pack(), home.library()
    inputs = ExportInputs(
        consumers=config.consumers,
        facesets=config.facesets,
        remove_others=config.remove_others,
        pack=pack,
        tasks=tuple(embedder.extra_models()),
        exports_dir=Path(home.exports_dir),
        run_id=context.run.run_id,
    )
    describe = _describer(context, home, embedder, config.max_pixels)
    result = export_consumers(inputs, library, describe, say=context.log.info)
    story.tell(f"{counted(len(result.facesets), 'faceset')} for {counted(len(result.exports), 'consumer')}")
    doubt = other_recogniser([export.consumer for export in result.exports], pack)
    sheet = export_sheet(result)
    page = write_system_page(
        home.reports(),
        LIBRARY,
        context.run.run_id,
        "consumer_exports",
        "Exports for other programs",
        export_sections(result, sheet, doubt),
        changes="",
    )
    return dg.MaterializeResult(
        data_version=text_version(_indexes(result)),
        metadata={
            "dagster/row_count": sum(len(export.facesets) for export in result.exports),
            "exports": dg.MetadataValue.md(export_table(result)),
            "folder": dg.MetadataValue.path(home.exports_dir),
            "facesets": len(result.facesets),
            "written": sum(len(export.outcome.written) for export in result.exports),
            "removed": sum(len(export.outcome.removed) for export in result.exports),
            "not_fed": result.refused,
            "not_published_here": list(result.not_published_here)[:200],
            "report": link("what went where", "reports", LIBRARY, page.name),
            **({"contact_sheet": dg.MetadataValue.md(sheet_markdown(sheet))} if home.pictures_in_ui else {}),
            "parameters": config.model_dump(),
            "seconds": story.seconds(),
            **embedder.describe(),
        },
        check_results=_checks(result, doubt),
    )


def _describer(
    context: AssetExecutionContext, home: HomeResource, embedder: EmbedderResource, max_pixels: int
) -> Describe:
    """Asks the record of `face_landmarks` for the best faces, and the models for what it lacks."""

    def describe(facesets: Sequence[PublishedFaceset], tasks: Sequence[str]) -> Mapping[str, Values]:
        pack, library = embedder.pack(), home.library()
        models = [model for task, model in embedder.extra_models().items() if task in tasks]
        faces = faces_of(facesets, library, home.store_of(pack), 1)
        load_photo = photo_loader(home.folders(), faces, max_pixels)
        store = LandmarkStore(Path(home.cache_dir), pack.model_id)
        found = enrich_faces(faces, models, embedder.enricher, load_photo, store, say=context.log.info)
        known = {faceset.name: found.of_face(faceset.faces[0].face_id) for faceset in facesets}
        return {name: values for name, values in known.items() if values is not None}

    return describe


def _indexes(result: Exports) -> str:
    """What the folders hold now, by their indexes."""
    paths = [export.folder / INDEX for export in result.exports]
    return json.dumps([json.loads(path.read_text(encoding="utf-8")) if path.exists() else None for path in paths])


def _checks(result: Exports, doubt: str | None) -> list[dg.AssetCheckResult]:
    foreign = [str(export.folder / path) for export in result.exports for path in export.outcome.foreign]
    left_out = [
        f"{export.consumer.name}: {name}: {why}" for export in result.exports for name, why in export.left_out.items()
    ]
    return [
        dg.AssetCheckResult(
            check_name="nothing_in_the_way",
            passed=not foreign,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "files": foreign[:100],
                "what_to_do": "They were left as they are. Move them away to have them exported again.",
            },
        ),
        dg.AssetCheckResult(
            check_name="every_faceset_exported",
            passed=not left_out and not result.not_published_here,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "left_out": left_out[:100],
                "not_published_here": [f"{name}: in {root}" for name, root in result.not_published_here.items()][:100],
                "what_to_do": (
                    "Make the photos readable (is a disk not mounted?). Adopted legacy facesets are published here by "
                    "extended_facesets as soon as they get a new face; until then their files lie in that library."
                ),
            },
        ),
        dg.AssetCheckResult(
            check_name="recogniser_fits",
            passed=doubt is None,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"what_to_know": doubt or "", "swappers_recogniser": "w600k_r50.onnx"},
        ),
    ]
