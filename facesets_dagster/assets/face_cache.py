"""Every face of a bucket, detected and embedded once."""

import dagster as dg
import numpy as np
import polars as pl
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.assets._asset import Check, Result, library_asset
from facesets_dagster.assets._config import PhotoConfig, Share
from facesets_dagster.assets._page import Page
from facesets_dagster.assets._scanning import list_and_scan
from facesets_dagster.assets._versions import frame_version, observe_folder, table_columns
from facesets_dagster.assets.bucket_folder import bucket_folder
from facesets_dagster.faces.face_cache import ScanResult
from facesets_dagster.faces.schema import FACE_COLUMNS, failed_photos
from facesets_dagster.faces.unread import unread_of
from facesets_dagster.identities.geometry import normalised
from facesets_dagster.photos.bucket_key import bucket_title, folder_name
from facesets_dagster.photos.listing import BucketListing
from facesets_dagster.reports.markdown import link, markdown_table
from facesets_dagster.reports.plots import histogram
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.resources.progress import ProgressResource
from facesets_dagster.wording import counted

FILES_READABLE = Check("files_readable", "Few photos could not be used.")
UNIT_NORMS = Check(
    "embeddings_can_be_normalised",
    "Every embedding has a length above 0, so that it can be scaled to 1.",
    blocking=True,
)


class FaceCacheConfig(PhotoConfig):
    """How photos are read."""

    retry_failed: bool = Field(default=False, description="Read photos again that could not be used before.")
    max_failed_share: Share = Field(
        default=0.05, description="Share of unusable photos above which the check `files_readable` warns."
    )


@library_asset(
    kinds={"parquet", "onnx"}, deps=[bucket_folder], partitioned=True, pool="gpu", checks=[FILES_READABLE, UNIT_NORMS]
)
def face_cache(
    context: AssetExecutionContext,
    config: FaceCacheConfig,
    home: HomeResource,
    embedder: EmbedderResource,
    progress: ProgressResource,
) -> Result:
    """Every face of a bucket, detected and embedded once.

    Files are listed with all sub-folders, copies with the same bytes are read once. Faces are stored with box,
    landmarks, quality numbers and raw embedding. A second run opens no unchanged file; the run after a killed one
    continues where that one stopped. A photo that cannot be used is recorded with its reason and does not stop the run.
    """
    page, bucket, pack = Page(context, home, embedder), context.partition_key, embedder.pack()
    page.tag(bucket=folder_name(bucket), model_pack=pack.name)

    def listed(listing: BucketListing) -> None:
        observe_folder(context, listing.digest())
        page.say(f"{bucket_title(bucket)}: {len(listing)} photo files listed, model {pack.name} ({pack.model_id})")

    listing, result = list_and_scan(context, bucket, config, home, embedder, progress, listed=listed)
    page.say(
        f"{bucket_title(bucket)}: {len(result.tables.faces)} faces; {result.opened} files opened, "
        f"{result.decoded} photos decoded, {result.copied} known from other buckets"
    )
    if result.forgotten:
        page.say(f"{counted(result.forgotten, 'photo file')} passed over: forgotten here, and not read again")
    page.show(photos=link("the photos", "buckets", bucket))
    page.this_run(opened=result.opened, decoded=result.decoded, copied_from_other_buckets=result.copied)
    if result.decoded:
        page.this_run(photos_per_second=round(result.decoded / max(result.seconds, 1e-6), 2))
    return _described(page, listing, result, config.max_failed_share)


def _described(page: Page, listing: BucketListing, result: ScanResult, max_failed_share: float) -> Result:
    faces, files = result.tables.faces, result.tables.files
    photos, failed = files.filter(pl.col("status") != "foreign"), failed_photos(files)
    share, unread = len(failed) / max(len(photos), 1), unread_of(files, listing)
    for line in unread.lines():
        page.say(line)
    return page.result(
        {
            "faces": len(faces),
            "files": len(photos),
            "noface_files": len(files.filter(pl.col("status") == "noface")),
            "failed_files": len(failed),
            "not_read": unread.lines(),
            **({"forgotten_files": result.forgotten} if result.forgotten else {}),
        },
        {
            "face_short": histogram(faces["face_short"], "px"),
            "det_score": histogram(faces["det_score"], "of 1"),
            "blur": histogram(faces["blur"], "variance of the Laplacian"),
            "failed_share": round(share, 4),
            "contents": photos["sha256"].n_unique(),
            "ignored_files": listing.ignored,
            "foreign_files": len(unread.passed_over),
            "dagster/column_schema": table_columns(faces, FACE_COLUMNS),
        },
        rows=len(faces),
        version=frame_version(faces.drop("embedding")),
        checks=[
            page.verdict(
                FILES_READABLE,
                share <= max_failed_share,
                f"{len(failed)} of {counted(len(photos), 'photo')} could not be used",
                failed_share=share,
                failed=_failed_list(failed),
            ),
            _unit_norms(faces),
        ],
    )


def _unit_norms(faces: pl.DataFrame) -> dg.AssetCheckResult:
    norms = np.linalg.norm(normalised(faces["embedding"].to_numpy()), axis=-1)
    bad = faces.filter(pl.Series(~(np.abs(norms - 1) < 1e-3), dtype=pl.Boolean))["face_id"].to_list()
    return UNIT_NORMS.result(not bad, bad_faces=bad[:50], faces=len(faces))


def _failed_list(failed: pl.DataFrame) -> str:
    rows = failed.select("path", "status", "detail").rows()
    return markdown_table(("photo", "reason", "detail"), rows, most=200, empty="Every photo could be used.")
