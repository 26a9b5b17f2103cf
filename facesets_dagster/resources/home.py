"""The home as a resource: where buckets, caches, the library and reports are."""

from pathlib import Path

import dagster as dg
from pydantic import Field

from facesets_dagster.faces.store import FaceStore
from facesets_dagster.library.library import Library
from facesets_dagster.library.registry import Registry
from facesets_dagster.photos.listing import BucketListing, bucket_folder, find_buckets, list_bucket
from facesets_dagster.resources.run_process import note_process
from facesets_dagster.settings import Settings


class HomeResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Folders and the registry of one home; made from the settings, fixed for a code location."""

    bucket_roots: list[str] = Field(description="Folders whose sub-folders are source buckets; read-only.")
    cache_dir: str = Field(description="Face tables and intermediate tables; may be deleted, costs a new scan.")
    library_dir: str = Field(description="The library `facesets_swap_ready/`.")
    reports_dir: str = Field(description="Write-ups of runs.")
    database_url: str = Field(description="SQLAlchemy URL of the registry.")
    legacy_roots: list[str] = Field(description="Libraries that the platform did not make; read-only.")
    pictures_in_ui: bool = Field(
        default=True, description="Contact sheets in the metadata of assets, kept by Dagster's event database."
    )

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Notes on the run which process works on it."""
        if context.run is not None and context.instance is not None:
            note_process(context.instance, context.run.run_id)

    @classmethod
    def of(cls, settings: Settings) -> "HomeResource":
        """The resource for these settings."""
        return cls(
            bucket_roots=[str(root) for root in settings.bucket_roots],
            cache_dir=str(settings.cache_dir),
            library_dir=str(settings.library_dir),
            reports_dir=str(settings.reports_dir),
            database_url=settings.database_url,
            legacy_roots=[str(root) for root in settings.legacy_roots],
            pictures_in_ui=settings.pictures_in_ui,
        )

    def library(self) -> Library:
        """The library with its registry; the registry's tables are made if they are absent."""
        registry = Registry(self.database_url)
        registry.create()
        return Library(Path(self.library_dir), registry, tuple(Path(root) for root in self.legacy_roots))

    def face_store(self, bucket: str, model_id: str, dim: int) -> FaceStore:
        """The cached tables of a bucket and model."""
        return FaceStore(Path(self.cache_dir), bucket, model_id, dim)

    def listing(self, bucket: str, ignore: tuple[str, ...] = ()) -> BucketListing:
        """What lies in a bucket now."""
        return list_bucket(self.bucket_folder(bucket), ignore)

    def bucket_folder(self, bucket: str) -> Path:
        """The folder of a partition key; raises `BucketError` if it is absent or the key is not valid."""
        return bucket_folder(bucket, tuple(Path(root) for root in self.bucket_roots))

    def buckets(self) -> dict[str, Path]:
        """All buckets of all roots by partition key."""
        return find_buckets(tuple(Path(root) for root in self.bucket_roots))
