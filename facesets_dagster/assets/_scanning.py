"""Photos of a bucket, or of the hand-sorted folders, brought into the cache by the asset that is materialized."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from dagster import AssetExecutionContext

from facesets_dagster.assets._forgetting import finish_pending
from facesets_dagster.faces.face_cache import Reading, ScanResult, scan_bucket
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.photos.listing import BucketListing
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.resources.progress import ProgressResource


class ReadingConfig(Protocol):
    """The run config for reading photos."""

    max_pixels: int
    retry_failed: bool


def list_and_scan(
    context: AssetExecutionContext,
    bucket: str,
    config: ReadingConfig,
    home: HomeResource,
    embedder: EmbedderResource,
    progress: ProgressResource,
    *,
    listed: Callable[[BucketListing], None] = lambda _: None,
    folder: Path | None = None,
) -> tuple[BucketListing, ScanResult]:
    """The listing and what was read; `listed` is called before anything is read. `folder`: of what is no bucket.

    Listed while no other run scans the same photos: by a listing from before a wait, what came meanwhile would be gone.
    """
    finish_pending(home, embedder, context.instance, context.op_execution_context.run_id, context.log.info)
    pack = embedder.pack()
    store = home.face_store(bucket, pack.model_id, pack.dim)
    with store.alone(context.log.info):
        listing = home.listing_of(folder) if folder else home.listing(bucket)
        listed(listing)
        with progress.photos(context.log.info, bucket_title(bucket)) as report:
            reading = Reading(
                embedder.embedder,
                workers=embedder.worker_count(),
                max_pixels=config.max_pixels,
                retry_failed=config.retry_failed,
                report=report,
                say=context.log.info,
                blocked=home.plain().blocked(),
            )
            result = scan_bucket(listing, store, reading)
    return listing, result
