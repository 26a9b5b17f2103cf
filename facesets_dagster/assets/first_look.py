"""The faces of a bucket in groups, without gates, numbers or library."""

from pathlib import Path

from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.analysis.first_look import look_at_bucket
from facesets_dagster.assets._asset import Check, Result, library_asset
from facesets_dagster.assets._config import Distance, PhotoConfig, given_or
from facesets_dagster.assets._page import Page
from facesets_dagster.assets.face_cache import face_cache
from facesets_dagster.embedding.thresholds import PackThresholds
from facesets_dagster.faces.photo_loader import photo_loader
from facesets_dagster.identities.first_look import FIRST_LOOK_COLUMNS, NOFACE, SINGLETONS
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.reports.first_look_page import first_look_sections, first_look_sheet
from facesets_dagster.reports.plots import sizes_in_words
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.wording import counted

EVERY_FACE_PLACED = Check(
    "every_face_in_one_group",
    "Every face of the cache is in exactly one group, and every file without a face is listed.",
    blocking=True,
)


class FirstLookConfig(PhotoConfig):
    """How similar the faces of a group are."""

    cluster_distance: Distance | None = Field(
        default=None,
        gt=0,
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

    @classmethod
    def of_pack(cls, pack: PackThresholds) -> dict[str, float]:
        """Field -> the pack's number."""
        return {"cluster_distance": pack.cluster_distance}


@library_asset(
    kinds={"parquet", "numpy"},
    deps=[face_cache],
    partitioned=True,
    table="FirstLookTable",
    checks=[EVERY_FACE_PLACED],
)
def first_look(
    context: AssetExecutionContext, config: FirstLookConfig, home: HomeResource, embedder: EmbedderResource
) -> Result:
    """A first look at a bucket: all its faces in groups; nothing is gated, numbered, compared or published.

    Average linkage over every face that `face_cache` found, cut at `cluster_distance`. Groups by size, then the groups
    of one face (`_singletons`), then the files without a face (`_noface`), as a table and as contact sheets. It does
    not touch the library, and no asset depends on it.
    """
    page, bucket, pack = Page(context, home, embedder), context.partition_key, embedder.pack()
    distance = given_or(config.cluster_distance, embedder.thresholds().cluster_distance)
    store = home.face_store(bucket, pack.model_id, pack.dim)
    found = look_at_bucket(store, bucket, pack, cluster_distance=distance, max_faces=config.max_faces)
    page.say(f"{bucket_title(bucket)}: {counted(len(found.faces), 'face')} in {counted(len(found.groups), 'group')}")
    load_photo = photo_loader({bucket: home.bucket_folder(bucket)}, found.faces, config.max_pixels)
    rows = first_look_sheet(found, load_photo, Path(home.cache_dir))
    page.write("First look", first_look_sections(found, rows), "the groups, with their faces", sheet=rows)
    sizes, without = found.groups["faces"].to_list(), found.in_folder(NOFACE)
    return page.table(
        found.table,
        FIRST_LOOK_COLUMNS,
        {"faces": len(found.faces), "groups": len(sizes), "singletons": found.in_folder(SINGLETONS)},
        {
            "files_without_face": without,
            "files_not_usable": found.not_usable(),
            "group_sizes": sizes_in_words(sizes, "group"),
            "largest_groups": sizes[:20],
            "cluster_distance": distance,
        },
        checks=[EVERY_FACE_PLACED.result(found.complete(), faces=len(found.faces), files_without_face=without)],
    )
