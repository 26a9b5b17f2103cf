"""The home's policy as assets need it: made of the resources, and its check."""

from collections.abc import Mapping
from pathlib import Path

import dagster as dg
import polars as pl

from facesets_dagster.analysis.face_landmarks import enrich_faces
from facesets_dagster.analysis.withheld import left_to_do, withheld_facesets
from facesets_dagster.assets._asset import Check
from facesets_dagster.assets._config import PhotoConfig
from facesets_dagster.embedding.model_shapes import GENDER_AGE
from facesets_dagster.faces.landmark_store import LandmarkStore
from facesets_dagster.faces.photo_loader import photo_loader
from facesets_dagster.publishing.consent.judging import AgesOf, Consent, consent_of
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.wording import counted

CONSENT_KEPT = Check(
    "consent_is_kept",
    "No face that `consent.yaml` withholds has an exported file, in the library or for other programs; its rules mean "
    "somebody.",
)


def consent_here(home: HomeResource, embedder: EmbedderResource, *, max_pixels: int | None = None) -> Consent:
    """The home's policy. Raises `SettingsError` for one that cannot be used."""
    pixels = PhotoConfig().max_pixels if max_pixels is None else max_pixels
    return consent_of(
        home.library(),
        home.store_of(embedder.pack()),
        list(home.folders()),
        embedder.pack().model_id,
        embedder.embedder,
        embedder.thresholds().cover_distance,
        pixels,
        ages_of(home, embedder, home.folders(), pixels),
    )


def ages_of(
    home: HomeResource, embedder: EmbedderResource, folders: Mapping[str, Path], max_pixels: int
) -> AgesOf | None:
    """Estimates of ages by the pack's own model, kept where `face_landmarks` keeps them; None where it has none."""
    model = embedder.extra_models().get(GENDER_AGE)
    if model is None:
        return None
    store = LandmarkStore(Path(home.cache_dir), embedder.pack().model_id)

    def ages(rows: pl.DataFrame) -> dict[str, float]:
        photos = photo_loader(folders, rows, max_pixels)
        found = enrich_faces(rows, [model], embedder.enricher, photos, store, say=lambda _: None)
        return {face: float(age) for face, age in found.tables[GENDER_AGE].select("face_id", "age").iter_rows()}

    return ages


def consent_check(consent: Consent, exports_dir: Path) -> dg.AssetCheckResult:
    """What is withheld and by which rule, what is still out, and rules that mean nobody."""
    facesets = withheld_facesets(consent, exports_dir)
    late, nobody = left_to_do(facesets), [f"line {rule.line}: {rule.words}" for rule in consent.unmatched()]
    bad = [f"{counted(len(late), 'faceset')} not withheld yet, `facesets consent apply` does it"] if late else []
    bad += [f"{counted(len(nobody), 'rule')} without anybody"] if nobody else []
    return CONSENT_KEPT.result(
        not bad,
        words=", ".join(bad),
        policy=consent.policy.digest if consent.policy else None,
        withheld={one.name: ", ".join(one.rules) for one in facesets if one.state == "withheld"},
        not_withheld_yet={one.name: ", ".join((*one.rules, *one.exports)) for one in late},
        rules_without_anybody=nobody,
    )
