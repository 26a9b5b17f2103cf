"""The library as it should stand after merges, or after taking some back: the plan behind both jobs.

Both say which members and merges should be true (`identities.merging`); the rest follows from the difference: which
faceset is made again or restored from the archive, which one goes, which eras follow, which labels change.
"""

from collections.abc import Mapping, Sequence

import polars as pl

from facesets_dagster.faces.schema import face_schema
from facesets_dagster.identities.identity import Identity
from facesets_dagster.identities.merging import Rows
from facesets_dagster.library.archive import Archive, pictures_of, versions_of
from facesets_dagster.library.library import Library
from facesets_dagster.library.member_table import read_members
from facesets_dagster.library.membership import rows_of_members
from facesets_dagster.library.numbering import faceset_folder
from facesets_dagster.photos.bucket_key import LIBRARY
from facesets_dagster.publishing.gallery import Gallery, Terms
from facesets_dagster.publishing.merges.changes import Changes, Fate, Merging, members_digest, statements
from facesets_dagster.publishing.publisher import Plan
from facesets_dagster.publishing.run import Run
from facesets_dagster.publishing.staging import terms_in_place, terms_of_folder
from facesets_dagster.publishing.transaction import Wanted
from facesets_dagster.registry.merges import MergeRecord, archived_digests


class MergePlanner:
    """Makes the plan that leads to a state of members and merges."""

    def __init__(self, run: Run) -> None:
        self._run, self._library = run, run.library

    def plan(self, changes: Changes) -> Plan[Merging]:
        """The same library if there are none."""
        merging = Merging(changes, _fates(changes))
        wanted = [
            Wanted(_hows(fate.rows), self._terms(fate.identity), fate.identity, parent=fate.identity.parent)
            for fate in merging.published()
        ]
        retire, archive = merging.retired(), self._archive(merging)
        names = {*(fate.identity.name for fate in merging.published()), *(identity.name for identity in retire)}
        rows = {fate.identity.name: fate.rows for fate in merging.published()}
        gallery = self._gallery(rows, sorted({*names, *archive.names()}))
        if changes.are_none():
            return Plan(wanted, gallery, merging)
        also = statements(merging, archive, self._run)
        return Plan(wanted, gallery, merging, retire, archive=archive, also=also)

    def _terms(self, identity: Identity) -> Terms:
        """What its faceset was made under: by the folder in place, or by the one that it had last."""
        folder = self._library.folder
        versions = versions_of(folder, identity.name)
        if identity.live or not versions:
            return terms_in_place(folder, identity, self._run.export)
        return terms_of_folder(versions[-1], identity, self._run.export)

    def _archive(self, merging: Merging) -> Archive:
        changes = merging.changes
        now, stay = changes.now, changes.after.named()
        forget = {
            entry for entry in archived_digests(self._library.registry) if now.identities[entry[0]].family not in stay
        }
        blank = [fate.identity for fate in merging.unpublished() if fate.record is not None]
        return Archive(
            self._library.folder,
            {identity.name: faceset_folder(identity.name, identity.kind) for identity in changes.concerned},
            set(changes.redirect),
            forget,
            [faceset_folder(identity.name, identity.kind) for identity in blank if identity.live],
        )

    def _gallery(self, rows: Mapping[str, Rows], names: Sequence[str]) -> Gallery:
        run, library = self._run, self._library

        def find_rows(wanted: Mapping[str, str | None]) -> pl.DataFrame | None:
            return _with_archived(library, rows_of_members(library, run.store_of, wanted), wanted, names)

        return Gallery(
            run,
            pl.DataFrame(schema=face_schema(run.pack.dim)),
            Terms("discovered", LIBRARY, {}, run.export),
            names,
            find_rows=find_rows,
            places=lambda name: {face: bucket for face, (bucket, _) in rows[name].items()},
            pictures=pictures_of(library.folder, names),
        )


def _fates(changes: Changes) -> list[Fate]:
    """All identities with other members and those that come back, each before its eras."""
    found: list[Fate] = []
    for name in sorted({*changes.back, *changes.moved} - {*changes.merged}):
        person = changes.now.identities[name]
        if person.live or name in changes.back:  # else merged or out of use: only its record changes
            found += [_fate_of_person(person, changes), *_fates_of_eras(person, changes)]
    return found


def _fate_of_person(person: Identity, changes: Changes) -> Fate:
    rows = changes.after.members.get(person.name, {})
    record = changes.now.records.get(person.name)
    if not rows:
        return Fate(person, rows, "gone")
    if record is not None and _stood_unpublished(record, rows):
        return Fate(person, rows, "unpublished", record)
    return Fate(person, rows, "published")


def _fates_of_eras(person: Identity, changes: Changes) -> list[Fate]:
    """Eras come back with their person, and lose the faces that their person loses."""
    now, is_back = changes.now, person.name in changes.back
    rows = changes.after.members.get(person.name, {})
    lost = now.household.members.get(person.name, {}).keys() - rows.keys()
    found: list[Fate] = []
    for era in now.eras_of(person.name, live=not is_back):
        before = now.household.members.get(era.name, {})
        left = {face: row for face, row in before.items() if (face in rows if is_back else face not in lost)}
        if not left:
            found.append(Fate(era, left, "gone"))
        elif is_back and now.digests[era.name] is None:
            found.append(Fate(era, left, "unpublished"))
        elif is_back or left != before:
            found.append(Fate(era, left, "published"))
    return found


def _with_archived(
    library: Library, rows: pl.DataFrame | None, wanted: Mapping[str, str | None], names: Sequence[str]
) -> pl.DataFrame | None:
    """The rows, and those of members whose cache is gone, from the archived folders of these names."""
    known = set(rows.select("face_id", "bucket").iter_rows()) if rows is not None else set()
    absent = {(face, bucket) for face, bucket in wanted.items() if bucket is not None} - known
    folders = [folder for name in names for folder in versions_of(library.folder, name)] if absent else []
    if not folders:
        return rows
    pairs = pl.DataFrame(sorted(absent), schema={"face_id": pl.String, "bucket": pl.String}, orient="row")
    tables = pl.concat([read_members(folder / "members.parquet") for folder in folders])
    found = tables.join(pairs, on=["face_id", "bucket"], how="semi").unique(["face_id", "bucket"], maintain_order=True)
    found = found.drop("joined_by", "state").with_columns(source_missing=pl.lit(True))
    return found if rows is None else pl.concat([rows, found.select(rows.columns)])


def _stood_unpublished(record: MergeRecord, rows: Rows) -> bool:
    return record.unpublished is not None and record.members_digest == members_digest(rows)


def _hows(rows: Rows) -> dict[str, str]:
    return {face: how for face, (_, how) in rows.items()}
