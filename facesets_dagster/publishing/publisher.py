"""The publisher: brings the library up to a plan. Every change of a faceset goes this way.

    plan and render (no lock) -> lock -> finish moves -> plan again if the library moved on -> stage -> commit -> move
                              -> verify untouched -> top-level manifest

The commit of the registry is the point of no return: before it nothing of the library has changed, after it the moves
that it recorded are finished by this run or by the next (`library.moves`). Numbers are allocated in the same commit, so
a killed run burns none.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import sqlalchemy as sa

from facesets_dagster.export.folder import FacesetContent
from facesets_dagster.identities.consent import WITHHELD, Judge, Subject
from facesets_dagster.identities.gates import Verdict
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.archive import Archive
from facesets_dagster.library.in_place import in_place, touched_since
from facesets_dagster.library.library import Library
from facesets_dagster.library.moves import STAGING, Move, finish_moves
from facesets_dagster.library.next_number import next_number
from facesets_dagster.library.numbering import faceset_folder, faceset_name
from facesets_dagster.publishing.consent.judging import Consent
from facesets_dagster.publishing.gallery import Gallery
from facesets_dagster.publishing.outcome import Outcome
from facesets_dagster.publishing.run import Run, RunStamp
from facesets_dagster.publishing.staging import Fate, Staged, stage
from facesets_dagster.publishing.top_manifest import merge_top_manifest
from facesets_dagster.publishing.transaction import BucketRecord, PublishedIdentity, Wanted, commit
from facesets_dagster.publishing.withholding.contents import moves_beside, shown_in, shown_of
from facesets_dagster.publishing.withholding.planner import ConsentPlanner
from facesets_dagster.registry.unfinished import note_unreported, unfinished_run

Notes = TypeVar("Notes")
"""What a planner finds out beside the plan."""


@dataclass(frozen=True)
class Plan(Generic[Notes]):
    """What should become true, made from the library as it was when it was made."""

    wanted: Sequence[Wanted]
    gallery: Gallery
    notes: Notes
    retire: Sequence[Identity] = ()
    stands: Sequence[str] | None = None
    """Given where the inputs of the last run were found again: the facesets that stand. Nothing is done then."""
    records: Callable[[Mapping[int, str]], Sequence[BucketRecord]] | None = None
    """Position in `wanted` -> name; gives the funnels of the buckets that this publication settles."""
    archive: Archive | None = None
    """Of a merge or undo: folders that are kept as they are, and given out again where they hold the same."""
    also: Callable[[sa.Connection], None] | None = None
    """What else becomes true in the same transaction."""
    bucket: str | None = None
    """Given where a report of this bucket follows: until then, what was published is on record as unreported."""

    def content(self, wanted: Wanted) -> FacesetContent:
        """What its faceset holds; rendered once."""
        return self.gallery.content(wanted.members, wanted.whose(), wanted.terms)


@dataclass(frozen=True)
class Update(Generic[Notes]):
    """What came of it."""

    outcome: Outcome
    names: dict[int, str]
    """Position in the plan's `wanted` -> name; a new identity without one exportable face has none."""
    plan: Plan[Notes]

    @property
    def notes(self) -> Notes:
        """The planner's."""
        return self.plan.notes


@dataclass(frozen=True)
class _Entry:
    """One identity of a plan on its way into the library."""

    position: int
    published: PublishedIdentity
    staged: Staged
    leaves: str | None
    """The place that it leaves: an era that is no longer thin."""
    beside: tuple[list[Move], list[Move]]
    """Moves of the whole folder of one of which faces are withheld: before its own, and after it."""


def publish(run: Run, make_plan: Callable[[], Plan[Notes]]) -> Update[Notes]:
    """Brings the library up to the plan; nothing happens where it is already so.

    A faceset that differs afterwards although nothing was to become of it is listed in `touched_undeclared`. What the
    home's policy withholds is not written, and what it withholds or lets out since the last publication follows in one
    of its own. Raises `SettingsError`, before anything is written, for a policy that cannot be used.
    """
    library, consent = run.library, run.consent()
    library.finish_moves(run.holder, run.say)
    generation, plan = library.registry.generation(), make_plan()
    for wanted in plan.wanted:  # renders outside of the lock
        plan.content(wanted)
    run.pictures.kept.write()
    with library.held(run.holder, run.say):
        held_from = library.registry.generation()
        if plan.stands is not None or held_from != generation:
            plan = make_plan()
        update = _publish_locked(run, plan, held_from, consent)
    _obey(run, consent)
    merge_top_manifest(library, run.holder, run.say)
    return update


def _obey(run: Run, consent: Consent) -> None:
    """Brings the folders of everybody up to the policy; names, approvals and the policy itself may be others now."""
    library, planner = run.library, ConsentPlanner(run, consent)
    if not consent.concerned():
        return
    with library.held(run.holder, run.say):
        held_from = library.registry.generation()
        wanted, gallery = planner.wanted()
        outcome = _publish_locked(run, Plan(wanted, gallery, None), held_from, consent).outcome
    for name in outcome.changed:
        run.say(f"consent.yaml: {name} is brought up to the policy")


def _publish_locked(run: Run, plan: Plan[Notes], held_from: int, consent: Consent) -> Update[Notes]:
    if plan.stands is not None:
        return Update(Outcome(unchanged=True, kept=list(plan.stands)), {}, plan)
    library = run.library
    before = in_place(library)
    outcome, names = _commit(run, plan, held_from, consent)
    finish_moves(library.registry, library.folder, run.say)
    touched = touched_since(library, before, run.run_id)
    shared = plan.archive.names() if plan.archive else set()
    return Update(replace(outcome, touched_undeclared=sorted(touched - outcome.declared() - shared)), names, plan)


def _commit(run: Run, plan: Plan[Notes], held_from: int, consent: Consent) -> tuple[Outcome, dict[int, str]]:
    """Stages what changes and makes it true; the moves are still owed. `held_from`: generation that the plan is of."""
    library, stamp, staging = run.library, run.stamp(), uuid.uuid4().hex
    away = plan.archive.keep(library.folder / STAGING / staging) if plan.archive else set[str]()
    entries = _staged(run, plan, stamp, staging, consent)
    names = {entry.position: entry.published.name for entry in entries}
    published = [entry.published for entry in entries]
    moves = _moves(plan, entries, staging, away)
    records = [shown_in(one, _withheld(entries)) for one in plan.records(names)] if plan.records else []
    outcome = _outcome(plan, entries)
    if moves or plan.also is not None or _differs(library, published, records):
        also = _until_reported(run, plan.bucket, outcome) if plan.bucket else plan.also
        commit(library.registry, stamp, published, plan.retire, moves, records, also, follows=held_from)
        for record in records:
            if record.bucket != plan.bucket:  # whose run notes it once it has reported
                library.note_bucket(record.bucket)
    return outcome, names


def unreported(library: Library, bucket: str) -> Outcome:
    """What earlier runs of the bucket published and did not get to report."""
    unfinished = unfinished_run(library.registry, bucket)
    return Outcome.of_fates(unfinished.unreported if unfinished else {})


def _until_reported(run: Run, bucket: str, outcome: Outcome) -> Callable[[sa.Connection], None]:
    published = outcome.after(unreported(run.library, bucket)).by_fate()
    return lambda connection: note_unreported(connection, bucket, run.run_id, published)


def _outcome(plan: Plan[Notes], entries: Sequence[_Entry]) -> Outcome:
    names: dict[Fate, list[str]] = {"founded": [], "changed": [], "kept": [], "revived": []}
    for entry in entries:
        names[entry.staged.fate].append(entry.published.name)
    retired = [identity.name for identity in plan.retire]
    return Outcome(False, names["founded"], names["changed"], names["kept"], retired, names["revived"])


def _staged(run: Run, plan: Plan[Notes], stamp: RunStamp, staging: str, consent: Consent) -> list[_Entry]:
    """The identities of the plan with their names, their folders staged where they differ from those in place."""
    library = run.library
    number, judge = next_number(library), consent.judge()
    entries: list[_Entry] = []
    for position, wanted in enumerate(plan.wanted):
        content, identity = plan.content(wanted), wanted.identity
        if identity is None and not content.faces:
            continue  # nothing to export: nothing is founded
        name = identity.name if identity else wanted.name or faceset_name(number)
        own_number = identity.number if identity else wanted.number or number
        number += name == faceset_name(number)
        shown = _shown(name, wanted, content, judge, consent)
        staged = stage(library.folder, staging, name, identity, shown, stamp, plan.archive)
        digest = staged.move.manifest_sha256 if staged.move else None
        published = PublishedIdentity(name, own_number, wanted, content, digest, shown)
        place = faceset_folder(name, content.kind)
        beside = moves_beside(library.folder, staging, name, place, shown) if staged.move else ([], [])
        moves_house = identity is not None and identity.is_era and identity.kind != content.kind
        leaves = faceset_folder(name, identity.kind) if identity and moves_house else None
        entries.append(_Entry(position, published, staged, leaves, beside))
    return entries


def _shown(name: str, wanted: Wanted, content: FacesetContent, judge: Judge | None, consent: Consent) -> FacesetContent:
    """What the folder of an identity holds of its content, by the policy."""
    if judge is None:
        return content
    identity = wanted.identity
    parent, label = (identity.parent, identity.label) if identity else (wanted.parent, wanted.label)
    middle = content.centroid() if content.faces else None
    subject = Subject(name, parent or name, label, middle)
    faces = {str(face.row["face_id"]) for face in content.faces}
    return shown_of(content, judge.on(subject, faces, consent.age_of(content.members, faces)))


def _withheld(entries: Sequence[_Entry]) -> dict[str, dict[str, Verdict]]:
    """Name -> verdicts on the faces of its content that are withheld."""
    return {
        entry.published.name: {
            face: one for face, one in entry.published.shown.excluded.items() if one.state == WITHHELD
        }
        for entry in entries
        if entry.published.shown.withheld
    }


def _moves(plan: Plan[Notes], entries: Sequence[_Entry], staging: str, away: set[str]) -> list[Move]:
    """In the order of execution. `away`: names whose folders are only in the archive from now on."""
    archive = plan.archive
    moves = [Move(staging, "install", place, digest) for place, digest in archive.kept] if archive else []
    for identity in plan.retire:
        action = "drop" if identity.name in away else "retire"
        moves.append(Move(staging, action, faceset_folder(identity.name, identity.kind), None))
    for entry in entries:
        moves += [Move(staging, "retire", entry.leaves, None)] if entry.leaves else []
        moves += [*entry.beside[0], entry.staged.move, *entry.beside[1]] if entry.staged.move else []
    return moves + ([Move(staging, "drop", place, None) for place in archive.dropped] if archive else [])


def _differs(library: Library, published: Sequence[PublishedIdentity], records: Sequence[BucketRecord]) -> bool:
    """Whether the registry says anything else than these."""
    for record in records:
        run = library.registry.bucket_run(record.bucket)
        if run is None or run.inputs_digest != record.inputs_digest:
            return True
        if not library.registry.decisions(record.bucket).equals(record.funnel):
            return True
    known = library.snapshot().members(entry.name for entry in published)
    return any(set(known.get(entry.name, {})) != set(entry.wanted.members) for entry in published)
