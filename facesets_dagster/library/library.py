"""The library as assets and commands see it: reading and settling."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from facesets_dagster.files.states import state_of
from facesets_dagster.library.bucket_notes import note_bucket
from facesets_dagster.library.faceset_manifest import read_faceset
from facesets_dagster.library.lock import library_lock
from facesets_dagster.library.member_table import read_members
from facesets_dagster.library.moves import finish_moves
from facesets_dagster.library.notes import bring_up_notes, renew_bucket_notes
from facesets_dagster.library.numbering import ForeignFaceset, foreign_facesets
from facesets_dagster.library.pair import mark_file, require_pair
from facesets_dagster.library.withheld import KEPT_WHOLE
from facesets_dagster.registry.backups import back_up, registry_file
from facesets_dagster.registry.registry import Registry, open_registry, registry_at
from facesets_dagster.registry.server_lock import ServerLock
from facesets_dagster.registry.snapshot import Snapshot
from facesets_dagster.settings import BACKUPS_KEPT

Say = Callable[[str], None]


@dataclass(frozen=True)
class Library:
    """A library folder, its registry, and the legacy libraries beside it."""

    folder: Path
    registry: Registry
    legacy_roots: tuple[Path, ...]
    backups_kept: int = BACKUPS_KEPT
    """Copies of the registry that are kept."""

    def snapshot(self) -> Snapshot:
        """The registry as it is now; the same object as long as nothing was published or named."""
        return self.registry.snapshot()

    def legacy_facesets(self) -> list[ForeignFaceset]:
        """Facesets of all legacy roots; names and numbers only."""
        return [faceset for root in self.legacy_roots for faceset in foreign_facesets(root)]

    def locked(self, holder: str, say: Say) -> AbstractContextManager[None]:
        """The lock alone. Raises `LibraryLocked` after an hour."""
        return library_lock(self.folder, holder, say=say, server=ServerLock(self.registry.engine))

    @contextmanager
    def held(self, holder: str, say: Say) -> Iterator[None]:
        """The lock, with the moves finished that an interrupted publication owes: registry and folders agree.

        What was published is noted in the folder when the block ends without an error, and the registry copied. Raises
        `LibraryUnpaired` if folder and registry do not belong together.
        """
        with self.locked(holder, say):
            pair = require_pair(self.folder, self.registry)
            finish_moves(self.registry, self.folder, say)
            if not pair.is_noted:  # by an interrupted publication, or an older release
                renew_bucket_notes(self.folder, self.registry)
            yield
            bring_up_notes(self.folder, self.registry, self.backups_kept, has_id=pair.has_id)

    def finish_moves(self, holder: str, say: Say) -> None:
        """Finishes what an interrupted publication owes; takes the lock only if there is something to do."""
        if self.registry.owes_moves():
            with self.held(holder, say):
                pass

    def note_bucket(self, bucket: str, *, copy_registry: bool = False) -> None:
        """Notes the funnel of a bucket in the folder, for recovery; with `copy_registry` the registry is copied too."""
        note_bucket(self.folder, self.registry, bucket)
        if copy_registry:
            back_up(self.registry, self.backups_kept)

    def note_all_buckets(self) -> None:
        """Notes the funnels of all buckets whose note is of another run than the registry's."""
        renew_bucket_notes(self.folder, self.registry)

    def published_faces(self, names: list[str]) -> dict[str, Path]:
        """face_id -> PNG of the named facesets, in place, retired, or whole where a policy withholds faces."""
        pictures: dict[str, Path] = {}
        for name in names:
            for folder in (
                self.folder / KEPT_WHOLE / name,
                self.folder / "_retired" / name,
                self.folder / "_thin" / name,
                self.folder / name,
            ):
                manifest = read_faceset(folder)
                pictures.update({face.face_id: folder / face.file for face in manifest.faces} if manifest else {})
        return pictures

    def member_rows(self, names: list[str]) -> pl.DataFrame | None:
        """Rows of `members.parquet` of the named facesets, for members whose cache rows are gone."""
        paths = [self.folder / part / name / "members.parquet" for name in names for part in ("", "_thin")]
        frames = [read_members(path) for path in paths if path.exists()]
        return pl.concat(frames) if frames else None


def open_library(
    folder: Path, database_url: str, legacy_roots: tuple[Path, ...] = (), backups_kept: int = BACKUPS_KEPT
) -> Library:
    """A library with its registry, whose tables are made if both are new.

    Raises `LibraryUnpaired`, and makes nothing, if they do not belong together or one of them is lost.
    """
    registry = registry_at(database_url)
    if registry.paired.get(folder) != _state_of_pair(registry, folder):
        require_pair(folder, registry)
    open_registry(database_url)
    registry.paired[folder] = _state_of_pair(registry, folder)
    return Library(folder, registry, legacy_roots, backups_kept)


def _state_of_pair(registry: Registry, folder: Path) -> tuple[object, ...]:
    """Of the registry's file and of the mark in the folder; the former is another one after each write."""
    file = registry_file(registry)
    return state_of(file) if file else "server", state_of(mark_file(folder))
