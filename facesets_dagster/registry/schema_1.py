"""What a registry of schema 1 knew of merges, of rejected proposals and of names, as rulings and their base. Pure.

Schema 1 kept merged members under both names: under that of the merged identity as they were, and under its keeper's
with the mark `merged:<whose>`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from facesets_dagster.identities.merging import Merge, Rows, is_marked, whose
from facesets_dagster.identities.projection import leading_to
from facesets_dagster.identities.rulings import MOST_EXEMPLARS, STANDS_FOR, Ruling, RulingFace
from facesets_dagster.registry.ruling_rows import new_id

_PHOTO_DIGITS = 16
"""A face_id begins with as many digits of its photo's SHA-256."""
_NOBODY = "unknown"


@dataclass(frozen=True)
class OldIdentity:
    """A row of `identities`, with what the tombstone of one out of use says."""

    name: str
    parent: str | None
    """Of an era."""
    label: str | None
    can_be_named: bool
    """Whether its label, if it has one, was given by hand or came with a merge."""
    live: bool
    reason: str | None
    """Of its tombstone."""
    model_id: str


@dataclass(frozen=True)
class OldMerge:
    """A row of `merges`."""

    merge: Merge
    run_id: str
    undone_by: str | None


@dataclass(frozen=True)
class SchemaOne:
    """The rows that rulings come from."""

    identities: Mapping[str, OldIdentity]
    members: Mapping[str, Rows]
    merges: Sequence[OldMerge]
    """Oldest first."""
    rejected: Sequence[tuple[str, str, str]]
    """First, second, run."""
    given: Mapping[str, str | None]
    """Name -> the label that a merge gave it."""
    made_at: str
    """Time of the migration; schema 1 did not record when."""

    @cached_property
    def in_force(self) -> list[Merge]:
        """Merges that are not undone."""
        return [old.merge for old in self.merges if old.undone_by is None]

    @cached_property
    def merged(self) -> set[str]:
        """Names that take part in merges in force."""
        return {name for merge in self.in_force for name in (merge.merged, merge.keeper)}

    @cached_property
    def named(self) -> list[str]:
        """People whose label was given by hand."""
        return [
            name
            for name, one in sorted(self.identities.items())
            if one.can_be_named and one.label and not self._is_given(name) and (one.live or name in self.merged)
        ]

    def label_before(self, name: str) -> str | None:
        """The label that an identity would have without merges and names."""
        one = self.identities.get(name)
        return None if one is None or name in self.named or self._is_given(name) else one.label

    @cached_property
    def base(self) -> dict[str, Rows]:
        """Everybody whom the rulings touch -> members without them, eras too."""
        people = {name: self._own(name) for name in sorted(self.merged | {*self.named})}
        eras: dict[str, Rows] = {}
        for name, era in sorted(self.identities.items()):
            if era.parent in people and (era.live or era.reason == "merged"):
                rows = self.members.get(name, {})
                known = rows if era.live else people[era.parent]
                eras[name] = {face: row for face, row in rows.items() if face in known}
        return {**people, **eras}

    def rulings(self) -> list[Ruling]:
        """All of them, in the order in which they are to be obeyed."""
        names = [self._name(name) for name in self.named]
        labels = {name: one.label if name in self.named else self.label_before(name) for name, one in self._people()}
        merges: list[Ruling] = []
        for old in self.merges:
            merged, keeper = old.merge.merged, old.merge.keeper
            if old.undone_by is None:
                merges += self._as_it_is(merged, labels)
                labels[keeper] = labels.get(keeper) or labels.get(merged)
            merges.append(self._same(old))
        keepers = sorted(self.merged - {merge.merged for merge in self.in_force})
        last = [ruling for name in keepers for ruling in self._as_it_is(name, labels)]
        return names + merges + last + [self._different(*pair) for pair in self.rejected]

    def _people(self) -> list[tuple[str, OldIdentity]]:
        return [(name, one) for name, one in self.identities.items() if one.parent is None]

    def _is_given(self, name: str) -> bool:
        one = self.identities.get(name)
        given = self.given.get(name) if name in self.merged else None
        return one is not None and given is not None and one.label == given

    def _own(self, name: str) -> Rows:
        """What an identity has without merges: its own members that its keeper still holds, and faces that came for it
        since it was merged: of photos in its hand-sorted folder.
        """
        top = leading_to(name, self.in_force)
        held = self.members.get(top, {})
        if name == top:
            return {face: row for face, row in held.items() if not self._is_brought(row[1], top)}
        known = self.members.get(name, {})
        own = {face: row for face, row in known.items() if not is_marked(row[1]) and face in held}
        for face, (bucket, how) in held.items():
            if whose(how, top) == name and face not in own:
                own[face] = (bucket, "hand_sorted")
        return dict(sorted(own.items()))

    def _is_brought(self, how: str, top: str) -> bool:
        return is_marked(how) and leading_to(whose(how, top), self.in_force) == top

    def _as_it_is(self, name: str, labels: dict[str, str | None]) -> list[Ruling]:
        """A name that says the label that an identity has, if merges would give it another one."""
        one = self.identities.get(name)
        if one is None or (one.label or None) == (labels.get(name) or None):
            return []
        labels[name] = one.label
        return [self._name(name)]

    def _name(self, name: str) -> Ruling:
        text = self.identities[name].label or ""
        return self._ruling("name", {STANDS_FOR: name}, _NOBODY, payload={"text": text}, published=True)

    def _same(self, old: OldMerge) -> Ruling:
        sides = {"a": old.merge.merged, "b": old.merge.keeper}
        payload = {"keeper": "b"}
        if old.undone_by is None:
            return self._ruling("same", sides, old.run_id, payload=payload, published=True)
        undone = {"state": "undone", "undone_at": self.made_at, "undone_by": old.undone_by}
        return self._ruling("same", sides, old.run_id, payload=payload, **undone)

    def _different(self, first: str, second: str, run_id: str) -> Ruling:
        return self._ruling("different", {"a": first, "b": second}, run_id, published=True)

    def _ruling(self, kind: str, names: Mapping[str, str], made_by: str, **values: object) -> Ruling:
        faces = tuple(face for role, name in names.items() for face in self._faces(name, role))
        fixed = {"made_at": self.made_at, "made_by": made_by or _NOBODY, "via": "job"}
        return Ruling(new_id(), kind, names=names, faces=faces, **fixed, **values)  # type: ignore[arg-type]

    def _faces(self, name: str, role: str) -> list[RulingFace]:
        """Faces that stand for an identity; schema 1 knew neither their boxes nor their embeddings."""
        rows = self.base.get(name)
        if rows is None:
            rows = {face: row for face, row in self.members.get(name, {}).items() if not is_marked(row[1])}
        one = self.identities.get(name)
        model_id = one.model_id if one is not None else ""
        return [
            RulingFace(role, face[:_PHOTO_DIGITS], (0, 0, 0, 0), 0, 0, face, rows[face][0], model_id)
            for face in sorted(rows)[:MOST_EXEMPLARS]
        ]
