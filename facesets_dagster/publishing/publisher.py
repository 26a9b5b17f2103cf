"""Publishing identities as they should stand: what extend, hand-sorted folders, refine and eras have in common.

The same road as `publishing.bucket_publisher`, without a bucket's funnel:

    plan and render (no lock) -> lock -> settle -> plan again if library or labels moved on -> stage -> commit -> move
                              -> top-level manifest
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl
import sqlalchemy as sa

from facesets_dagster.export.folder import FacesetContent
from facesets_dagster.identities.eras import Anchor
from facesets_dagster.identities.gates import Verdict
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.archive import Archive
from facesets_dagster.library.library import Library
from facesets_dagster.library.lock import library_lock
from facesets_dagster.library.moves import STAGING, Move, settle
from facesets_dagster.library.numbering import faceset_name, next_number, place_of
from facesets_dagster.library.signatures import faceset_signatures
from facesets_dagster.publishing.gallery import Gallery, Terms
from facesets_dagster.publishing.outcome import Outcome
from facesets_dagster.publishing.resolution import Group
from facesets_dagster.publishing.staging import RunStamp, stage
from facesets_dagster.publishing.top_manifest import merge_top_manifest
from facesets_dagster.publishing.transaction import BucketRecord, Commit, PublishedIdentity, commit


@dataclass(frozen=True)
class Wanted:
    """An identity as it should stand."""

    members: Mapping[str, str]
    """face_id -> how it joined."""
    terms: Terms
    identity: Identity | None = None
    """None for a new one."""
    name: str | None = None
    """Of a new one: None takes the next number."""
    number: int | None = None
    parent: str | None = None
    label: str | None = None
    anchor: Anchor | None = None

    def whose(self) -> str | None:
        """The identity by whose membership its faces are known: its own, or of a new era the parent's."""
        return self.identity.name if self.identity else self.parent


@dataclass(frozen=True)
class Plan:
    """What should become true, made from the library as it was when it was made."""

    wanted: Sequence[Wanted]
    gallery: Gallery
    retire: Sequence[Identity] = ()
    records: Callable[[Mapping[int, str], Gallery], Sequence[BucketRecord]] | None = None
    """Position in `wanted` -> name; gives the funnels of the buckets that this publication settles."""
    archive: Archive | None = None
    """Of a merge or undo: folders that are kept as they are, and given out again where they hold the same."""
    also: Callable[[sa.Connection], None] | None = None
    """What else becomes true in the same transaction."""


@dataclass(frozen=True)
class Update:
    """What came of it."""

    outcome: Outcome
    names: dict[int, str]
    """Position in the plan's `wanted` -> name; a new identity without one exportable face has none."""
    plan: Plan


def update_library(
    library: Library,
    make_plan: Callable[[], Plan],
    stamp: RunStamp,
    *,
    allowed: Callable[[Plan], set[str]],
    say: Callable[[str], None],
) -> Update:
    """Brings the library up to the plan; nothing happens where it is already so.

    `allowed`: names of the facesets that exist which this publication may touch; any other that differs afterwards is
    listed in `touched_undeclared`.
    """
    library.settle(f"run {stamp.run_id}", say)
    generation, plan = library.registry.generation(), make_plan()
    for wanted in plan.wanted:  # renders outside of the lock
        plan.gallery.content(wanted.members, wanted.whose(), wanted.terms)
    with library_lock(library.folder, f"run {stamp.run_id}", say=say):
        settle(library.registry, library.folder, say)
        if library.registry.generation() != generation:
            plan = make_plan()
        before = faceset_signatures(library.folder)
        update = _update_locked(library, plan, stamp)
        settle(library.registry, library.folder, say)
        after = faceset_signatures(library.folder)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    update.outcome.touched_undeclared = sorted(changed - set(update.outcome.founded) - allowed(plan))
    merge_top_manifest(library, f"run {stamp.run_id}", say)
    return update


def _update_locked(library: Library, plan: Plan, stamp: RunStamp) -> Update:
    outcome = Outcome(retired=[identity.name for identity in plan.retire])
    staging, names = uuid.uuid4().hex, dict[int, str]()
    number = next_number(library.registry.used_numbers(), (library.folder, *library.legacy_roots))
    away = plan.archive.keep(library.folder / STAGING / staging) if plan.archive else set[str]()
    moves = [Move(staging, "install", place, digest) for place, digest in plan.archive.kept] if plan.archive else []
    moves += [
        Move(staging, "drop" if identity.name in away else "retire", place_of(identity.name, identity.kind), None)
        for identity in plan.retire
    ]
    published: list[PublishedIdentity] = []
    for position, wanted in enumerate(plan.wanted):
        content = plan.gallery.content(wanted.members, wanted.whose(), wanted.terms)
        if wanted.identity is None and not content.faces:
            continue  # nothing to export: nothing is founded
        name = wanted.identity.name if wanted.identity else wanted.name or faceset_name(number)
        own_number = wanted.identity.number if wanted.identity else wanted.number or number
        number += name == faceset_name(number)
        if wanted.identity is not None and wanted.identity.kind != content.kind and wanted.identity.is_era:
            moves.append(Move(staging, "retire", place_of(name, wanted.identity.kind), None))  # it moves house
        move = stage(library.folder, staging, name, wanted.identity, content, stamp, outcome, plan.archive)
        moves += [move] if move else []
        names[position] = name
        published.append(
            PublishedIdentity(
                name, own_number, Group(wanted.members, wanted.identity), content,
                move.manifest_sha256 if move else None, wanted.parent, wanted.label, wanted.anchor,
            )
        )  # fmt: skip
    moves += [Move(staging, "drop", place, None) for place in plan.archive.dropped] if plan.archive else []
    records = plan.records(names, plan.gallery) if plan.records else []
    differ = any(_record_differs(library, record) for record in records) or _members_differ(library, published)
    if moves or differ or plan.also is not None:
        commit(
            library.registry,
            Commit(stamp.run_id, stamp.model_id, published, plan.retire, moves, stamp.created_at, records, plan.also),
        )
    return Update(outcome, names, plan)


def _record_differs(library: Library, record: BucketRecord) -> bool:
    run = library.registry.bucket_run(record.bucket)
    same = run is not None and run.inputs_digest == record.inputs_digest
    return not same or not library.registry.decisions(record.bucket).equals(record.funnel)


def _members_differ(library: Library, published: Sequence[PublishedIdentity]) -> bool:
    known = library.registry.members([entry.name for entry in published])
    return any(set(known.get(entry.name, {})) != set(entry.group.members) for entry in published)


def verdicts_of(content: FacesetContent, bucket: str, name: str | None) -> dict[str, Verdict]:
    """Terminal verdicts of the members of one faceset that are members through this bucket."""
    here = content.members.filter(pl.col("bucket") == bucket)["face_id"]
    found = {}
    for face_id in here:
        ended = content.excluded.get(face_id, Verdict("exported"))
        found[face_id] = Verdict(ended.state, ended.value, ended.threshold, name)
    return found
