"""One identity and its eras as they should stand. Pure but for the callback that says how many faces would be exported.

Faces slot into the anchors that stand; where the run splits, what is left over seeds new anchors until it seeds none.
An era that has no face is out of use, and back when it has one again; an anchor without an exportable face founds none.
"""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.eras import Anchor, DatedFaces, EraNumbers, Left, join, seed, stays, why_left
from facesets_dagster.identities.identity import Identity


@dataclass(frozen=True)
class ExistingEra:
    """An era of the registry, live or out of use."""

    identity: Identity
    anchor: Anchor
    numbers: EraNumbers
    """What it is judged with in this run."""
    members: Mapping[str, str]
    """face_id -> how it joined."""


@dataclass(frozen=True)
class PlannedEra:
    """An era as it should stand."""

    name: str
    anchor: Anchor
    numbers: EraNumbers
    members: Mapping[str, str]
    identity: Identity | None
    """None for a new one."""
    kind: str
    """`era` or `thin_era`."""


@dataclass(frozen=True)
class Family:
    """A parent with its eras, and where every face of it is."""

    parent: Identity
    faces: DatedFaces
    eras: list[PlannedEra]
    emptied: list[Identity]
    """Live eras that have no face any more."""
    left: list[Left]
    anchor_names: tuple[str, ...]
    """Name of the era of each anchor that `left` speaks of."""


Exported = Callable[[Mapping[str, str]], int]
"""Members (face_id -> how it joined) -> faces that an export of them would hold."""


@dataclass(frozen=True)
class _Slot:
    """An anchor that faces may join."""

    anchor: Anchor
    numbers: EraNumbers
    existing: ExistingEra | None

    @property
    def is_live(self) -> bool:
        return self.existing is not None and self.existing.identity.live


def plan_family(
    parent: Identity,
    faces: DatedFaces,
    absent: AbstractSet[str],
    existing: list[ExistingEra],
    taken: AbstractSet[str],
    exported: Exported,
    *,
    split: EraNumbers | None,
) -> Family:
    """`faces`: members of the parent; `absent`: members without a row now, which stay where they are.

    `taken`: names that are in use or were; `split`: what new eras are made by, None if there are to be none.
    """
    existing = sorted(existing, key=lambda era: (not era.identity.live, era.identity.name))
    slots = [_Slot(era.anchor, era.numbers, era) for era in existing]
    wanting = set[str]()
    joined, slots = _fill(faces, slots, _claims(faces, existing), absent, exported, wanting)
    too_few: list[str] = []
    while split is not None:
        anchors, too_few = seed(faces, joined < 0, [slot.anchor for slot in slots], split)
        stood = len(slots)
        new = [_Slot(anchor, split, None) for anchor in anchors]
        joined, slots = _fill(faces, [*slots, *new], joined, absent, exported, wanting)
        if len(slots) == stood:
            break
    names = _names(parent, slots, joined, taken)
    eras = [
        _planned(names[index], slot, _members(faces, slot, joined == index, absent), exported)
        for index, slot in enumerate(slots)
    ]
    left = why_left(faces, [slot.anchor for slot in slots], [slot.numbers for slot in slots], joined)
    return Family(
        parent,
        faces,
        sorted((era for era in eras if era.members), key=lambda era: era.name),
        [era.identity for era in eras if not era.members and era.identity is not None],
        [_with_reason(face, set(too_few), wanting) for face in left],
        tuple(names),
    )


def _claims(faces: DatedFaces, existing: list[ExistingEra]) -> NDArray[np.int64]:
    """Era of each face that stays where it is (n,); live eras come before those out of use."""
    fixed = np.full(len(faces.face_ids), -1, np.int64)
    for index, era in enumerate(existing):
        member = np.array([face_id in era.members for face_id in faces.face_ids], bool)
        fixed[member & (fixed < 0) & stays(faces, era.anchor, era.numbers)] = index
    return fixed


def _fill(
    faces: DatedFaces,
    slots: list[_Slot],
    fixed: NDArray[np.int64],
    absent: AbstractSet[str],
    exported: Exported,
    wanting: set[str],
) -> tuple[NDArray[np.int64], list[_Slot]]:
    """Faces join; slots that are not live and would export nothing are dropped, and their faces join others.

    Those faces are noted in `wanting`.
    """
    while True:
        joined = join(faces, [slot.anchor for slot in slots], [slot.numbers for slot in slots], fixed)
        members = [_members(faces, slot, joined == index, absent) for index, slot in enumerate(slots)]
        kept = [
            index for index, slot in enumerate(slots) if slot.is_live or (members[index] and exported(members[index]))
        ]
        if len(kept) == len(slots):
            return joined, slots
        for index in set(range(len(slots))) - set(kept):
            wanting.update(members[index])
        position = {index: new for new, index in enumerate(kept)}
        fixed = np.array([position.get(int(index), -1) for index in fixed], np.int64)
        slots = [slots[index] for index in kept]


def _members(faces: DatedFaces, slot: _Slot, mine: NDArray[np.bool_], absent: AbstractSet[str]) -> dict[str, str]:
    """face_id -> how it joined, for the rows that are `mine` (n,), by face_id."""
    before = slot.existing.members if slot.existing else {}
    how = "slotted" if slot.existing else "founded"
    found = {faces.face_ids[row]: before.get(faces.face_ids[row], how) for row in np.flatnonzero(mine)}
    if slot.is_live:
        found.update({face_id: joined_by for face_id, joined_by in before.items() if face_id in absent})
    return dict(sorted(found.items()))


def _names(parent: Identity, slots: list[_Slot], joined: NDArray[np.int64], taken: AbstractSet[str]) -> list[str]:
    """Names in the order of `slots`: new ones by span, then size; a span that is taken gets `_2`, `_3` ..."""
    names = {index: slot.existing.identity.name for index, slot in enumerate(slots) if slot.existing}
    used = {*taken, *names.values()}
    new = [index for index in range(len(slots)) if index not in names]
    new.sort(
        key=lambda index: (slots[index].anchor.first_year, slots[index].anchor.last_year, -(joined == index).sum())
    )
    for index in new:
        anchor = slots[index].anchor
        base = f"{parent.name}_era_{anchor.first_year}-{anchor.last_year}"
        name, copy = base, 2
        while name in used:
            name, copy = f"{base}_{copy}", copy + 1
        names[index] = name
        used.add(name)
    return [names[index] for index in range(len(slots))]


def _planned(name: str, slot: _Slot, members: dict[str, str], exported: Exported) -> PlannedEra:
    """A substantive era stays one, whatever it exports later."""
    identity = slot.existing.identity if slot.existing else None
    substantive = identity is not None and identity.kind == "era"
    if not substantive and members:
        substantive = exported(members) >= slot.numbers.min_era_faces
    return PlannedEra(name, slot.anchor, slot.numbers, members, identity, "era" if substantive else "thin_era")


def _with_reason(face: Left, too_few: AbstractSet[str], wanting: AbstractSet[str]) -> Left:
    """The anchors that stand were too far, but there was a nearer reason."""
    reason = face.reason
    if reason != "undated" and face.face_id in too_few:
        reason = "too_few"
    elif reason != "undated" and face.face_id in wanting:
        reason = "nothing_to_export"
    return Left(face.face_id, reason, face.anchor, face.distance, face.years)
