"""The home's policy as assets need it: made of the resources, and its check."""

from pathlib import Path

import dagster as dg

from facesets_dagster.analysis.withheld import left_to_do, withheld_facesets
from facesets_dagster.assets._asset import Check
from facesets_dagster.assets._config import PhotoConfig
from facesets_dagster.publishing.consent.judging import Consent, consent_of
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
    return consent_of(
        home.library(),
        home.store_of(embedder.pack()),
        list(home.folders()),
        embedder.pack().model_id,
        embedder.embedder,
        embedder.thresholds().cover_distance,
        PhotoConfig().max_pixels if max_pixels is None else max_pixels,
    )


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
