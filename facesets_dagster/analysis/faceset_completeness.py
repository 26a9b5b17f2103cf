"""How settled the mean of every live faceset is: the domain call behind `faceset_completeness`. Only reads.

Thin eras are left out: they cover no faces.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from facesets_dagster.analysis.published_facesets import PublishedFaceset, published_facesets
from facesets_dagster.embedding.embedder import ModelPack
from facesets_dagster.identities.completeness import Completeness, CompletenessRules, Estimate, completeness
from facesets_dagster.library.library import Library

_COMPLETENESS = {
    "faceset": (pl.String(), "name of the faceset"),
    "label": (pl.String(), "the person's name, if someone gave it"),
    "kind": (pl.String(), "auto, hand_sorted, discovered or era"),
    "faces": (pl.Int64(), "exported faces"),
    "movement": (
        pl.Float64(),
        "cosine distance that unlimited further photos of the same kind would still move the mean",
    ),
    "movement_low": (pl.Float64(), "where the truth is to be expected: from"),
    "movement_high": (pl.Float64(), "to; null where the faces do not say"),
    "more": (
        pl.Int64(),
        "further good photos until the movement is within the tolerance; null where the faces do not say",
    ),
    "more_low": (pl.Int64(), "from"),
    "more_high": (pl.Int64(), "to"),
    "verdict": (pl.String(), "complete, would_gain or too_thin"),
    "reason": (pl.String(), "the number behind it"),
    "curve": (
        pl.List(pl.Float64()),
        "cosine distance of the mean of the best k faces to the mean of all, k = 1, 2, ...",
    ),
}
COMPLETENESS_SCHEMA = pl.Schema({name: dtype for name, (dtype, _) in _COMPLETENESS.items()})
COMPLETENESS_COLUMNS = {name: words for name, (_, words) in _COMPLETENESS.items()}
_VERDICTS = ("too_thin", "would_gain", "complete")


@dataclass(frozen=True)
class Measured:
    """A faceset and what its exported faces say."""

    faceset: PublishedFaceset
    found: Completeness


@dataclass(frozen=True)
class MeasuredLibrary:
    """The identities whose faces could be measured, and those whose could not."""

    facesets: list[Measured]
    """Those that need photos most first."""
    not_published_here: dict[str, Path]
    """As in `Published`."""


def measure_completeness(
    library: Library,
    pack: ModelPack,
    names: Sequence[str],
    rules: CompletenessRules,
    *,
    holder: str,
    say: Callable[[str], None],
) -> MeasuredLibrary:
    """All live facesets or these.

    Raises `SettingsError` for a name that is no live faceset. Vectors are read under the lock too: a run that publishes
    meanwhile would look like a damaged library.
    """
    with library.held(holder, say):
        published = published_facesets(library, pack, names)
        measured = [Measured(faceset, completeness(faceset.embeddings(), rules)) for faceset in published.facesets]
    return MeasuredLibrary(sorted(measured, key=_need), published.not_published_here)


def completeness_table(measured: Sequence[Measured]) -> pl.DataFrame:
    """Frame of `COMPLETENESS_SCHEMA`; null where the faces do not say."""
    rows = []
    for one in measured:
        identity, found = one.faceset.identity, one.found
        row: dict[str, object] = {
            "faceset": identity.name,
            "label": identity.label,
            "kind": identity.kind,
            "faces": found.faces,
            "verdict": found.verdict,
            "reason": found.reason,
            "curve": found.curve.tolist(),
        }
        rows.append({**row, **_numbers("movement", found.movement), **_numbers("more", found.more)})
    return pl.DataFrame(rows, schema=COMPLETENESS_SCHEMA)


def _numbers(name: str, estimate: Estimate) -> dict[str, object]:
    whole = isinstance(COMPLETENESS_SCHEMA[name], pl.Int64)
    values = {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    return {key: None if not math.isfinite(value) else int(value) if whole else value for key, value in values.items()}


def _need(one: Measured) -> tuple[int, float, str]:
    return _VERDICTS.index(one.found.verdict), -one.found.movement.value, one.faceset.name
