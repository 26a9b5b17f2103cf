"""The library as the rulings in force would have it: the plan behind `applied_rulings`.

The rulings say which members and names should be true (`identities.projection`); the rest follows from the difference:
which faceset is made again or restored from what is kept, which one goes, which eras follow, which labels change.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import polars as pl

from facesets_dagster.faces.schema import face_schema
from facesets_dagster.identities.identity import Identity
from facesets_dagster.identities.merging import Rows
from facesets_dagster.library.archive import Archive, pictures_of, versions_of
from facesets_dagster.library.library import Library
from facesets_dagster.library.member_table import read_members
from facesets_dagster.library.membership import rows_of_members
from facesets_dagster.library.next_number import next_number
from facesets_dagster.library.numbering import faceset_folder
from facesets_dagster.photos.bucket_key import LIBRARY, is_pseudo
from facesets_dagster.publishing.gallery import Gallery, Terms
from facesets_dagster.publishing.publisher import Plan
from facesets_dagster.publishing.rulings.changes import Changes, Fate, named_by, number_named
from facesets_dagster.publishing.rulings.standing import Standing, standing, with_names
from facesets_dagster.publishing.rulings.statements import Ruled, statements
from facesets_dagster.publishing.run import Run
from facesets_dagster.publishing.staging import terms_in_place, terms_of_folder
from facesets_dagster.publishing.transaction import Wanted
from facesets_dagster.registry.ruled import kept_folders


class RulingsPlanner:
    """Makes the plan that leads to the rulings in force."""

    def __init__(self, run: Run) -> None:
        self._run, self._library = run, run.library

    def plan(self) -> Plan[Ruled]:
        """The same library where it says what the rulings say."""
        changes = changes_now(self._library)
        fates = changes.fates()
        rows = named_by(fates)
        archive = self._archive(changes, fates)
        gallery = self._gallery(rows, sorted({*rows, *changes.closed, *archive.names()}))
        wanted, hollow = self._wanted(changes, fates, gallery)
        out = {one.name for one in hollow}
        stay = [fate for fate in fates if fate.name not in out]
        ruled = Ruled(changes, stay, [one for one in hollow if one.live or one.name in changes.founded])
        if changes.are_none() and not ruled.pending:
            return Plan((), gallery, ruled)
        also = statements(ruled, archive, self._run)
        return Plan(wanted, gallery, ruled, ruled.retired(), archive=archive, also=also)

    def _wanted(self, changes: Changes, fates: Sequence[Fate], gallery: Gallery) -> tuple[list[Wanted], list[Identity]]:
        """What is published, and identities of which nothing can be exported although their faces are known."""
        wanted, hollow = list[Wanted](), list[Identity]()
        for fate in fates:
            if fate.end == "unpublished":
                continue
            one = self._one(changes, fate)
            lost = changes.now.members.get(fate.name, {}).keys() - fate.rows.keys()
            if fate.identity is not None and not gallery.content(one.members, one.whose(), one.terms).faces:
                stone = changes.now.tombstones.get(fate.name)
                if (fate.identity.live and lost) or (stone is not None and stone.reason == "emptied"):
                    hollow.append(fate.identity)
                    continue
            if fate.identity is None and _is_never_in_use(gallery, one):
                hollow.append(_out_of_use(one))
                continue
            wanted.append(one)
        return wanted, hollow

    def _one(self, changes: Changes, fate: Fate) -> Wanted:
        members = {face: how for face, (_, how) in fate.rows.items()}
        if fate.identity is not None:
            return Wanted(members, self._terms(fate.identity), fate.identity, parent=fate.identity.parent)
        source = changes.now.identities[changes.after.made[fate.name]]
        terms = self._terms(source)
        bucket = terms.bucket
        if is_pseudo(bucket):
            bucket = Counter(place for place, _ in fate.rows.values()).most_common(1)[0][0]
        own = Terms("discovered", bucket, terms.parameters, terms.export)
        return Wanted(members, own, None, fate.name, number_named(fate.name))

    def _terms(self, identity: Identity) -> Terms:
        """What its faceset was made under: by the folder in place, or by the one that it had last."""
        folder = self._library.folder
        versions = versions_of(folder, identity.name)
        if identity.live or not versions:
            return terms_in_place(folder, identity, self._run.export)
        return terms_of_folder(versions[-1], identity, self._run.export)

    def _archive(self, changes: Changes, fates: Sequence[Fate]) -> Archive:
        """Folders of everybody whom rulings touch are kept before they change; nobody else's."""
        touched = changes.after.touched
        forget = {entry for entry in kept_folders(self._library.registry) if entry[0] not in touched}
        blank = [fate.identity for fate in fates if fate.record is not None and fate.identity is not None]
        return Archive(
            self._library.folder,
            {one.name: faceset_folder(one.name, one.kind) for one in changes.to_keep()},
            changes.closed.keys() & touched,
            forget,
            [faceset_folder(one.name, one.kind) for one in blank if one.live],
        )

    def _gallery(self, rows: Mapping[str, Rows], names: Sequence[str]) -> Gallery:
        run, library = self._run, self._library

        def find_rows(wanted: Mapping[str, str | None]) -> pl.DataFrame | None:
            return with_kept(library, rows_of_members(library, run.store_of, wanted), wanted, names)

        return Gallery(
            run,
            pl.DataFrame(schema=face_schema(run.pack.dim)),
            Terms("discovered", LIBRARY, {}, run.export),
            names,
            find_rows=find_rows,
            places=lambda name: {face: bucket for face, (bucket, _) in rows[name].items()},
            pictures=pictures_of(library.folder, names),
        )


def _is_never_in_use(gallery: Gallery, wanted: Wanted) -> bool:
    """Whether nothing of it can be exported, though the photos of all its faces are there."""
    content = gallery.content(wanted.members, wanted.whose(), wanted.terms)
    there = content.members.filter(~pl.col("source_missing"))
    return not content.faces and len(there) == len(wanted.members)


def _out_of_use(wanted: Wanted) -> Identity:
    """As it enters the registry."""
    assert wanted.name is not None  # a split gives names and numbers
    assert wanted.number is not None
    bucket = wanted.terms.bucket
    return Identity(0, wanted.name, wanted.number, "discovered", None, bucket, None, False, 0, None, None)


def changes_now(library: Library) -> Changes:
    """From the library as it stands to what the rulings in force make of it."""
    return changes_from(standing(library), next_number(library))


def changes_from(now: Standing, number: int) -> Changes:
    """`number`: the next that a split may take."""
    return Changes(now, now.projected(now.rulings, number), with_names(now.base, now.rulings, number))


def with_kept(
    library: Library, rows: pl.DataFrame | None, wanted: Mapping[str, str | None], names: Sequence[str]
) -> pl.DataFrame | None:
    """The rows, and those of members whose cache is gone, from the kept folders of these names."""
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
