"""The known people: one centroid per identity of the library."""

from pathlib import Path

from dagster import AssetExecutionContext

from facesets_dagster.analysis.existing_centroids import CENTROID_COLUMNS, centroid_table, check_centroids
from facesets_dagster.assets._asset import Check, Result, library_asset
from facesets_dagster.assets._page import Page
from facesets_dagster.assets._versions import frame_version
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.wording import counted

NO_NUMBER_TWICE = Check("no_number_twice", "Every number belongs to one identity.", blocking=True)
IDENTITIES_APART = Check(
    "identities_look_different", "No two identities lie within the pack's cover distance of each other."
)


@library_asset(
    kinds={"parquet", "sqlite"},
    table="CentroidTable",
    checks=[NO_NUMBER_TWICE, IDENTITIES_APART],
)
def existing_centroids(context: AssetExecutionContext, home: HomeResource, embedder: EmbedderResource) -> Result:
    """One centroid per identity of the library, with its kind, its parent and the bucket that founded it.

    A centroid is the normalised mean of the normalised embeddings of the faces that the faceset exports. Facesets of a
    legacy library (`FACESETS_LEGACY`) have a centroid once `legacy_library` has adopted them; until then only their
    names and numbers are listed, and new numbers follow theirs.
    """
    page, library = Page(context, home, embedder), home.library()
    library.finish_moves(f"run {context.run.run_id}", context.log.info)
    cover_distance = embedder.thresholds().cover_distance
    known, table = library.snapshot(), centroid_table(library, embedder.pack())
    remembered = Path(home.cache_dir) / "tables" / "existing_centroids" / "close_pairs.parquet"
    found = check_centroids(known, table, cover_distance, remembered)
    with_centroid = int(table["centroid"].is_not_null().sum())
    page.say(f"{counted(len(table), 'identity', 'identities')}, {with_centroid} with a centroid")
    legacy = int((table["origin"] == "legacy").sum())
    return page.table(
        table,
        CENTROID_COLUMNS,
        {"identities": len(table), "with_centroid": with_centroid, "legacy_identities": legacy},
        {"generation": known.generation},
        version=frame_version(table.drop("generation")),
        checks=[
            NO_NUMBER_TWICE.result(not found.numbers_twice, numbers_with_two_owners=found.numbers_twice),
            IDENTITIES_APART.result(
                not found.close_pairs, pairs=list(map(str, found.close_pairs[:100])), cover_distance=cover_distance
            ),
        ],
    )
