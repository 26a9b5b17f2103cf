"""The home as a resource: where buckets, caches, the library and reports are."""

from collections.abc import Callable, Mapping
from pathlib import Path

import dagster as dg
from pydantic import Field

from facesets_dagster.embedding.embedder import ModelPack
from facesets_dagster.faces.face_pictures import KeptPictures, PictureSource
from facesets_dagster.faces.store import FaceStore
from facesets_dagster.home import require_library
from facesets_dagster.library.home import Home
from facesets_dagster.library.library import Library
from facesets_dagster.photos.listing import BucketListing
from facesets_dagster.photos.roots import RootContents
from facesets_dagster.photos.workers.decoders import use_limits
from facesets_dagster.photos.workers.limits import PhotoLimits
from facesets_dagster.registry.passwords import hidden, revealed
from facesets_dagster.resources.run_process import note_process, note_run
from facesets_dagster.settings import BACKUPS_KEPT, PHOTO_FILE_MB, PHOTO_SECONDS, Settings


class HomeResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Folders and the registry of one home; made from the settings, fixed for a code location."""

    bucket_roots: list[str] = Field(description="Folders whose sub-folders are source buckets; read-only.")
    cache_dir: str = Field(description="Face tables and intermediate tables; may be deleted, costs a new scan.")
    library_dir: str = Field(description="The library `facesets_swap_ready/`.")
    exports_dir: str = Field(description="Face sets in the formats of other programs, a folder for each.")
    reports_dir: str = Field(description="Write-ups of runs.")
    database_url: str = Field(description="SQLAlchemy URL of the registry, its password hidden.")
    server_url: str | None = Field(
        default=None, description="Where libraries have their registries, its password hidden; null = in the home."
    )
    legacy_roots: list[str] = Field(description="Libraries that the platform did not make; read-only.")
    hand_sorted_root: str | None = Field(default=None, description="Folders named by people; read-only.")
    legacy_map: str | None = Field(
        default=None, description="Column map of the legacy libraries; the shipped one is taken where it is absent."
    )
    ignore: list[str] = Field(default=[], description="Shell globs of files and folders that are passed over.")
    own_folders: list[str] = Field(default=[], description="Folders that are written to, and hold no photos.")
    linked_roots: list[str] = Field(default=[], description="Folders to which symbolic links in a bucket may lead.")
    folder_list: str | None = Field(
        default=None, description="The list of folders that are buckets where they lie (`facesets run --folder`)."
    )
    pictures_in_ui: bool = Field(
        default=True, description="Contact sheets in the metadata of assets, kept by Dagster's event database."
    )

    review_page: bool = Field(
        default=True, description="There is a review page beside the UI, which metadata links to."
    )
    registry_backups: int = Field(
        default=BACKUPS_KEPT, description="Copies of the registry that are kept, one made after each publication."
    )
    photo_memory_mb: float | None = Field(
        default=None, description="Memory for photos in all, MB; null = half of what the machine or its container has."
    )
    photo_file_mb: float = Field(default=PHOTO_FILE_MB, description="Larger photo files are not read, MB.")
    photo_seconds: float = Field(default=PHOTO_SECONDS, description="What decoding one photo may take.")

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Notes on the run which process works on it; sets what its photos may take."""
        use_limits(PhotoLimits.of(self.photo_memory_mb, self.photo_file_mb, self.photo_seconds))
        if context.run is not None and context.instance is not None:
            note_run(Path(self.library_dir).parent, context.run)
            note_process(context.instance, context.run.run_id)

    @classmethod
    def of(cls, settings: Settings) -> "HomeResource":
        """The resource for these settings. Raises `SettingsError` for a library that does not exist."""
        require_library(settings)
        return cls(
            bucket_roots=[str(root) for root in settings.bucket_roots],
            cache_dir=str(settings.cache_dir),
            library_dir=str(settings.library_dir),
            exports_dir=str(settings.exports_dir),
            reports_dir=str(settings.reports_dir),
            database_url=hidden(settings.database_url),
            server_url=hidden(settings.server_url) if settings.server_url else None,
            legacy_roots=[str(root) for root in settings.legacy_roots],
            hand_sorted_root=str(settings.hand_sorted_root) if settings.hand_sorted_root else None,
            legacy_map=str(settings.home / "facesets_legacy.yaml"),
            ignore=list(settings.ignore),
            own_folders=[str(folder) for folder in settings.own_folders],
            linked_roots=[str(folder) for folder in settings.linked_roots],
            folder_list=str(settings.folder_list),
            pictures_in_ui=settings.pictures_in_ui,
            review_page=settings.review != "off",
            registry_backups=settings.registry_backups,
            photo_memory_mb=settings.photo_memory_mb,
            photo_file_mb=settings.photo_file_mb,
            photo_seconds=settings.photo_seconds,
        )

    def plain(self) -> Home:
        """The home without Dagster, which the methods below pass on to."""
        return Home(
            bucket_roots=tuple(Path(root) for root in self.bucket_roots),
            cache_dir=Path(self.cache_dir),
            library_dir=Path(self.library_dir),
            database_url=revealed(self.database_url),
            legacy_roots=tuple(Path(root) for root in self.legacy_roots),
            hand_sorted_root=Path(self.hand_sorted_root) if self.hand_sorted_root else None,
            ignore=tuple(self.ignore),
            own_folders=tuple(Path(folder) for folder in self.own_folders),
            linked_roots=tuple(Path(folder) for folder in self.linked_roots),
            folder_list=Path(self.folder_list) if self.folder_list else None,
            registry_backups=self.registry_backups,
            server_url=revealed(self.server_url) if self.server_url else None,
        )

    def library(self, beside: str | None = None) -> Library:
        """As `Home.library`."""
        return self.plain().library(beside)

    def face_store(self, bucket: str, model_id: str, dim: int) -> FaceStore:
        """As `Home.face_store`."""
        return self.plain().face_store(bucket, model_id, dim)

    def store_of(self, pack: ModelPack) -> Callable[[str], FaceStore]:
        """As `Home.store_of`."""
        return self.plain().store_of(pack)

    def folders(self) -> dict[str, Path]:
        """As `Home.folders`."""
        return self.plain().folders()

    def pictures(self, pack: ModelPack, max_pixels: int, folders: Mapping[str, Path] | None = None) -> PictureSource:
        """Where small pictures of faces are made of and kept; `folders`: bucket -> its photos, the home's without."""
        kept = KeptPictures(Path(self.cache_dir), pack.model_id)
        return PictureSource(self.folders() if folders is None else folders, max_pixels, kept)

    def listing(self, bucket: str) -> BucketListing:
        """As `Home.listing`."""
        return self.plain().listing(bucket)

    def listing_of(self, folder: Path) -> BucketListing:
        """As `Home.listing_of`."""
        return self.plain().listing_of(folder)

    def bucket_folder(self, bucket: str) -> Path:
        """As `Home.bucket_folder`."""
        return self.plain().bucket_folder(bucket)

    def buckets(self) -> dict[str, Path]:
        """As `Home.buckets`."""
        return self.plain().buckets()

    def roots(self) -> list[RootContents]:
        """As `Home.roots`."""
        return self.plain().roots()
