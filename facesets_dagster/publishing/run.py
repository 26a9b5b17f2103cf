"""What every publication needs, in one record that is made once from the resources (`assets._run`)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from facesets_dagster.embedding.embedder import Embedder, ModelPack
from facesets_dagster.export.curation import ExportParameters
from facesets_dagster.library.library import Library
from facesets_dagster.library.membership import StoreOf, rows_of_members
from facesets_dagster.publishing.gallery import Gallery, Terms
from facesets_dagster.publishing.member_rows import FindRows, Places
from facesets_dagster.publishing.staging import RunStamp


@dataclass(frozen=True)
class Run:
    """A run that publishes."""

    library: Library
    store_of: StoreOf
    embedder: Callable[[], Embedder]
    pack: ModelPack
    folders: Mapping[str, Path]
    """Bucket -> where its photos lie."""
    max_pixels: int
    """Photos with more are not opened."""
    export: ExportParameters
    """How faces are exported; an identity whose manifest records other numbers keeps those where it is not the run's
    to set them."""
    run_id: str
    code_version: str
    say: Callable[[str], None]

    @property
    def holder(self) -> str:
        """The run's name in the lock."""
        return f"run {self.run_id}"

    def stamp(self) -> RunStamp:
        """What the manifests of this run say, as of now."""
        created_at = datetime.now(UTC).isoformat(timespec="seconds")
        return RunStamp(self.run_id, self.pack.model_id, self.code_version, created_at)

    def gallery(
        self,
        faces: pl.DataFrame,
        terms: Terms,
        names: Sequence[str],
        *,
        find_rows: FindRows | None = None,
        places: Places | None = None,
        pictures: Mapping[str, Path] | None = None,
    ) -> Gallery:
        """Contents of facesets by membership.

        `faces`: rows of the face table at hand; `terms`: of a faceset for which the plan gives none; `names`: the
        identities whose pictures are taken over. `find_rows`, `places`: in place of what caches and registry say of
        members; `pictures`: face_id -> PNG of further pictures that are taken over.
        """
        return Gallery(
            faces,
            find_rows or (lambda wanted: rows_of_members(self.library, self.store_of, wanted)),
            places or (lambda name: self.library.snapshot().places(name)),
            self.embedder,
            self.folders,
            max_pixels=self.max_pixels,
            scratch=self.library.folder,
            terms=terms,
            model=self.pack.recorded(),
            published={**(pictures or {}), **self.library.published_faces(list(names))},
            say=self.say,
        )
