"""Who might be in a bucket: groups without gates, numbers or library."""

from pathlib import Path

import dagster as dg
import polars as pl
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.assets._asset import teaching
from facesets_dagster.assets._links import link
from facesets_dagster.assets._shape import CODE_VERSION, GROUP, OWNERS
from facesets_dagster.assets._story import Story
from facesets_dagster.assets._versions import frame_version, table_columns
from facesets_dagster.assets.face_cache import face_cache
from facesets_dagster.errors import BucketError
from facesets_dagster.faces.photo_loader import photo_loader
from facesets_dagster.faces.schema import failed_photos
from facesets_dagster.identities.first_look import (
    FIRST_LOOK_COLUMNS,
    NOFACE,
    SINGLE,
    SINGLETONS,
    first_look_at,
    groups_of,
)
from facesets_dagster.partitions import SOURCE_BUCKET
from facesets_dagster.reports.contact_sheet import SheetRow, Tile, sheet_markdown
from facesets_dagster.reports.plots import bars
from facesets_dagster.reports.system_page import Section, write_system_page
from facesets_dagster.reports.thumbnails import of_faces
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.wording import counted

SHOWN_GROUPS, SHOWN_FACES, SHOWN_SINGLES = 40, 12, 64
"""Pictures on the page: of the largest groups, of each group, of the singletons."""


class FirstLookConfig(dg.Config):
    """How alike the faces of a group are."""

    cluster_distance: float | None = Field(
        default=None,
        gt=0,
        le=2,
        description="Average cosine distance at which the linkage is cut. null = pack (ArcFace packs 0.55).",
    )
    max_faces: int = Field(
        default=1_000_000,
        ge=2,
        le=10_000_000,
        description=(
            "Most faces that are grouped at once; more fail the asset. Memory grows with the faces and their near "
            "pairs (1,000,000: about 8 GB)."
        ),
    )
    max_pixels: int = Field(default=300_000_000, gt=0, description="Photos with more pixels (decoded) get no picture.")


@dg.asset(
    partitions_def=SOURCE_BUCKET,
    deps=[face_cache],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"parquet", "numpy"},
    code_version=CODE_VERSION,
    io_manager_key="tables",
    # Said here, because an annotation with a value type does not go with check_specs (Dagster 1.13).
    dagster_type=dg.PythonObjectDagsterType(pl.DataFrame, name="FirstLookTable"),
    check_specs=[
        dg.AssetCheckSpec(
            "every_face_placed",
            asset="first_look",
            blocking=True,
            description="Every face of the cache is in exactly one group, and every file without a face is listed.",
        )
    ],
)
@teaching
def first_look(
    context: AssetExecutionContext, config: FirstLookConfig, home: HomeResource, embedder: EmbedderResource
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """A first look at a bucket: all its faces in groups, with nothing gated, numbered, compared or published.

    Average linkage over every face that `face_cache` found, cut at `cluster_distance`. Groups by size, then the groups
    of one (`_singletons`), then the files without a face (`_noface`), as a table and as contact sheets. The library is
    neither read nor written; nothing depends on this.
    """
    story, bucket, pack = Story(context), context.partition_key, embedder.pack()
    store = home.face_store(bucket, pack.model_id, pack.dim)
    if store.folder_digest() is None:
        raise BucketError(
            f"The bucket {bucket!r} was not read with the model {pack.name} yet, so it has no cached faces. "
            "Materialize face_cache of this bucket first."
        )
    tables, given = store.read(), config.cluster_distance
    table = first_look_at(
        tables.faces,
        tables.files,
        cluster_distance=embedder.thresholds().cluster_distance if given is None else given,
        max_faces=config.max_faces,
        bucket=bucket,
        model_id=pack.model_id,
    )
    groups = groups_of(table)
    story.tell(f"{bucket}: {counted(len(tables.faces), 'face')} in {counted(len(groups), 'group')}")
    shown = _shown(table)
    load_photo = photo_loader({bucket: home.bucket_folder(bucket)}, tables.faces, config.max_pixels)
    wanted = tables.faces.filter(pl.col("face_id").is_in(shown["face_id"].implode()))
    rows = _sheet(shown, groups, of_faces(wanted, load_photo, Path(home.cache_dir)))
    page = write_system_page(
        home.reports(),
        bucket,
        context.run.run_id,
        "first_look",
        "First look",
        _sections(table, groups, rows),
        changes="",
    )
    counts = {name: len(table.filter(pl.col("folder") == name)) for name in (SINGLETONS, NOFACE)}
    sizes = groups["faces"].to_list()
    placed = table["face_id"].drop_nulls()
    without = len(tables.files.filter(pl.col("status") == "noface"))
    return dg.MaterializeResult(
        value=table,
        data_version=frame_version(table),
        metadata={
            "dagster/row_count": len(table),
            "dagster/column_schema": table_columns(table, FIRST_LOOK_COLUMNS),
            "report": link("the groups", "reports", bucket, page.name),
            "faces": len(tables.faces),
            "groups": len(groups),
            "singletons": counts[SINGLETONS],
            "files_without_face": counts[NOFACE],
            "files_not_usable": len(failed_photos(tables.files)),
            "largest_groups": sizes[:20],
            "group_sizes": dg.MetadataValue.md(bars(sizes)),
            **({"contact_sheet": dg.MetadataValue.md(sheet_markdown(rows))} if home.pictures_in_ui else {}),
            "cluster_distance": float(table["cluster_distance"][0]) if len(table) else given,
            "seconds": story.seconds(),
            **embedder.describe(),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="every_face_placed",
                passed=sorted(placed) == sorted(tables.faces["face_id"]) and counts[NOFACE] == without,
                metadata={"faces": len(tables.faces), "placed": len(placed), "files_without_face": without},
            )
        ],
    )


def _shown(table: pl.DataFrame) -> pl.DataFrame:
    """The faces that get a picture, in the table's order: nearest to the centroid first, of singletons the largest."""
    singles = table.filter(pl.col("group") == SINGLE).sort("face_short", "face_id", descending=[True, False])
    groups = table.filter(pl.col("group").is_between(0, SHOWN_GROUPS - 1))
    groups = groups.filter(pl.int_range(pl.len()).over("group") < SHOWN_FACES)
    return pl.concat([groups, singles.head(SHOWN_SINGLES)])


def _sheet(shown: pl.DataFrame, groups: pl.DataFrame, pictures: dict[str, bytes]) -> list[SheetRow]:
    faces = dict(groups.select("folder", "faces").iter_rows())
    rows = []
    for (folder,), members in shown.group_by("folder", maintain_order=True):
        found = members.select("face_id", "distance", "face_short").iter_rows()
        tiles = [
            Tile(pictures[face_id], f"{distance:.2f}" if folder in faces else f"{short:.0f} px")
            for face_id, distance, short in found
            if face_id in pictures
        ]
        rows.append(
            SheetRow(f"{folder}: {counted(faces[str(folder)], 'face')}" if folder in faces else str(folder), tiles)
        )
    return rows


def _sections(table: pl.DataFrame, groups: pl.DataFrame, rows: list[SheetRow]) -> list[Section]:
    singles = table.filter(pl.col("group") == SINGLE).select("path", "face_id", "face_short")
    noface = table.filter(pl.col("folder") == NOFACE).select("path")
    distance = f"cut at {table['cluster_distance'][0]}" if len(table) else "without a face"
    return [
        Section(
            "Groups",
            f"Average linkage, {distance}. Nothing was gated: blurred, small and wrong faces are among them. The "
            "number below a face is its cosine distance to the centroid of its group.",
            ("group", "faces", "photos", "median distance", "farthest"),
            groups.rows(),
            [row for row in rows if row.title != SINGLETONS],
        ),
        Section(
            SINGLETONS,
            f"{counted(len(singles), 'face is', 'faces are')} alone in a group.",
            ("photo", "face", "face_short, px"),
            singles.rows(),
            [row for row in rows if row.title == SINGLETONS],
        ),
        Section(
            NOFACE,
            f"{counted(len(noface), 'file was', 'files were')} read and no face was found.",
            ("photo",),
            noface.rows(),
        ),
    ]
