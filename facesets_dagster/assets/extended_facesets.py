"""Known people of a bucket: their faces join the face sets that exist."""

from pathlib import Path

import dagster as dg
import polars as pl
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.assets._asset import teaching
from facesets_dagster.assets._links import link, markdown_link
from facesets_dagster.assets._run import run_of
from facesets_dagster.assets._shape import CODE_VERSION, GROUP, OWNERS
from facesets_dagster.assets._story import Story
from facesets_dagster.assets._untouched import untouched_result, untouched_spec
from facesets_dagster.assets._versions import frame_version, table_columns
from facesets_dagster.assets.existing_centroids import existing_centroids
from facesets_dagster.assets.swap_ready_facesets import SwapReadyFacesetsConfig
from facesets_dagster.faces.photo_loader import photo_loader
from facesets_dagster.faces.schema import require_one_model
from facesets_dagster.library.numbering import place_of
from facesets_dagster.partitions import SOURCE_BUCKET
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.publishing.extended_facesets import (
    EXTENSION_COLUMNS,
    EXTENSION_SCHEMA,
    ExtendInputs,
    ExtendResult,
    extend_bucket,
)
from facesets_dagster.publishing.run import Run
from facesets_dagster.reports.contact_sheet import SheetRow, Tile
from facesets_dagster.reports.system_page import Section, row_of_faceset, write_system_page
from facesets_dagster.reports.thumbnails import of_faces
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.wording import counted


class ExtendedFacesetsConfig(dg.Config):
    """Which covered faces join."""

    route_distance: float | None = Field(
        default=None,
        ge=0,
        le=2,
        description=(
            "Covered faces up to this cosine distance join the identity that covers them; farther ones stay covered. "
            "null = the pack's cover distance (ArcFace packs 0.45)."
        ),
    )
    max_pixels: int = Field(default=300_000_000, gt=0, description="Photos with more pixels (decoded) are refused.")


@dg.asset(
    partitions_def=SOURCE_BUCKET,
    deps=[existing_centroids],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"png", "sqlite"},
    code_version=CODE_VERSION,
    pool="library",
    io_manager_key="tables",
    dagster_type=dg.PythonObjectDagsterType(pl.DataFrame, name="ExtensionTable"),
    check_specs=[
        untouched_spec("extended_facesets"),
        dg.AssetCheckSpec(
            "nobody_moved",
            asset="extended_facesets",
            blocking=True,
            description="Every face that was a member before still is one of the same identity.",
        ),
    ],
)
@teaching
def extended_facesets(
    context: AssetExecutionContext,
    config: ExtendedFacesetsConfig,
    osrc_uncovered: pl.DataFrame,
    home: HomeResource,
    embedder: EmbedderResource,
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Faces of a bucket that existing identities cover, added to them: membership grows, exports are ranked anew.

    A face joins the identity that covers it (the parent, where an era is nearest), of any kind, within
    `route_distance`. Members stay members. Curation and rank run again over all members of the identities concerned,
    with the numbers that they were exported with. Comes before discovery; without it covered faces wait.
    """
    story, bucket, pack, library = Story(context), context.partition_key, embedder.pack(), home.library()
    require_one_model(osrc_uncovered, pack.model_id, f"the coverage of {bucket}")
    thresholds = embedder.thresholds()
    before = library.registry.memberships()
    export = SwapReadyFacesetsConfig().resolved(thresholds)
    run = run_of(context, home, embedder, export=export, max_pixels=config.max_pixels)
    route_distance = thresholds.cover_distance if config.route_distance is None else config.route_distance
    inputs = ExtendInputs(bucket, osrc_uncovered, route_distance)
    result = extend_bucket(run, inputs)
    joined = int(result.table["joined"].sum())
    story.tell(f"{bucket}: {counted(joined, 'face')} joined {counted(len(result.table), 'identity', 'identities')}")
    page = write_system_page(
        home.reports(),
        bucket,
        context.run.run_id,
        "extended_facesets",
        "Known people who got more faces",
        _sections(result, run, inputs, Path(home.cache_dir)),
        changes=f"{counted(joined, 'face')} joined {counted(len(result.table), 'faceset')}" if joined else "",
    )
    lost = before.join(library.registry.memberships(), on=["name", "bucket", "face_id"], how="anti")
    return dg.MaterializeResult(
        value=result.table,
        data_version=frame_version(result.table.drop("run_id")),
        metadata={
            "dagster/row_count": len(result.table),
            "dagster/column_schema": table_columns(result.table, EXTENSION_COLUMNS),
            "joined": joined,
            "extended": result.outcome.changed + result.outcome.founded,
            "route_distance": inputs.route_distance,
            "facesets": dg.MetadataValue.md(_table(result.table)),
            "report": link("what changed per faceset", "reports", bucket, page.name),
            "seconds": story.seconds(),
            **embedder.describe(),
        },
        check_results=[
            untouched_result(result.outcome.touched_undeclared),
            dg.AssetCheckResult(
                check_name="nobody_moved", passed=lost.is_empty(), metadata={"lost": lost["face_id"].to_list()[:100]}
            ),
        ],
    )


def _table(table: pl.DataFrame) -> str:
    if table.is_empty():
        return "No face of this bucket waits to join an identity that exists."
    rows = [
        f"| {markdown_link(row['identity'], 'library', row['identity'])} | {row['label'] or ''} | {row['joined']} "
        f"| {row['exported_before']} | {row['exported']} |"
        for row in table.head(200).iter_rows(named=True)
    ]
    head = ["| faceset | person | joined | exported before | exported now |", "| --- | --- | ---: | ---: | ---: |"]
    return "\n".join([*head, *rows])


def _sections(result: ExtendResult, run: Run, inputs: ExtendInputs, cache_dir: Path) -> list[Section]:
    names, folder = [name for name in EXTENSION_SCHEMA.names() if name != "run_id"], run.library.folder
    rows = result.table.rows(named=True)
    load = {name: photo_loader(run.folders, faces, run.max_pixels) for name, faces in result.joined.items()}
    distance = dict(inputs.coverage.select("face_id", "nearest_distance").iter_rows())
    who = [
        SheetRow(
            f"{name}: {len(faces)} joined",
            [
                Tile(jpeg, f"{distance[face_id]:.3f}")
                for face_id, jpeg in of_faces(faces.head(24), load[name], cache_dir).items()
            ],
        )
        for name, faces in result.joined.items()
    ]
    return [
        Section(
            "What changed per faceset",
            f"Covered faces within {inputs.route_distance} joined the identity that covers them.",
            names,
            [[row[name] for name in names] for row in rows],
        ),
        Section("Who joined", "At most 24 a faceset; cos-dist to the centroid as it was.", pictures=who),
        Section(
            "The face sets now",
            "Rank and score below each face.",
            pictures=[row_of_faceset(folder / place_of(row["identity"], row["kind"]), row["identity"]) for row in rows],
        ),
        Section(
            "How to run it again",
            f"Materialize extended_facesets of {bucket_title(inputs.bucket)}, or run full_pipeline: who joined stays.",
        ),
    ]
