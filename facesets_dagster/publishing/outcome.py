"""What a publication asks for and what came of it: two records, no behaviour."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from facesets_dagster.publishing.resolution import Proposal


@dataclass(frozen=True)
class Publication:
    """A bucket's request to be published."""

    proposal: Proposal
    inputs_digest: str
    identity_parameters: Mapping[str, object]
    model_id: str
    coverage: pl.DataFrame
    flags: pl.DataFrame
    run_id: str
    code_version: str


@dataclass
class Outcome:
    """What a publication did; the change report and the asset's metadata are made of it."""

    unchanged: bool = False
    founded: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    revived: list[str] = field(default_factory=list)
    touched_undeclared: list[str] = field(default_factory=list)
    """Facesets that differ from before although this run did not declare them; must be empty."""

    def declared(self) -> set[str]:
        """Every faceset that this run was allowed to touch."""
        return {*self.founded, *self.changed, *self.retired, *self.revived}
