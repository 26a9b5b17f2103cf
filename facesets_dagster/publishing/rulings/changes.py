"""The difference between the library as it stands and as rulings would have it, for each identity. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from facesets_dagster.identities.identity import Identity
from facesets_dagster.identities.merging import Merge, Rows
from facesets_dagster.identities.projection import Base, Out, Projection, project
from facesets_dagster.identities.rulings import in_order
from facesets_dagster.library.numbering import number_of
from facesets_dagster.publishing.rulings.standing import Standing
from facesets_dagster.registry.ruled import Made, Place, StoodBefore, members_digest

_MARKS = ("feature", "allow_together")
"""Kinds that change what a folder holds, and no member."""

End = Literal["published", "unpublished", "new"]
"""`unpublished`: a legacy identity or era that is again as it was adopted; `new`: a split makes it."""


@dataclass(frozen=True)
class Fate:
    """The new state of an identity that is in use after it."""

    name: str
    identity: Identity | None
    """None for a new one."""
    rows: Rows
    """Its members after it."""
    end: End
    record: StoodBefore | None = None
    """Of an unpublished identity."""


@dataclass(frozen=True)
class Changes:
    """From the library as it stands to the one that the rulings in force lead to."""

    now: Standing
    after: Projection
    base: Base
    """With names for the identities that splits make."""

    @cached_property
    def new_merges(self) -> list[Merge]:
        """In the order of their rulings."""
        return [merge for merge in self.after.merges if merge not in self.now.merges]

    @cached_property
    def closed(self) -> dict[str, Out]:
        """Live identities that go out of use, eras too."""
        return {
            name: out
            for name, out in sorted(self.after.out.items())
            if name in self.now.identities and self.now.identities[name].live
        }

    @cached_property
    def led_elsewhere(self) -> dict[str, Out]:
        """Identities out of use whose tombstones say something else from now on."""
        stones = self.now.tombstones
        return {
            name: out
            for name, out in sorted(self.after.out.items())
            if name in stones and (stones[name].reason, stones[name].merged_into) != (out.reason, out.into)
        }

    @cached_property
    def back(self) -> list[str]:
        """Identities that come back into use, eras too."""
        known = self.now.identities
        out = {name for name in self.after.members if name in known and not known[name].live}
        return sorted(out - self.still_empty)

    @cached_property
    def still_empty(self) -> set[str]:
        """Identities with members that went out of use because nothing of them could be exported, and of which the
        rulings say what they said then.
        """
        known, stones = self.now.identities, self.now.tombstones
        out = {name for name in self.after.members if name in stones and stones[name].reason == "emptied"}
        if not any(not known[name].live for name in out):
            return set()
        obeyed = {one.ruling_id: one for one in (*self.now.rulings, *self.now.pending) if one.published}
        before = project(self.base, in_order([*obeyed.values()])).members
        return {name for name in out if before.get(name) == self.after.members[name]}

    @cached_property
    def moved(self) -> list[str]:
        """Live identities that stay in use with other members."""
        return sorted(
            name
            for name, rows in self.after.members.items()
            if name in self.now.identities
            and self.now.identities[name].live
            and rows is not self.now.members.get(name)
            and rows != self.now.members.get(name, {})
        )

    @cached_property
    def marked(self) -> list[str]:
        """Live identities that stay in use, of whose single faces something else is said."""
        faces = {face.face_id for one in self.now.pending if one.kind in _MARKS for face in one.of_role("face")}
        known = self.now.identities
        return sorted(
            name
            for name, rows in self.after.members.items()
            if name in known and known[name].live and not faces.isdisjoint(rows)
        )

    @cached_property
    def founded(self) -> list[str]:
        """New identities."""
        return sorted(name for name in self.after.members if name not in self.now.identities)

    @cached_property
    def labels(self) -> dict[str, str | None]:
        """Identities with another label."""
        known, touched = self.now.identities, self.after.touched | self.now.touched
        return {
            name: self.after.labels.get(name)
            for name in sorted(touched & self.after.labels.keys())
            if name in known and (known[name].label or None) != (self.after.labels.get(name) or None)
        }

    def are_none(self) -> bool:
        """Whether the library says what the rulings say."""
        return not (
            self.closed or self.led_elsewhere or self.back or self.moved or self.founded or self.labels or self.places
        )

    @cached_property
    def places(self) -> dict[Place, str]:
        """(bucket, face_id) of faces that rulings take from everybody -> state, where it is not that of a member."""
        shown = self.now.members
        taken: dict[Place, str] = {}
        for place, face in self.after.faces.items():
            bucket, face_id = place
            owner = shown.get(face.identity or "", {}).get(face_id)
            if owner is not None and owner[0] == bucket and self.now.identities[face.identity or ""].live:
                taken[place] = face.state
        return taken

    def fates(self) -> list[Fate]:
        """Everybody who is made again, restored or new, people before their eras."""
        found: list[Fate] = []
        for name in sorted({*self.back, *self.moved, *self.marked, *self.founded}):
            identity, rows = self.now.identities.get(name), self.after.members[name]
            record = self.now.records.get(name)
            if identity is None:
                found.append(Fate(name, None, rows, "new"))
            elif identity.is_era and not identity.live and self.now.digests[name] is None:
                found.append(Fate(name, identity, rows, "unpublished"))
            elif record is not None and _stood_unpublished(record, rows):
                found.append(Fate(name, identity, rows, "unpublished", record))
            else:
                found.append(Fate(name, identity, rows, "published"))
        return found

    def to_keep(self) -> list[Identity]:
        """Live identities that rulings touch whose folders change or go, now or, for all that is known, later."""
        new = self.after.touched - self.now.touched
        names = {*self.moved, *self.marked, *self.closed, *new} & self.after.touched & self.now.identities.keys()
        return [self.now.identities[name] for name in sorted(names) if self.now.identities[name].live]

    def made(self) -> list[Made]:
        """Every identity that a split made, those of this publication included."""
        new = [
            Made(ruling_id, part, name)
            for (ruling_id, part), name in sorted(self.base.made.items())
            if name in self.after.members
        ]
        known = {one.name for one in new}
        return [*new, *(one for one in self.now.made if one.name not in known)]

    def unruled(self) -> dict[str, Rows]:
        """Touched identity -> members as runs alone would have them."""
        found = {name: self.base.members.get(name, {}) for name in sorted(self.after.touched)}
        for name in found:
            identity = self.now.identities.get(name)
            if identity is not None and identity.is_era and name in self.base.members:
                rows = self.after.members.get(identity.parent or "", {})
                found[name] = self.base.faces_left(name, identity.parent or "", rows)
        return found

    def freed(self) -> set[str]:
        """Buckets with faces that nobody has any more: they are to be judged anew."""
        before = [self.now.members.get(name, {}) for name in (*self.moved, *self.closed)]
        owned = {face for name in self.after.members for face in self.after.members[name]}
        lost = {(bucket, face) for rows in before for face, (bucket, _) in rows.items() if face not in owned}
        waiting = {place for place, one in self.after.faces.items() if one.state == "ruled_out"}
        return {bucket for bucket, _ in (lost - self.after.faces.keys()) | (waiting & self.places.keys())}


def number_named(name: str) -> int:
    """The number of a name that a split gives."""
    number = number_of(name)
    assert number is not None  # made by `library.numbering.faceset_name`
    return number


def named_by(fates: Sequence[Fate]) -> Mapping[str, Rows]:
    """Name -> members of those that get a folder."""
    return {fate.name: fate.rows for fate in fates if fate.end != "unpublished"}


def _stood_unpublished(record: StoodBefore, rows: Rows) -> bool:
    return record.unpublished is not None and record.members_digest == members_digest(rows)
