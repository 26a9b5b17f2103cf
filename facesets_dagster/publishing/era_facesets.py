"""Periods of identities as eras of the library: the domain call behind `era_facesets`."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from facesets_dagster.photos.dates import PhotoDate
from facesets_dagster.publishing.eras.families import Family
from facesets_dagster.publishing.eras.planner import EraInputs, EraPlanner
from facesets_dagster.publishing.publisher import Update, update_library
from facesets_dagster.publishing.run import Run
from facesets_dagster.publishing.staging import faces_in_place


@dataclass(frozen=True)
class EraResult:
    """What came of it."""

    update: Update
    families: list[Family]
    """Identities that have eras or were split now, by name."""
    orphans: list[str]
    """Eras that went out of use because their parent did."""
    emptied: list[str]
    """Eras that went out of use because no face is left in them."""
    rows: pl.DataFrame
    """Face table of the families' members, and of the other faces of their photos."""
    dates: Mapping[str, PhotoDate]
    """Content digest -> date, of the photos of these families."""
    joined: Mapping[str, int]
    """Era -> faces that were not in it before."""
    exported: Mapping[str, int]
    """Era -> faces that its folder holds."""

    def moved(self) -> list[str]:
        """Thin eras that became substantive."""
        eras = [era for family in self.families for era in family.eras]
        return [era.name for era in eras if era.identity and era.identity.kind != era.kind]

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
    library, planner = run.library, EraPlanner(run, inputs)
    before = library.registry.members([era.name for era in library.registry.identities() if era.is_era])
    update = update_library(
        library,
        planner.plan,
        run.stamp(),
        allowed=lambda plan: {
            *(wanted.identity.name for wanted in plan.wanted if wanted.identity),
            *(identity.name for identity in plan.retire),
        },
        say=run.say,
    )
    eras = [era for family in planner.families for era in family.eras]
    return EraResult(
        update=update,
        families=planner.families,
        orphans=planner.orphans,
        emptied=[identity.name for family in planner.families for identity in family.emptied],
        rows=planner.rows,
        dates=planner.dates,
        joined={era.name: len(era.members.keys() - before.get(era.name, {}).keys()) for era in eras},
        exported={era.name: len(faces_in_place(library.folder, era.name, era.kind)) for era in eras},
    )
