"""The rulings in force made true in the library: the domain call behind `applied_rulings`.

The jobs `apply_merges` and `undo_merges` are front doors: they write rulings, which are then applied like all others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from facesets_dagster.identities.merging import Merge, Pair
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.publishing.publisher import Update, publish
from facesets_dagster.publishing.reembed.waking import wake
from facesets_dagster.publishing.rulings.merging import Asked, MergeRequest, asked_for, merges_to_undo, rulings_for
from facesets_dagster.publishing.rulings.planner import RulingsPlanner
from facesets_dagster.publishing.rulings.statements import Ruled
from facesets_dagster.publishing.rulings.subjects import Subjects, complete
from facesets_dagster.publishing.rulings.writing import Author, enter, take_back
from facesets_dagster.publishing.run import Run
from facesets_dagster.publishing.top_manifest import merge_top_manifest


@dataclass(frozen=True)
class ApplyResult:
    """What came of it."""

    update: Update[Ruled]
    asked: Asked
    """Merges that the run was asked for by name."""
    alone_already: list[str]
    """Names that were to be undone and stand alone."""

    @property
    def obeyed(self) -> list[Ruling]:
        """Rulings that the library did not obey before, oldest first."""
        return [ruling for ruling in self.update.notes.pending if not ruling.published]

    @property
    def taken_back(self) -> list[Ruling]:
        """Rulings that the library obeyed until now."""
        return [ruling for ruling in self.update.notes.pending if ruling.published]

    @property
    def merged(self) -> list[Merge]:
        """New merges."""
        return self.update.notes.changes.new_merges

    @property
    def back(self) -> dict[str, str]:
        """Name that is in use again -> the keeper that it was taken from, or what it was out of use for."""
        changes = self.update.notes.changes
        stones = changes.now.tombstones
        found = {name: stones[name].merged_into or stones[name].reason for name in changes.back}
        return {name: came for name, came in found.items() if not changes.now.identities[name].is_era}

    @property
    def nothing_left(self) -> list[str]:
        """Names that could not come back: other people have their faces by now."""
        changes = self.update.notes.changes
        return sorted(name for name, out in changes.led_elsewhere.items() if out.reason == "emptied")

    @property
    def split_off(self) -> Sequence[Pair]:
        """New face set, the one that it was part of."""
        changes = self.update.notes.changes
        return [(name, changes.after.made[name]) for name in changes.founded]

    @property
    def out_of_use(self) -> list[tuple[str, str]]:
        """Name, reason of everybody who is not in use any more but those who were merged."""
        closed = self.update.notes.changes.closed
        return [(name, out.reason) for name, out in closed.items() if out.reason != "merged"]

    @property
    def says_something(self) -> bool:
        """Whether rulings changed anything, or somebody asked for something."""
        asked = self.asked
        return bool(self.update.notes.pending or asked.already or asked.reject or self.alone_already)

    def in_words(self) -> list[str]:
        """What changed, each in a few words."""
        merged = [f"{merge.merged} into {merge.keeper}" for merge in self.merged]
        split = [f"{name} out of {source}" for name, source in self.split_off]
        back = [f"{name} back" for name in self.back]
        return [*merged, *split, *back, *(f"{name} {why}" for name, why in self.out_of_use)]

    @property
    def in_force(self) -> Sequence[Ruling]:
        """The rulings that the library obeys now, oldest first."""
        return self.update.notes.changes.now.rulings

    @property
    def as_before(self) -> list[str]:
        """Facesets with a folder that is byte for byte an earlier one."""
        archive = self.update.plan.archive
        return sorted(archive.given_out) if archive else []


def apply_rulings(
    run: Run, author: Author, request: MergeRequest | None = None, undo: Sequence[str] = ()
) -> ApplyResult:
    """Brings the library up to the rulings in force.

    `request`, `undo`: merges by name that are written as rulings, or taken back, first: all of them or none.
    """
    library = run.library
    merge_top_manifest(library, run.holder, run.say)  # what stands there is kept word for word
    subjects = Subjects(library, run.store_of)
    complete(subjects)
    wake(library, run.store_of, run.pack.model_id)
    asked, alone = Asked(), list[str]()
    if request is not None:
        asked = asked_for(library, request, run.pack)
        new = rulings_for(asked, subjects, author, despite_veto=request.despite_veto)
        take_back(library, [ruling.ruling_id for ruling in asked.take_back], author)
        enter(library, new)
    if undo:
        rulings, alone = merges_to_undo(library, undo, run.pack)
        take_back(library, [ruling.ruling_id for ruling in rulings], author)
    update = publish(run, RulingsPlanner(run).plan)
    return ApplyResult(update, asked, alone)
