"""A home as a plain object: where buckets, caches, the library and reports are. Knows nothing of Dagster.

The resource `home` builds one from its configuration, the command line one from the settings.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from facesets_dagster.embedding.embedder import ModelPack
from facesets_dagster.errors import BucketError
from facesets_dagster.faces.store import FaceStore
from facesets_dagster.home import require_library
from facesets_dagster.library.block_list import BlockList
from facesets_dagster.library.library import Library, open_library
from facesets_dagster.photos.bucket_key import HAND_SORTED, LEGACY, bucket_title
from facesets_dagster.photos.listing import BucketListing, list_bucket
from facesets_dagster.photos.roots import (
    RootContents,
    bucket_folder,
    existing_folder,
    find_buckets,
    hand_sorted_folder,
    look_at_root,
    the_only,
)
from facesets_dagster.photos.single_folders import single_folders
from facesets_dagster.settings import (
    BACKUPS_KEPT,
    Settings,
    checked_library_name,
    library_folder,
    library_names,
    registry_of,
)


@dataclass(frozen=True)
class Home:
    """Folders and the registry of one home."""

    bucket_roots: tuple[Path, ...]
    """Folders whose sub-folders are buckets; read-only."""
    cache_dir: Path
    library_dir: Path
    database_url: str = field(repr=False)
    legacy_roots: tuple[Path, ...] = ()
    hand_sorted_root: Path | None = None
    ignore: tuple[str, ...] = ()
    """Shell globs of files and folders that are passed over."""
    own_folders: tuple[Path, ...] = ()
    """Folders that are written to, and hold no photos."""
    linked_roots: tuple[Path, ...] = ()
    """Folders to which symbolic links in a bucket may lead."""
    folder_list: Path | None = None
    """The list of folders that are buckets where they lie."""
    registry_backups: int = BACKUPS_KEPT
    """Copies of the registry that are kept."""
    server_url: str | None = field(default=None, repr=False)
    """Where libraries have their registries; None means files in the home."""

    @classmethod
    def of(cls, settings: Settings) -> "Home":
        """The home of these settings. Raises `SettingsError` for a library that does not exist."""
        require_library(settings)
        return cls(
            bucket_roots=settings.bucket_roots,
            cache_dir=settings.cache_dir,
            library_dir=settings.library_dir,
            database_url=settings.database_url,
            legacy_roots=settings.legacy_roots,
            hand_sorted_root=settings.hand_sorted_root,
            ignore=settings.ignore,
            own_folders=settings.own_folders,
            linked_roots=settings.linked_roots,
            folder_list=settings.folder_list,
            registry_backups=settings.registry_backups,
            server_url=settings.server_url,
        )

    def library(self, beside: str | None = None) -> Library:
        """The library with its registry; the registry's tables are made if both are new.

        Raises `LibraryUnpaired`, before anything is made, if they do not belong together or one of them is lost.
        `beside`: the name of another library of this home, as `FACESETS_LIBRARY` would name it.
        """
        folder, url = self.library_dir, self.database_url
        if beside:
            home, name = folder.parent, checked_library_name(beside)
            folder, url = library_folder(home, name), registry_of(home, name, self.server_url)
        return open_library(folder, url, () if beside else self.legacy_roots, self.registry_backups)

    def libraries(self) -> list[Library] | None:
        """All libraries that share the cache; None where that cannot be said: a library beside the default one does not
        know where the default one has its registry.
        """
        home = self.library_dir.parent
        if self.library_dir != library_folder(home, None):
            return None
        return [self.library(), *(self.library(name) for name in library_names(home))]

    def face_store(self, bucket: str, model_id: str, dim: int) -> FaceStore:
        """The cached tables of a bucket and model."""
        return FaceStore(self.cache_dir, bucket, model_id, dim)

    def cached(self, bucket: str) -> FaceStore:
        """The cached tables that a bucket's last run was made from, for reading alone; needs no model pack."""
        models = {run.bucket: run.model_id for run in self.library().registry.bucket_runs()}
        return FaceStore.cached(self.cache_dir, bucket, models.get(bucket))

    def store_of(self, pack: ModelPack) -> Callable[[str], FaceStore]:
        """Bucket -> its cached tables for this model."""
        return lambda bucket: self.face_store(bucket, pack.model_id, pack.dim)

    def folders(self) -> dict[str, Path]:
        """Where photos lie: all buckets, the hand-sorted folders, and anywhere for photos of legacy libraries."""
        sorted_by_hand = {HAND_SORTED: self.hand_sorted_root} if self.hand_sorted_root else {}
        legacy = {LEGACY: Path("/")} if self.legacy_roots else {}
        return {**self.buckets(), **sorted_by_hand, **legacy}

    @property
    def folder(self) -> Path:
        """The home's own: its cache lies in it."""
        return self.cache_dir.parent

    def blocked(self) -> BlockList:
        """What was forgotten here and does not come back."""
        return BlockList.of(self.folder)

    def listing(self, bucket: str) -> BucketListing:
        """What lies in a bucket now."""
        return self.listing_of(self.bucket_folder(bucket))

    def listing_of(self, folder: Path) -> BucketListing:
        """What lies in a folder, by the rules of buckets."""
        linked = (*self.linked_roots, *self.single_folders().values())
        return list_bucket(folder, self.ignore, self.own_folders, linked)

    def bucket_folder(self, bucket: str) -> Path:
        """The folder of a partition key; raises `BucketError` if it is absent or the key is not valid."""
        if bucket == HAND_SORTED and self.hand_sorted_root:
            return hand_sorted_folder(self.hand_sorted_root)
        if self.blocked().has("buckets", bucket):
            raise BucketError(
                f"{bucket_title(bucket)} was forgotten and is not read again. A folder with other photos needs another "
                "name."
            )
        singles = self.single_folders()
        single = singles.get(bucket)
        if single is None:
            return bucket_folder(bucket, self.bucket_roots)
        in_roots = [root / single.name for root in self._roots_of_buckets(singles.values())]
        return the_only(
            [
                existing_folder(single),
                *(folder for folder in in_roots if folder.is_dir() and folder.resolve() != single),
            ]
        )

    def buckets(self) -> dict[str, Path]:
        """All buckets by partition key: of all roots, and the folders that are buckets where they lie.

        Of two of one name there is one folder; reading it is refused. Raises `BucketError` if a root cannot be listed.
        """
        singles = self.single_folders()
        of_roots = find_buckets(self._roots_of_buckets(singles.values()), self.own_folders)
        blocked = self.blocked()
        found = {**of_roots, **singles}
        return {key: found[key] for key in sorted(found) if not blocked.has("buckets", key)}

    def _roots_of_buckets(self, singles: Collection[Path]) -> list[Path]:
        """Roots that are not a bucket themselves."""
        return [root for root in self.bucket_roots if root.resolve() not in singles]

    def single_folders(self) -> dict[str, Path]:
        """Partition key -> folder that is a bucket where it lies; one that is not there now too."""
        return single_folders(self.folder_list) if self.folder_list else {}

    def roots(self) -> list[RootContents]:
        """What lies in each buckets root that is no bucket itself, photos that belong to no bucket included.

        Raises `BucketError` if one cannot be listed.
        """
        taken = self.single_folders().values()
        return [look_at_root(root, self.own_folders) for root in self.bucket_roots if root.resolve() not in taken]
