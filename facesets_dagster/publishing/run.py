"""What every publication needs, in one record that is made once from the resources (`assets._run`)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from facesets_dagster.embedding.embedder import Embedder, ModelPack
from facesets_dagster.embedding.thresholds import thresholds_for
from facesets_dagster.export.curation import ExportParameters
from facesets_dagster.faces.face_pictures import PictureSource
from facesets_dagster.library.library import Library
from facesets_dagster.library.membership import StoreOf
from facesets_dagster.publishing.consent.judging import AgesOf, Consent, consent_of


@dataclass(frozen=True)
class RunStamp:
    """Which run publishes, and with what."""

    run_id: str
    model_id: str
    code_version: str
    created_at: str


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
    pictures: PictureSource
    """Of faces that may be copies of one photo."""
    export: ExportParameters
    """How faces are exported; an identity whose manifest records other numbers keeps those where it is not the run's
    to set them."""
    run_id: str
    code_version: str
    say: Callable[[str], None]
    cover_distance: float | None = None
    """Up to this cosine distance a faceset shows the person of a photo; None: as the pack is shipped."""

    ages: AgesOf | None = None
    """Estimates of ages; None where the pack has no model for it."""

    def consent(self) -> Consent:
        """The home's policy. Raises `SettingsError` for one that cannot be used."""
        distance = thresholds_for(self.pack).cover_distance if self.cover_distance is None else self.cover_distance
        buckets, model_id = list(self.folders), self.pack.model_id
        return consent_of(
            self.library, self.store_of, buckets, model_id, self.embedder, distance, self.max_pixels, self.ages
        )

    @property
    def holder(self) -> str:
        """The run's name in the lock."""
        return f"run {self.run_id}"

    def stamp(self) -> RunStamp:
        """What the manifests of this run say, as of now."""
        created_at = datetime.now(UTC).isoformat(timespec="seconds")
        return RunStamp(self.run_id, self.pack.model_id, self.code_version, created_at)
