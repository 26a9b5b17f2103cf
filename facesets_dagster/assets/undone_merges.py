"""Merges taken back; the asset behind the job `undo_merges`."""

from typing import Any

import dagster as dg
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.assets._asset import teaching
from facesets_dagster.assets._links import link
from facesets_dagster.assets._run import run_of
from facesets_dagster.assets._shape import CODE_VERSION, GROUP, OWNERS
from facesets_dagster.assets._story import Story
from facesets_dagster.assets._untouched import untouched_result, untouched_spec
from facesets_dagster.assets._versions import text_version
from facesets_dagster.assets.applied_merges import applied_merges
from facesets_dagster.assets.swap_ready_facesets import SwapReadyFacesetsConfig
from facesets_dagster.photos.bucket_key import LIBRARY
from facesets_dagster.publishing.undone_merges import UndoResult, undo_merges
from facesets_dagster.registry.merges import redirects
from facesets_dagster.reports.merge_page import told_sections
from facesets_dagster.reports.system_page import Section, row_of_faceset, write_system_page
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource


class UndoneMergesConfig(dg.Config):
    """Which merges are taken back, by the names that were merged. Without a name nothing happens."""

    undo: list[str] = Field(
        default_factory=list,
        description='Names that were merged into another, e.g. [faceset_031]; ["*"] = all of them. Any order will do.',
    )
    max_pixels: int = Field(default=300_000_000, gt=0, description="Photos with more pixels (decoded) are refused.")


@dg.asset(
    deps=[applied_merges],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"png", "sqlite"},
    code_version=CODE_VERSION,
    pool="library",
    check_specs=[untouched_spec("undone_merges")],
)
@teaching
def undone_merges(
    context: AssetExecutionContext, config: UndoneMergesConfig, home: HomeResource, embedder: EmbedderResource
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """The merges named in the run config, taken back: the merged name lives again with the faces that it brought.

    Keeper and merged one, their eras, their labels and their entries in the manifest are byte for byte what they would
    be without that merge, in whatever order merges are undone. Faces that joined the keeper since then stay with it.
    """
    story, library = Story(context), home.library()
    result: UndoResult | None = None
    if config.undo:
        export = SwapReadyFacesetsConfig().resolved(embedder.thresholds())
        run = run_of(context, home, embedder, export=export, max_pixels=config.max_pixels)
        result = undo_merges(run, config.undo)
    story.tell(f"{len(result.back) if result else 0} merges undone")
    return dg.MaterializeResult(
        data_version=text_version(repr(sorted(redirects(library.registry).items()))),
        metadata={
            "dagster/row_count": len(result.back) if result else 0,
            **_told(result, home, context.run.run_id),
            "in_force": len(redirects(library.registry)),
            "parameters": config.model_dump(),
            "seconds": story.seconds(),
            **embedder.describe(),
        },
        check_results=[untouched_result(result.update.outcome.touched_undeclared if result else [])],
    )


def _told(result: UndoResult | None, home: HomeResource, run_id: str) -> dict[str, Any]:
    if result is None:
        return {"note": "Nothing was named. Name those who were merged in `undo`, e.g. [faceset_031]."}
    library = home.library()
    back = {name: keeper for name, keeper in result.back.items() if name not in result.vanished}
    labels = {identity.name: identity.label or "" for identity in library.registry.identities()}
    page = write_system_page(
        home.reports(),
        LIBRARY,
        run_id,
        "undone_merges",
        "Merges undone",
        told_sections(
            Section(
                "Back",
                "They stand alone again.",
                ("name", "was part of"),
                list(back.items()),
                [
                    row_of_faceset(library.folder / name, f"{name} {labels[name]}".strip())
                    for name in sorted({*back, *back.values()})
                ],
            ),
            [
                Section("As before", "Byte for byte an earlier folder.", ("faceset",), _column(result.as_before)),
                Section("Nothing left", "Other people have their faces by now.", ("name",), _column(result.vanished)),
                Section("Stood alone already", "Undone by an earlier run.", ("name",), _column(result.already)),
            ],
        ),
        changes=", ".join(f"{name} out of {keeper}" for name, keeper in list(result.back.items())[:5]),
    )
    return {
        "back": [f"{name} out of {keeper}" for name, keeper in back.items()],
        "stood_alone_already": result.already,
        "nothing_left": result.vanished,
        "byte_for_byte_as_before": result.as_before[:500],
        "report": link("the report of this run", "reports", LIBRARY, page.name),
    }


def _column(names: list[str]) -> list[tuple[str]]:
    return [(name,) for name in names]
