"""The home as a resource: where buckets, caches, the library and reports are."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
from pydantic import Field

from facesets_dagster.embedding.embedder import ModelPack
from facesets_dagster.faces.store import FaceStore
from facesets_dagster.home import require_library
from facesets_dagster.library.library import Library
from facesets_dagster.photos.bucket_key import HAND_SORTED, LEGACY
from facesets_dagster.photos.listing import BucketListing, list_bucket
from facesets_dagster.photos.roots import RootContents, bucket_folder, find_buckets, hand_sorted_folder, look_at_root
from facesets_dagster.registry.registry import open_registry
from facesets_dagster.resources.run_process import note_process
from facesets_dagster.settings import Settings, checked_library_name, library_folder, registry_url


class HomeResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Folders and the registry of one home; made from the settings, fixed for a code location."""

    bucket_roots: list[str] = Field(description="Folders whose sub-folders are source buckets; read-only.")
    cache_dir: str = Field(description="Face tables and intermediate tables; may be deleted, costs a new scan.")
    library_dir: str = Field(description="The library `facesets_swap_ready/`.")
    exports_dir: str = Field(description="Face sets in the formats of other programs, a folder for each.")
    reports_dir: str = Field(description="Write-ups of runs.")
    database_url: str = Field(description="SQLAlchemy URL of the registry.")
    legacy_roots: list[str] = Field(description="Libraries that the platform did not make; read-only.")
    hand_sorted_root: str | None = Field(default=None, description="Folders named by people; read-only.")
    legacy_map: str | None = Field(
        default=None, description="Column map of the legacy libraries; the shipped one is taken where it is absent."
    )
    ignore: list[str] = Field(default=[], description="Shell globs of files and folders that are passed over.")
    own_folders: list[str] = Field(default=[], description="Folders that are written to, and hold no photos.")
    pictures_in_ui: bool = Field(
        default=True, description="Contact sheets in the metadata of assets, kept by Dagster's event database."
    )

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Notes on the run which process works on it."""
        if context.run is not None and context.instance is not None:
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
            database_url=settings.database_url,
            legacy_roots=[str(root) for root in settings.legacy_roots],
            hand_sorted_root=str(settings.hand_sorted_root) if settings.hand_sorted_root else None,
            legacy_map=str(settings.home / "facesets_legacy.yaml"),
            ignore=list(settings.ignore),
            own_folders=[str(folder) for folder in settings.own_folders],
            pictures_in_ui=settings.pictures_in_ui,
        )

    def library(self, beside: str | None = None) -> Library:
        """The library with its registry; the registry's tables are made if they are absent.

        `beside`: the name of another library of this home, as `FACESETS_LIBRARY` would name it.
        """
        folder, url = Path(self.library_dir), self.database_url
        if beside:
            home = folder.parent
            folder, url = library_folder(home, checked_library_name(beside)), registry_url(home, beside)
        return Library(folder, open_registry(url), () if beside else tuple(Path(root) for root in self.legacy_roots))

    def face_store(self, bucket: str, model_id: str, dim: int) -> FaceStore:
        """The cached tables of a bucket and model."""
        return FaceStore(Path(self.cache_dir), bucket, model_id, dim)

    def store_of(self, pack: ModelPack) -> Callable[[str], FaceStore]:
        """Bucket -> its cached tables for this model."""
        return lambda bucket: self.face_store(bucket, pack.model_id, pack.dim)

    def folders(self) -> dict[str, Path]:
        """Where photos lie: all buckets, the hand-sorted folders, and anywhere for photos of legacy libraries."""
        sorted_by_hand = {HAND_SORTED: Path(self.hand_sorted_root)} if self.hand_sorted_root else {}
        legacy = {LEGACY: Path("/")} if self.legacy_roots else {}
        return {**self.buckets(), **sorted_by_hand, **legacy}

    def listing(self, bucket: str) -> BucketListing:
        """What lies in a bucket now."""
        return list_bucket(self.bucket_folder(bucket), tuple(self.ignore), self._own())

    def bucket_folder(self, bucket: str) -> Path:
        """The folder of a partition key; raises `BucketError` if it is absent or the key is not valid."""
        if bucket == HAND_SORTED and self.hand_sorted_root:
            return hand_sorted_folder(Path(self.hand_sorted_root))
        return bucket_folder(bucket, self._roots())

    def buckets(self) -> dict[str, Path]:
        """All buckets of all roots by partition key."""
        return find_buckets(self._roots(), self._own())

    def roots(self) -> list[RootContents]:
        """What lies in each buckets root, photos that belong to no bucket included.

        Raises `BucketError` if one cannot be listed.
        """
        return [look_at_root(root, self._own()) for root in self._roots()]

    def _roots(self) -> tuple[Path, ...]:
        return tuple(Path(root) for root in self.bucket_roots)

    def _own(self) -> tuple[Path, ...]:
        return tuple(Path(folder) for folder in self.own_folders)
