"""What a publication would make of rulings that are not applied yet: who changes, and how. Nothing is written."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.library.library import Library
from facesets_dagster.library.next_number import next_number
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.publishing.rulings.changes import Changes
from facesets_dagster.publishing.rulings.planner import changes_from
from facesets_dagster.publishing.rulings.standing import standing
from facesets_dagster.publishing.rulings.statements import Ruled
from facesets_dagster.publishing.rulings.writing import would_be_in_force
from facesets_dagster.registry.rulings import rulings_of

What = Literal["new", "back", "stays", "merged", "ignored", "emptied", "undone"]
"""`stays`: in use before and after, with other members, pictures or name; the last four: out of use, and why."""


@dataclass(frozen=True)
class PersonChange:
    """What becomes of one face set."""

    name: str
    what: What
    faces_in: tuple[str, ...]
    """face_ids that it gets."""
    faces_out: tuple[str, ...]
    faces: int
    """That it has afterwards."""
    label: str | None
    """The person's name afterwards."""
    label_before: str | None
    leads_to: str | None = None
    """The face set to which the name of a merged one leads."""
    part_of: str | None = None
    """Of a new one: the face set that it was part of."""


@dataclass(frozen=True)
class Preview:
    """What a publication would make of the library."""

    people: tuple[PersonChange, ...]
    """By name; eras too."""
    taken: dict[str, str]
    """face_id -> `ignored` or `ruled_out`: faces that are nobody's afterwards."""
    to_run: tuple[str, ...]
    """Buckets (keys) whose next run judges faces anew."""
    pending: tuple[Ruling, ...]
    """Rulings that it would bring the library up to, those included that wait from before."""

    def titles(self) -> list[str]:
        """`to_run` as people see them."""
        return [bucket_title(bucket) for bucket in self.to_run]


def preview(library: Library, new: Sequence[Ruling] = (), undo: Collection[str] = ()) -> Preview:
    """The library with these rulings and without those. Raises `RulingRefused` if that would be a contradiction."""
    in_force = would_be_in_force(library, new, undo)
    now = standing(library)
    taken_back = [one for one in rulings_of(library.registry, undo).values() if one.published]
    waiting = [one for one in now.pending if one.ruling_id not in undo]
    pending = {one.ruling_id: one for one in (*waiting, *taken_back, *new)}
    now = replace(now, rulings=in_force, pending=(*pending.values(),))
    changes = changes_from(now, next_number(library))
    run_once = {run.bucket for run in library.registry.bucket_runs()}
    to_run = Ruled(changes, changes.fates()).stale_buckets(library) & run_once
    return Preview(
        previewed(changes),
        {face: state for (_, face), state in changes.places.items()},
        (*sorted(to_run),),
        now.pending,
    )


def previewed(changes: Changes) -> tuple[PersonChange, ...]:
    """The difference for each face set, by name. Pure."""
    names = {*changes.closed, *changes.back, *changes.moved, *changes.marked, *changes.founded, *changes.labels}
    return tuple(_person(changes, name) for name in sorted(names))


def _person(changes: Changes, name: str) -> PersonChange:
    now, after = changes.now, changes.after
    identity, out = now.identities.get(name), changes.closed.get(name)
    before = now.members.get(name, {}) if identity is not None and identity.live else {}
    rows = {} if out else after.members.get(name, {})
    what: What = out.reason if out else "new" if identity is None else "back" if name in changes.back else "stays"
    label_before = identity.label if identity else None
    return PersonChange(
        name=name,
        what=what,
        faces_in=tuple(sorted(rows.keys() - before.keys())),
        faces_out=tuple(sorted(before.keys() - rows.keys())),
        faces=len(rows),
        label=changes.labels.get(name, label_before),
        label_before=label_before,
        leads_to=after.leads_to(name) if out and out.reason == "merged" else None,
        part_of=after.made.get(name) if identity is None else None,
    )
