"""Periods of identities as eras of the library: the domain call behind `era_facesets`."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from facesets_dagster.photos.dates import PhotoDate
from facesets_dagster.publishing.eras.families import Family, PlannedEra
from facesets_dagster.publishing.eras.planner import EraInputs, EraNotes, EraPlanner
from facesets_dagster.publishing.publisher import Update, publish
from facesets_dagster.publishing.run import Run
from facesets_dagster.publishing.staging import faces_in_place


@dataclass(frozen=True)
class EraResult:
    """What came of it."""

    update: Update[EraNotes]
    exported: Mapping[str, int]
    """Era -> faces that its folder holds."""

    @property
    def families(self) -> list[Family]:
        """Identities that have eras or were split now, by name."""
        return self.update.notes.families

    @property
    def orphans(self) -> list[str]:
        """Eras that went out of use because their parent did."""
        return self.update.notes.orphans

    @property
    def emptied(self) -> list[str]:
        """Eras that went out of use because no face is left in them."""
        return [identity.name for family in self.families for identity in family.emptied]

    @property
    def rows(self) -> pl.DataFrame:
        """Face table of the families' members, and of the other faces of their photos."""
        return self.update.notes.faces.rows

    @property
    def dates(self) -> Mapping[str, PhotoDate]:
        """Content digest -> date, of the photos of these families."""
        return self.update.notes.faces.dates

    def eras(self) -> list[PlannedEra]:
        """Of all families."""
        return [era for family in self.families for era in family.eras]

    def joined(self) -> dict[str, int]:
        """Era -> faces that were not in it before."""
        before = self.update.notes.before
        return {era.name: len(era.members.keys() - before.get(era.name, {}).keys()) for era in self.eras()}

    def moved(self) -> list[str]:
        """Thin eras that became substantive."""
        return [era.name for era in self.eras() if era.identity and era.identity.kind != era.kind]

    def faces(self) -> int:
        """Members of these families."""
        return sum(len(family.faces.face_ids) for family in self.families)

    def left(self) -> dict[str, int]:
        """Reason -> faces that are in no era."""
        reasons = [face.reason for family in self.families for face in family.left]
        return {reason: reasons.count(reason) for reason in sorted(set(reasons))}


def publish_eras(run: Run, inputs: EraInputs) -> EraResult:
    """Splits what is to be split, slots later photos into the eras that stand, and publishes what changed.

    May touch eras only: those of the plan, and those that it retires.
    """
    update = publish(run, EraPlanner(run, inputs).plan)
    eras = [era for family in update.notes.families for era in family.eras]
    return EraResult(update, {era.name: len(faces_in_place(run.library.folder, era.name, era.kind)) for era in eras})
