"""The library without what is forgotten: which face sets are made again with fewer faces, and which go."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
import sqlalchemy as sa

from facesets_dagster.faces.schema import face_schema
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.archive import Archive, pictures_of, place_in_archive
from facesets_dagster.library.member_table import read_members
from facesets_dagster.photos.bucket_key import LIBRARY, file_name
from facesets_dagster.publishing.forgetting.plan import ForgetPlan, Place
from facesets_dagster.publishing.gallery import Gallery, Terms
from facesets_dagster.publishing.publisher import Plan
from facesets_dagster.publishing.run import Run
from facesets_dagster.publishing.staging import terms_in_place
from facesets_dagster.publishing.transaction import Wanted
from facesets_dagster.registry.forgotten import Gone, forget
from facesets_dagster.registry.ruled import kept_folders, write_kept
from facesets_dagster.registry.snapshot import Snapshot


@dataclass
class Removed:
    """What the publication removes; the rows are counted when it is committed."""

    names: list[str]
    """Face sets that go."""
    changed: list[str]
    """Face sets that are made again with fewer faces."""
    rows: dict[str, int]
    """Table of the registry -> rows removed."""


class ForgetPlanner:
    """Makes the plan for one library."""

    def __init__(self, run: Run, forgetting: ForgetPlan) -> None:
        self._run, self._library, self._forgetting = run, run.library, forgetting

    def plan(self) -> Plan[Removed]:
        """Nothing to publish where nobody has such a face; the registry is cleared of it all the same."""
        known = self._library.snapshot()
        going = self._going(known)
        members = known.members(one.name for one in known.identities())
        rest = {
            one.name: {
                face: how for face, how in members.get(one.name, {}).items() if face not in going.get(one.name, ())
            }
            for one in known.identities()
        }
        gone = self._whole(known, rest, going)
        stay = [one for one in known.live() if one.name in going and one.name not in gone]
        gallery = self._gallery([one.name for one in stay])
        wanted, hollow, founders = self._wanted(known, stay, rest, gallery)
        retire = [one for one in known.live() if one.name in gone] + hollow
        archive = self._archive(gone, [*retire])
        removed = Removed(sorted(gone), [one.identity.name for one in wanted if one.identity], {})
        return Plan(
            wanted, gallery, removed, retire, archive=archive, also=self._also(gone, founders, archive, removed)
        )

    def _going(self, known: Snapshot) -> dict[str, set[str]]:
        """Identity -> members that go; only those that lose one."""
        faces, buckets = set(self._forgetting.faces), set(self._forgetting.buckets)
        rows = self._library.registry.memberships()
        found: dict[str, set[str]] = {}
        for name, bucket, face_id in rows.select("name", "bucket", "face_id").iter_rows():
            if bucket in buckets or (bucket, face_id) in faces:
                found.setdefault(name, set()).add(face_id)
        return found

    def _whole(self, known: Snapshot, rest: Mapping[str, Mapping[str, str]], going: Mapping[str, set[str]]) -> set[str]:
        """Identities that go: named ones, those that lose every member, and their eras."""
        every = {one.name: one for one in known.identities()}
        gone = {name for name in self._forgetting.names if name in every}
        gone |= {name for name in going if name in every and not rest[name]}
        gone |= {
            one.name
            for one in every.values()
            if one.bucket in self._forgetting.buckets and not rest[one.name] and not one.live
        }
        return gone | {one.name for one in every.values() if one.parent in gone}

    def _wanted(
        self, known: Snapshot, stay: list[Identity], rest: Mapping[str, Mapping[str, str]], gallery: Gallery
    ) -> tuple[list[Wanted], list[Identity], dict[str, str]]:
        """Face sets that are made again, those without an exportable face by then, and founders that change."""
        wanted, hollow, founders = list[Wanted](), list[Identity](), dict[str, str]()
        for identity in sorted(stay, key=lambda one: (one.is_era, one.name)):
            terms = terms_in_place(self._library.folder, identity, self._run.export)
            if identity.bucket in self._forgetting.buckets:
                founders[identity.name] = self._founder(known, identity, rest[identity.name])
                terms = replace(terms, bucket=founders[identity.name])
            one = Wanted(rest[identity.name], terms, identity, parent=identity.parent)
            if gallery.content(one.members, one.whose(), one.terms).faces:
                wanted.append(one)
            else:
                hollow.append(identity)
        return wanted, hollow, founders

    def _founder(self, known: Snapshot, identity: Identity, members: Mapping[str, str]) -> str:
        """The bucket with most of the members that stay, the first by name of equal ones."""
        places = known.places(identity.name)
        counts = Counter(places[face] for face in members if face in places)
        return min(counts, key=lambda bucket: (-counts[bucket], bucket)) if counts else LIBRARY

    def _gallery(self, names: list[str]) -> Gallery:
        run = self._run
        pictures = pictures_of(self._library.folder, names)
        terms = Terms("discovered", LIBRARY, {}, run.export)
        return Gallery(run, pl.DataFrame(schema=face_schema(run.pack.dim)), terms, names, pictures=pictures)

    def _archive(self, gone: set[str], retire: list[Identity]) -> Archive:
        """Folders that go at once, kept ones with such faces among them: none is put aside."""
        library = self._library
        forget = {
            (name, digest)
            for name, digest in kept_folders(library.registry)
            if name in gone or self._holds(name, digest)
        }
        return Archive(library.folder, {}, {one.name for one in retire}, forget, ())

    def _holds(self, name: str, digest: str) -> bool:
        folder = place_in_archive(self._library.folder, name, digest)
        return holds_forgotten(folder, self._forgetting)

    def _also(
        self, gone: set[str], founders: Mapping[str, str], archive: Archive, removed: Removed
    ) -> Callable[[sa.Connection], None]:
        forgetting, run_id = self._forgetting, self._run.run_id
        what = Gone(gone, forgetting.faces, forgetting.buckets, forgetting.labels, dict(founders))

        def also(connection: sa.Connection) -> None:
            removed.rows.update(forget(connection, what, run_id))
            write_kept(connection, (), archive.forget)

        return also


def holds_forgotten(folder: Path, forgetting: ForgetPlan) -> bool:
    """Whether a face set's folder has a face that is forgotten, or comes from a forgotten bucket."""
    if any((folder / f"{file_name(bucket)}.txt").exists() for bucket in forgetting.buckets):  # the founder's marker
        return True
    path = folder / "members.parquet"
    places = set(read_members(path).select("bucket", "face_id").iter_rows()) if path.exists() else set[Place]()
    return not places.isdisjoint(forgetting.faces) or any(bucket in forgetting.buckets for bucket, _ in places)
