"""What the transaction of a publication records of rulings besides the facesets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from facesets_dagster.errors import PublishRefused
from facesets_dagster.identities.identity import Identity
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.library.archive import Archive, row_of_folder
from facesets_dagster.library.library import Library
from facesets_dagster.library.top_manifest import entries_as_they_stand
from facesets_dagster.publishing.rulings.changes import Changes, Fate
from facesets_dagster.publishing.run import Run
from facesets_dagster.registry import ruled as r
from facesets_dagster.registry.merges import write_merges
from facesets_dagster.registry.rulings import buckets_decided_by, note_published

_JUDGED_ANEW: Mapping[str, tuple[str, ...]] = {
    "not_person": ("face",),
    "ignore": ("face",),
    "not_a_face": ("face",),
    "different": ("a", "b"),
    "allow_together": ("face",),
}
"""Kind -> roles of the faces whose buckets are to be run again once it is obeyed, or no longer."""


@dataclass(frozen=True)
class Ruled:
    """The changes, and what follows from them for each identity."""

    changes: Changes
    fates: Sequence[Fate]
    hollow: Sequence[Identity] = ()
    """Live identities, and new ones of splits, of which nothing can be exported after it: they are out of use."""

    @property
    def pending(self) -> Sequence[Ruling]:
        """Rulings that the library did not obey before, or obeyed though they were taken back."""
        return self.changes.now.pending

    def published(self) -> list[Fate]:
        """Identities whose faceset is made, made again or restored."""
        return [fate for fate in self.fates if fate.end != "unpublished"]

    def unpublished(self) -> list[Fate]:
        """Identities without a folder here from now on."""
        return [fate for fate in self.fates if fate.end == "unpublished"]

    def retired(self) -> list[Identity]:
        """Identities that go out of use, or never come into it."""
        return [self.changes.now.identities[name] for name in self.changes.closed] + list(self.hollow)

    def stale_buckets(self, library: Library) -> set[str]:
        """Buckets with faces that are to be judged anew."""
        undone = [ruling.ruling_id for ruling in self.pending if ruling.published]
        named = {face.bucket for one in self.pending for face in one.of_role(*_JUDGED_ANEW.get(one.kind, ()))}
        return self.changes.freed() | buckets_decided_by(library.registry, undone) | named


def statements(ruled: Ruled, archive: Archive, run: Run) -> Callable[[sa.Connection], None]:
    """Everything but the publication of facesets."""
    library, run_id, changes = run.library, run.run_id, ruled.changes
    records, obeyed = _records(library, changes), [ruling.ruling_id for ruling in changes.now.rulings]
    buckets = {run.bucket for run in library.registry.bucket_runs()}
    stale, names = ruled.stale_buckets(library), {*changes.after.touched, *changes.moved, *changes.back}
    runs = r.runs_of_members(library.registry, names, run_id)

    def also(connection: sa.Connection) -> None:
        write_merges(connection, changes.now.merges, changes.after.merges, run_id)
        entries = _entries_as_they_stand(library, changes) if records else {}
        for record in records:
            r.write_record(connection, _with_entry(record, entries.get(record.name)))
        for identity in ruled.hollow:
            if identity.name in changes.founded:
                r.write_never_in_use(connection, identity, run_id)
        for name in changes.moved + changes.back + changes.founded:
            r.write_members(connection, name, changes.after.members[name], runs)
        for name, out in {**changes.closed, **changes.led_elsewhere}.items():
            r.write_tombstone(connection, name, out.reason, out.into)
            if out.reason == "undone":
                r.write_members(connection, name, {}, runs)
        for identity in ruled.hollow:
            r.write_tombstone(connection, identity.name, "emptied", None)
        for name, label in changes.labels.items():
            r.write_label(connection, name, label)
        r.write_kept(connection, archive.digests, archive.forget)
        for name, folder in archive.given_out.items():
            r.restore_row(connection, name, **row_of_folder(folder, name))
        for fate in ruled.unpublished():
            _restore_unpublished(connection, fate, buckets, run.pack.model_id)
        _write_basis(connection, changes, runs)
        r.write_ruled_faces(connection, {place: changes.after.faces[place] for place in changes.places})
        r.write_stale(connection, stale & buckets)
        note_published(connection, obeyed)
        _require_in_use(connection, ruled)

    return also


def _write_basis(connection: sa.Connection, changes: Changes, runs: r.RunOf) -> None:
    """What runs alone would have made of the identities that rulings touch, and who these are."""
    r.write_touched(connection, changes.after.touched, changes.made())
    r.write_unruled(connection, changes.unruled(), runs)
    r.drop_records(connection, changes.now.records.keys() - changes.now.touched - changes.after.touched)


def _restore_unpublished(connection: sa.Connection, fate: Fate, buckets: set[str], model_id: str) -> None:
    name, record = fate.name, fate.record
    if record is None:  # an era: nothing was decided by it
        r.restore_row(connection, name)
        return
    known = model_id if record.centroid is not None else None
    r.restore_row(
        connection, name, manifest_sha256=None, centroid=record.centroid, run_id=record.run_id, model_id=known
    )
    r.restore_decisions(connection, name, fate.rows, record.unpublished or (), buckets)


def _records(library: Library, changes: Changes) -> list[r.StoodBefore]:
    """Of identities that rulings touch for the first time, and of those that leave the manifest now."""
    now, run_ids, found = changes.now, r.run_ids(library.registry), []
    for name in sorted(changes.after.touched & now.identities.keys()):
        known, identity = now.records.get(name) if name in now.touched else None, now.identities[name]
        if known is not None:
            found += [known] if name in changes.closed else []
            continue
        rows = now.members.get(name, {})
        is_blank = now.digests[name] is None
        found.append(
            r.StoodBefore(
                name=name,
                run_id=run_ids[name],
                label=None if identity.is_era else identity.label,
                unpublished=r.decisions_of(library.registry, rows) if is_blank else None,
                members_digest=r.members_digest(rows) if is_blank else None,
                centroid=identity.centroid.tobytes() if identity.centroid is not None else None,
                entry=None,
            )
        )
    return found


def _entries_as_they_stand(library: Library, changes: Changes) -> dict[str, r.KeptEntry]:
    now = changes.now
    away = {name: record.entry for name, record in now.records.items() if record.entry and name in now.tombstones}
    return entries_as_they_stand(library.folder, away)


def _with_entry(record: r.StoodBefore, entry: r.KeptEntry | None) -> r.StoodBefore:
    """`entry`: what the top-level manifest says of it; its text before the first ruling stays on record."""
    if entry is None:
        return record
    return replace(record, entry=replace(entry, first=record.entry.first) if record.entry else entry)


def _require_in_use(connection: sa.Connection, ruled: Ruled) -> None:
    """Raises `PublishRefused` if somebody who comes back, or whom a split makes, has no face that can be exported."""
    for fate in ruled.fates:
        if not r.is_live(connection, fate.name):
            raise PublishRefused(
                f"{fate.name} cannot come into use: none of its faces can be exported now, and no folder of it is "
                "kept. Mount the photos of its buckets, restore `_retired/_merged/` from a backup, or take back the "
                "ruling: `facesets rulings` lists them. Nothing was changed."
            )
