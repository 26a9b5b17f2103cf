"""Every face of a bucket, detected and embedded once."""

import dagster as dg
import numpy as np
import polars as pl
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.assets._asset import teaching
from facesets_dagster.assets._links import link
from facesets_dagster.assets._scanning import list_and_scan
from facesets_dagster.assets._shape import CODE_VERSION, GROUP, OWNERS
from facesets_dagster.assets._story import Story
from facesets_dagster.assets._versions import frame_version, observe_folder, table_columns
from facesets_dagster.assets.bucket_folder import bucket_folder
from facesets_dagster.faces.face_cache import ScanResult
from facesets_dagster.faces.schema import FACE_COLUMNS, failed_photos
from facesets_dagster.identities.geometry import normalised
from facesets_dagster.partitions import SOURCE_BUCKET
from facesets_dagster.photos.bucket_key import folder_name
from facesets_dagster.photos.listing import BucketListing
from facesets_dagster.reports.plots import histogram
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.resources.progress import ProgressResource


class FaceCacheConfig(dg.Config):
    """How photos are read."""

    max_pixels: int = Field(default=300_000_000, gt=0, description="Photos with more pixels (decoded) are refused.")
    ignore: list[str] = Field(
        default=[], description="Shell globs of paths or names inside the bucket that are passed over, e.g. `*_thumb*`."
    )
    retry_failed: bool = Field(default=False, description="Read photos again that could not be used before.")
    max_failed_share: float = Field(
        default=0.05, ge=0, le=1, description="Share of unusable photos above which the check `files_readable` warns."
    )


@dg.asset(
    partitions_def=SOURCE_BUCKET,
    deps=[bucket_folder],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"parquet", "onnx"},
    code_version=CODE_VERSION,
    pool="gpu",
    check_specs=[
        dg.AssetCheckSpec("files_readable", asset="face_cache", description="Few photos could not be used."),
        dg.AssetCheckSpec(
            "unit_norms", asset="face_cache", blocking=True, description="Every embedding can be normalised to 1."
        ),
    ],
)
@teaching
def face_cache(
    context: AssetExecutionContext,
    config: FaceCacheConfig,
    home: HomeResource,
    embedder: EmbedderResource,
    progress: ProgressResource,
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Every face of a bucket, detected and embedded once.

    Files are listed recursively, byte-equal copies are read once, faces are stored with box, landmarks, quality numbers
    and raw embedding. A second run opens no unchanged file; a run that was killed goes on where it stopped. A photo
    that cannot be used is recorded with its reason and stops nothing.
    """
    bucket = context.partition_key
    pack = embedder.pack()
    story = Story(context, bucket=folder_name(bucket), model_pack=pack.name)

    def listed(listing: BucketListing) -> None:
        observe_folder(context, listing.digest())
        story.tell(f"{bucket}: {len(listing)} photo files listed, model {pack.name} ({pack.model_id})")

    listing, result = list_and_scan(
        context, bucket, config, home, embedder, progress, ignore=tuple(config.ignore), listed=listed
    )
    story.tell(
        f"{bucket}: {len(result.tables.faces)} faces; {result.opened} files opened, {result.decoded} photos decoded, "
        f"{result.copied} known from other buckets"
    )
    return _described(bucket, listing, result, config.max_failed_share, embedder.describe())


def _described(
    bucket: str, listing: BucketListing, result: ScanResult, max_failed_share: float, model: dict[str, str]
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    faces, files = result.tables.faces, result.tables.files
    photos = files.filter(pl.col("status") != "foreign")
    failed = failed_photos(files)
    share = len(failed) / max(len(photos), 1)
    norms = np.linalg.norm(normalised(faces["embedding"].to_numpy()), axis=-1)
    bad_norms = faces.filter(pl.Series(~(np.abs(norms - 1) < 1e-3), dtype=pl.Boolean))["face_id"].to_list()
    return dg.MaterializeResult(
        data_version=frame_version(faces.drop("embedding")),
        metadata={
            "dagster/row_count": len(faces),
            "dagster/column_schema": table_columns(faces, FACE_COLUMNS),
            "files": len(photos),
            "faces": len(faces),
            "contents": photos["sha256"].n_unique(),
            "noface_files": len(files.filter(pl.col("status") == "noface")),
            "failed_files": len(failed),
            "ignored_files": listing.ignored,
            "foreign_files": len(listing.foreign),
            "opened": result.opened,
            "decoded": result.decoded,
            "copied_from_other_buckets": result.copied,
            "failed_share": round(share, 4),
            "seconds": round(result.seconds, 3),
            "photos_per_second": round(result.decoded / max(result.seconds, 1e-6), 2),
            "face_short": dg.MetadataValue.md(histogram(faces["face_short"], "px")),
            "det_score": dg.MetadataValue.md(histogram(faces["det_score"], "of 1")),
            "blur": dg.MetadataValue.md(histogram(faces["blur"], "variance of the Laplacian")),
            "photos": link("the photos", "buckets", bucket),
            **model,
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="files_readable",
                passed=share <= max_failed_share,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={
                    "failed_share": share,
                    "failed": dg.MetadataValue.md(_failed_list(failed)),
                },
            ),
            dg.AssetCheckResult(
                check_name="unit_norms",
                passed=not bad_norms,
                metadata={"bad_faces": bad_norms[:50], "faces": len(faces)},
            ),
        ],
    )


def _failed_list(failed: pl.DataFrame) -> str:
    if failed.is_empty():
        return "Every photo could be used."
    rows = [
        f"| `{path}` | {status} | {detail} |"
        for path, status, detail in failed.select("path", "status", "detail").rows()
    ]
    return "\n".join(["| photo | reason | detail |", "| --- | --- | --- |", *rows[:200]])
