"""Who is known already: one centroid per identity of the library."""

import dagster as dg
import polars as pl
from dagster import AssetExecutionContext

from facesets_dagster.analysis.existing_centroids import CENTROID_COLUMNS, centroid_table
from facesets_dagster.assets._asset import teaching
from facesets_dagster.assets._shape import CODE_VERSION, GROUP, OWNERS
from facesets_dagster.assets._story import Story
from facesets_dagster.assets._versions import frame_version, table_columns
from facesets_dagster.assets.hand_sorted_facesets import hand_sorted_facesets
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.wording import counted


@dg.asset(
    deps=[hand_sorted_facesets],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"parquet", "sqlite"},
    code_version=CODE_VERSION,
    io_manager_key="tables",
    # Said here, because an annotation with a value type does not go with check_specs (Dagster 1.13).
    dagster_type=dg.PythonObjectDagsterType(pl.DataFrame, name="CentroidTable"),
    check_specs=[
        dg.AssetCheckSpec(
            "no_number_twice", asset="existing_centroids", blocking=True, description="Every number has one owner."
        ),
        dg.AssetCheckSpec(
            "identities_apart",
            asset="existing_centroids",
            description="No two identities lie within the pack's cover distance of each other.",
        ),
    ],
)
@teaching
def existing_centroids(
    context: AssetExecutionContext, home: HomeResource, embedder: EmbedderResource
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """One centroid per identity of the library, with its kind, its parent and the bucket that founded it.

    A centroid is the normalised mean of the normalised embeddings of the faces that the faceset exports. Facesets of
    a legacy library (`FACESETS_LEGACY`) have one once `legacy_library` has adopted them; until then only their names
    and numbers are listed, and numbers go past them.
    """
    story, library = Story(context), home.library()
    library.settle(f"run {context.run.run_id}", context.log.info)
    thresholds = embedder.thresholds()
    table, check = centroid_table(library, embedder.pack(), thresholds.cover_distance)
    story.tell(
        f"{counted(len(table), 'identity', 'identities')}, {table['centroid'].is_not_null().sum()} with a centroid"
    )
    pairs = [str(pair) for pair in check.close_pairs]
    return dg.MaterializeResult(
        value=table,
        data_version=frame_version(table.drop("generation")),
        metadata={
            "dagster/row_count": len(table),
            "dagster/column_schema": table_columns(table, CENTROID_COLUMNS),
            "identities": len(table),
            "legacy_identities": len(table.filter(pl.col("origin") == "legacy")),
            "generation": library.registry.generation(),
            "seconds": story.seconds(),
            **embedder.describe(),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="no_number_twice",
                passed=not check.numbers_twice,
                metadata={"numbers_with_two_owners": check.numbers_twice},
            ),
            dg.AssetCheckResult(
                check_name="identities_apart",
                passed=not pairs,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={
                    "pairs": pairs[:100],
                    "cover_distance": thresholds.cover_distance,
                },
            ),
        ],
    )
