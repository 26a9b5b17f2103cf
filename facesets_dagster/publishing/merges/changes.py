"""The difference between two states of members and merges, and what the registry records of it beside the facesets.

Used by `publishing.merges.planner` only.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import sqlalchemy as sa

from facesets_dagster.errors import PublishRefused
from facesets_dagster.identities.identity import Identity
from facesets_dagster.identities.merging import Household, Merge, Rows
from facesets_dagster.library.archive import Archive, row_of_folder
from facesets_dagster.library.library import Library
from facesets_dagster.library.top_manifest import entries_as_they_stand
from facesets_dagster.publishing.funnel import canonical_json
from facesets_dagster.publishing.run import Run
from facesets_dagster.registry import merges as r

Pairs = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Standing:
    """The registry as it is when the plan is made."""

    identities: Mapping[str, Identity]
    household: Household
    tombstone_reasons: Mapping[str, str]
    """Name -> reason, of all identities out of use."""
    digests: Mapping[str, str | None]
    """Name -> digest of the faceset's manifest; None for a legacy one that was never published here."""
    records: Mapping[str, r.MergeRecord]

    def eras_of(self, name: str, *, live: bool) -> list[Identity]:
        """Live ones, or those that went out of use because their person was merged."""
        eras = [identity for identity in self.identities.values() if identity.is_era and identity.parent == name]
        return [era for era in eras if (era.live if live else self.tombstone_reasons.get(era.name) == r.REASON)]


def standing(library: Library) -> Standing:
    """Read from the registry."""
    registry = library.registry
    return Standing(
        {identity.name: identity for identity in registry.identities()},
        r.household(registry),
        {stone.name: stone.reason for stone in registry.tombstones()},
        registry.manifest_digests(),
        r.merge_records(registry),
    )


@dataclass(frozen=True)
class Changes:
    """From one state of members and merges to another."""

    now: Standing
    after: Household
    reject: Pairs = frozenset()
    """Pairs that are two people from now on."""
    accept_again: Pairs = frozenset()

    @cached_property
    def new_merges(self) -> list[Merge]:
        """In the order of the request."""
        return [merge for merge in self.after.merges if merge not in self.now.household.merges]

    @cached_property
    def merged(self) -> list[str]:
        """Names that are merged."""
        return sorted(merge.merged for merge in self.new_merges)

    @cached_property
    def redirect(self) -> dict[str, str]:
        """Names that go out of use, eras too -> the keeper."""
        return {
            name: merge.keeper
            for merge in self.new_merges
            for name in (merge.merged, *(era.name for era in self.now.eras_of(merge.merged, live=True)))
        }

    @cached_property
    def back(self) -> list[str]:
        """Names that are merged no longer."""
        return sorted(
            {merge.merged for merge in self.now.household.merges} - {merge.merged for merge in self.after.merges}
        )

    @cached_property
    def moved(self) -> list[str]:
        """Names with other members, those out of use too."""
        before = self.now.household.members
        return sorted(name for name, rows in self.after.members.items() if rows != before.get(name, {}))

    @cached_property
    def concerned(self) -> list[Identity]:
        """Both sides of the new merges, and their eras."""
        people = sorted({name for merge in self.new_merges for name in (merge.merged, merge.keeper)})
        return [
            identity for name in people for identity in (self.now.identities[name], *self.now.eras_of(name, live=True))
        ]

    def are_none(self) -> bool:
        """True if the request is fulfilled already."""
        return not (self.new_merges or self.back or self.reject or self.accept_again)


@dataclass(frozen=True)
class Fate:
    """The new state of one identity whose members or merges differ."""

    identity: Identity
    rows: Rows
    """Its members after it."""
    end: Literal["published", "unpublished", "gone"]
    """`unpublished`: a legacy identity or era that is again as it was adopted; `gone`: nothing of it is left."""
    record: r.MergeRecord | None = None
    """Of an unpublished identity that had become a keeper."""


@dataclass(frozen=True)
class Merging:
    """The changes, and what follows from them for each identity."""

    changes: Changes
    fates: Sequence[Fate]

    def published(self) -> list[Fate]:
        """Identities whose faceset is made again or restored from the archive."""
        return [fate for fate in self.fates if fate.end == "published"]

    def unpublished(self) -> list[Fate]:
        """Identities without a folder here from now on."""
        return [fate for fate in self.fates if fate.end == "unpublished"]

    def retired(self) -> list[Identity]:
        """Live identities that go out of use: those that are merged, and those without faces."""
        parts = [self.changes.now.identities[name] for name in self.changes.redirect]
        return parts + [fate.identity for fate in self.fates if fate.end == "gone" and fate.identity.live]

    def vanished(self) -> list[str]:
        """Merged identities without faces that could come back."""
        return [fate.identity.name for fate in self.fates if fate.end == "gone" and not fate.identity.live]


def statements(merging: Merging, archive: Archive, run: Run) -> Callable[[sa.Connection], None]:
    """What the transaction of the publication records besides the publication.

    Labels and the top-level manifest are what people write while a plan is made: they are read in the transaction.
    """
    library, run_id, model_id = run.library, run.run_id, run.pack.model_id
    changes, vanished = merging.changes, merging.vanished()
    now, after = changes.now, changes.after
    records = _new_records(library, changes)
    buckets = {run.bucket for run in library.registry.bucket_runs()}

    def also(connection: sa.Connection) -> None:
        r.write_merges(connection, now.household.merges, after.merges, run_id)
        for name in changes.moved:
            r.write_members(connection, name, after.members[name], run_id)
        for name, keeper in changes.redirect.items():
            r.write_redirect(connection, name, keeper)
        for name in vanished:
            r.write_vanished(connection, name)
        entries = _entries_as_they_stand(library, now) if records else {}
        for record in records:
            r.write_record(connection, _with_entry(record, entries.get(record.name)))
        r.write_archives(connection, archive.digests, archive.forget)
        for name, (label, given) in _labels(changes, r.labels(connection)).items():
            r.write_label(connection, name, label, given)
        for name, folder in archive.given_out.items():
            r.restore_row(connection, name, **row_of_folder(folder, name))
        for fate in merging.unpublished():
            _restore_unpublished(connection, fate, buckets, model_id)
        r.write_rejected(connection, changes.reject, changes.accept_again, run_id)
        for name in sorted({*changes.back} - {*vanished}):
            if not r.is_live(connection, name):
                raise _cannot_come_back(name)

    return also


def members_digest(rows: Rows) -> str:
    """Equal digests mean the same members."""
    return hashlib.sha256(canonical_json(sorted((face, *row) for face, row in rows.items())).encode()).hexdigest()


def _restore_unpublished(connection: sa.Connection, fate: Fate, buckets: set[str], model_id: str) -> None:
    name, record = fate.identity.name, fate.record
    if record is None:  # an era: nothing was decided by it
        r.restore_row(connection, name)
        return
    known = model_id if record.centroid is not None else None
    r.restore_row(
        connection, name, manifest_sha256=None, centroid=record.centroid, run_id=record.run_id, model_id=known
    )
    r.restore_decisions(connection, name, fate.rows, record.unpublished or (), buckets)


def _new_records(library: Library, changes: Changes) -> list[r.MergeRecord]:
    """Of identities that take part in a merge for the first time, and of keepers that leave the manifest now."""
    now = changes.now
    run_ids = r.run_ids(library.registry)
    found = []
    for identity in changes.concerned:
        name = identity.name
        known = now.records.get(name) if identity.family in now.household.named() else None
        if known is not None:
            found += [known] if name in changes.redirect else []
            continue
        rows = now.household.members.get(name, {})
        is_blank = now.digests[name] is None
        found.append(
            r.MergeRecord(
                name=name,
                run_id=run_ids[name],
                label_given=None,
                unpublished=r.decisions_of(library.registry, rows) if is_blank else None,
                members_digest=members_digest(rows) if is_blank else None,
                centroid=identity.centroid.tobytes() if identity.centroid is not None else None,
                entry=None,
            )
        )
    return found


def _entries_as_they_stand(library: Library, now: Standing) -> dict[str, r.KeptEntry]:
    away = {
        name: record.entry for name, record in now.records.items() if record.entry and name in now.tombstone_reasons
    }
    return entries_as_they_stand(library.folder, away)


def _with_entry(record: r.MergeRecord, entry: r.KeptEntry | None) -> r.MergeRecord:
    """`entry`: what the top-level manifest says of it; its text before the first merge stays on record."""
    if entry is None:
        return record
    return replace(record, entry=replace(entry, first=record.entry.first) if record.entry else entry)


def _labels(changes: Changes, stands: Mapping[str, str | None]) -> dict[str, tuple[str | None, str | None]]:
    """Name -> label, and the one that a merge gave it, of all with another label. `stands`: the labels until now.

    A keeper without a label takes that of the first merged one with a label, and loses it with the last of them;
    a label that was given by hand since then stays.
    """
    now, after = changes.now, changes.after
    label = {name: stands[name] for name, identity in now.identities.items() if not identity.is_era}
    entering = {merge.keeper for merge in changes.new_merges}
    found: dict[str, tuple[str | None, str | None]] = {}
    for name in _from_the_outside_in(after, sorted(now.household.named() | after.named())):
        record = now.records.get(name) if name in now.household.named() else None
        given = record.label_given if record else None
        is_derived = given is not None and label[name] == given
        brought = [label[merge.merged] for merge in after.merges if merge.keeper == name]
        first: str | None = next((text for text in brought if text), None)
        if is_derived or (name in entering and label[name] is None):
            if (first, first) != (label[name], given):
                found[name] = (first, first)
            label[name] = first
        elif given is not None:
            found[name] = (label[name], None)
    return found


def _from_the_outside_in(household: Household, names: Sequence[str]) -> list[str]:
    """Merged names before their keepers."""
    return sorted(names, key=lambda name: (len(household.part_of(name)), name))


def _cannot_come_back(name: str) -> PublishRefused:
    return PublishRefused(
        f"{name} cannot come back: none of its faces can be exported now, and its folder is not in the archive. Mount "
        "the photos of its buckets, or restore `_retired/_merged/` from a backup. Nothing was changed."
    )
