"""The library as assets and commands see it: reading and settling."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from facesets_dagster.library.faceset_manifest import read_faceset
from facesets_dagster.library.lock import library_lock
from facesets_dagster.library.member_table import read_members
from facesets_dagster.library.moves import finish_moves
from facesets_dagster.library.numbering import ForeignFaceset, foreign_facesets
from facesets_dagster.registry.registry import Registry
from facesets_dagster.registry.server_lock import ServerLock
from facesets_dagster.registry.snapshot import Snapshot

Say = Callable[[str], None]


@dataclass(frozen=True)
class Library:
    """A library folder, its registry, and the legacy libraries beside it."""

    folder: Path
    registry: Registry
    legacy_roots: tuple[Path, ...]

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
        """The lock, with the moves finished that an interrupted publication owes: registry and folders agree."""
        with self.locked(holder, say):
            finish_moves(self.registry, self.folder, say)
            yield

    def finish_moves(self, holder: str, say: Say) -> None:
        """Finishes what an interrupted publication owes; takes the lock only if there is something to do."""
        if self.registry.owes_moves():
            with self.held(holder, say):
                pass

    def published_faces(self, names: list[str]) -> dict[str, Path]:
        """face_id -> PNG of the named facesets, in place or retired."""
        pictures: dict[str, Path] = {}
        for name in names:
            for folder in (self.folder / "_retired" / name, self.folder / "_thin" / name, self.folder / name):
                manifest = read_faceset(folder)
                pictures.update({face.face_id: folder / face.file for face in manifest.faces} if manifest else {})
        return pictures

    def member_rows(self, names: list[str]) -> pl.DataFrame | None:
        """Rows of `members.parquet` of the named facesets, for members whose cache rows are gone."""
        paths = [self.folder / part / name / "members.parquet" for name in names for part in ("", "_thin")]
        frames = [read_members(path) for path in paths if path.exists()]
        return pl.concat(frames) if frames else None
