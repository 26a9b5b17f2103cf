"""Merges taken back: the domain call behind the job `undo_merges`. In any order; what joined a keeper since stays."""

from collections.abc import Sequence
from dataclasses import dataclass

from facesets_dagster.errors import SettingsError
from facesets_dagster.library.model import require_model
from facesets_dagster.publishing.merges.changes import Changes, Merging, standing
from facesets_dagster.publishing.merges.planner import MergePlanner
from facesets_dagster.publishing.publisher import Update, publish
from facesets_dagster.publishing.run import Run
from facesets_dagster.publishing.top_manifest import merge_top_manifest
from facesets_dagster.registry.merges import merged_once

ALL = "*"
"""In the request: every merge that is in force."""


@dataclass(frozen=True)
class UndoResult:
    """What came of it."""

    update: Update[Merging]
    back: dict[str, str]
    """Name -> the keeper that it was taken from."""
    already: list[str]
    """Stand alone already."""
    vanished: list[str]
    """Nothing was left to come back: other people have their faces by now."""
    as_before: list[str]
    """Facesets, keepers too, with a folder that is byte for byte an earlier one."""


def undo_merges(run: Run, names: Sequence[str]) -> UndoResult:
    """Undoes the merges of these names, all or nothing."""
    library = run.library
    merge_top_manifest(library, run.holder, run.say)
    planner = MergePlanner(run)
    update = publish(run, lambda: planner.plan(_changes(names, run)))
    changes, archive = update.notes.changes, update.plan.archive
    keeper = {merge.merged: merge.keeper for merge in changes.now.household.merges}
    return UndoResult(
        update,
        {name: keeper[name] for name in changes.back},
        sorted({*names} - {ALL} - keeper.keys()),
        sorted(update.notes.vanished()),
        sorted(archive.given_out) if archive else [],
    )


def _changes(names: Sequence[str], run: Run) -> Changes:
    library = run.library
    now = standing(library)
    in_force = [merge.merged for merge in now.household.merges]
    once = merged_once(library.registry)
    after = now.household
    for name in in_force[::-1] if ALL in names else dict.fromkeys(names):
        if name in in_force:
            after = after.taken_apart(name)
        elif name not in once:
            raise SettingsError(
                f"`undo` of undone_merges names {name}, which was never merged. Merged now: "
                f"{', '.join(in_force) or 'nobody'}. Nothing was changed."
            )
    changes = Changes(now, after)
    require_model([now.identities[name] for name in changes.back], run.pack)
    return changes
