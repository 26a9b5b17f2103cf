"""Every photo of somebody, in all buckets: members, exported or not, and faces that are covered.

From the registry and the caches; opens no photo.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from facesets_dagster.faces.store import FaceStore
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.library import Library
from facesets_dagster.library.membership import StoreOf, lost_members
from facesets_dagster.photos.bucket_key import bucket_title

_COLUMNS = ("sha256", "path", "aliases", "turn", "bbox", "source_missing")
MEMBER = "member"
"""State of a member of which no funnel says more: its bucket was not run by itself."""


@dataclass(frozen=True)
class FoundFace:
    """A face of somebody in a photo of a bucket."""

    person: str
    """The faceset's name."""
    label: str | None
    bucket: str
    """Partition key."""
    bucket_name: str
    path: str
    """Relative to the bucket's folder."""
    aliases: list[str]
    """Other paths of the bucket with the same bytes."""
    turn: int
    """Degrees clockwise by which the photo is turned beyond its EXIF orientation."""
    bbox: list[float]
    """x1, y1, x2, y2, px of the upright, turned photo."""
    face_id: str
    sha256: str
    """Of the photo's bytes."""
    state: str
    """As in the funnel, or `member`."""
    source_missing: bool
    """The photo is not in its bucket any more."""
    joined_by: str | None = None
    """How it became a member: `founded`, `merged:<name>`, `ruled:<id>` ...; None for a face that is covered only."""


def photos_of(library: Library, store_of: StoreOf, people: Sequence[Identity]) -> list[FoundFace]:
    """The faces of these people by person, bucket and path. A person's eras and merged facesets count as theirs."""
    found = []
    for person in people:
        states, ways = _states(library, _names(library, person)), library.snapshot().members([person.name])
        how = ways.get(person.name, {})
        for bucket in sorted({bucket for bucket, _ in states}):
            wanted = {face_id: state for (where, face_id), state in states.items() if where == bucket}
            rows = _rows(library, store_of(bucket), bucket, wanted)
            faces = [_face(person, bucket, row, wanted[str(row["face_id"])]) for row in rows.iter_rows(named=True)]
            found += [replace(face, joined_by=how.get(face.face_id)) for face in faces]
    return found


def _names(library: Library, person: Identity) -> list[str]:
    """The person's name, those of its eras, and all that were merged into them."""
    own = {person.name}
    if not person.is_era:
        own |= {one.name for one in library.registry.identities() if one.family == person.name}
    return sorted(own | {name for name, end in library.snapshot().redirects.items() if end in own})


def _states(library: Library, names: Collection[str]) -> dict[tuple[str, str], str]:
    """(bucket, face_id) -> state; what a funnel says wins."""
    members = pl.concat([library.registry.memberships(name=name) for name in names])
    states = dict.fromkeys(members.select("bucket", "face_id").iter_rows(), MEMBER)
    decided = library.registry.decided_for(names).select("bucket", "face_id", "state")
    states.update({(bucket, face_id): state for bucket, face_id, state in decided.iter_rows()})
    return dict(sorted(states.items()))


def _rows(library: Library, store: FaceStore, bucket: str, wanted: Mapping[str, str]) -> pl.DataFrame:
    """Rows of the face table of a bucket; those that the cache lost come from the faceset's own table of members."""
    cached = store.columns("faces", *_COLUMNS).filter(pl.col("face_id").is_in(list(wanted)))
    kept = lost_members(library, bucket, library.snapshot().members_of(bucket), cached["face_id"])
    if kept is not None:
        lost = kept.filter(pl.col("face_id").is_in(list(wanted))).select(cached.columns)
        cached = pl.concat([cached, lost])
    return cached.unique("face_id").sort("path", "face_id")


def _face(person: Identity, bucket: str, row: Mapping[str, Any], state: str) -> FoundFace:
    return FoundFace(
        person=person.name,
        label=person.label,
        bucket=bucket,
        bucket_name=bucket_title(bucket),
        path=row["path"],
        aliases=list(row["aliases"]),
        turn=row["turn"] or 0,
        bbox=[round(float(side), 1) for side in row["bbox"]],
        face_id=row["face_id"],
        sha256=row["sha256"],
        state=state,
        source_missing=row["source_missing"],
    )
