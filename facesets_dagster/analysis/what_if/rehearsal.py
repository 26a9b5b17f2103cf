"""What a bucket's publication would come to, without rendering a picture and without changing anything.

The same resolution, curation and endings as `publishing.swap_ready_facesets`. The one thing that only a model can tell
is whether a crop shows exactly its face: faces that a run has rendered end as they did then, others are taken to be
fine.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.export.curation import ExportParameters, curate
from facesets_dagster.export.marks import NO_MARKS, Marks
from facesets_dagster.export.rendering import as_filled, choose
from facesets_dagster.faces.face_pictures import PictureSource
from facesets_dagster.identities.gates import Verdict
from facesets_dagster.identities.geometry import centroid, normalised
from facesets_dagster.identities.identity import Identity
from facesets_dagster.identities.looks import looks_of
from facesets_dagster.publishing.funnel import (
    Ending,
    build_funnel,
    members_elsewhere,
    near_their_own,
    terminal_verdicts,
)
from facesets_dagster.publishing.member_rows import MemberRows
from facesets_dagster.publishing.proposal import Proposal
from facesets_dagster.publishing.resolution import Group, Resolution, resolve
from facesets_dagster.registry.snapshot import Snapshot


@dataclass(frozen=True)
class Standing:
    """The library as the bucket finds it."""

    bucket: str
    registry: Snapshot
    next_number: int
    refused: Mapping[str, Verdict]
    """face_id -> verdict `crop_failed:<why>` or `cut_off` that a run has recorded."""
    in_place: Callable[[Identity], Mapping[str, Verdict]]
    """face_id -> terminal verdict of an identity's members, by its published faceset."""
    marks: Marks = NO_MARKS
    """What rulings say of single faces."""

    def own(self) -> list[Identity]:
        """Live identities that the bucket founded, eras aside."""
        return self.registry.own(self.bucket, retired=False)

    @cached_property
    def members(self) -> Mapping[str, Mapping[str, str]]:
        """Identity that the bucket founded, retired ones too -> face_id -> how it joined."""
        return self.registry.members(identity.name for identity in self.registry.own(self.bucket, retired=True))


@dataclass(frozen=True)
class Person:
    """An identity of the bucket as it would stand."""

    members: AbstractSet[str]
    here: AbstractSet[str]
    """Members through this bucket."""
    exported: AbstractSet[str]
    impossible_pairs: int
    """Pairs of members that are on one photo."""


@dataclass(frozen=True)
class Rehearsed:
    """What a publication would leave behind."""

    funnel: pl.DataFrame
    """`DECISION_SCHEMA`, as the registry would hold it."""
    people: dict[str, Person]
    """Name -> live identity that the bucket founded; new ones under the names that they would get."""
    founded: list[str] = field(default_factory=list)
    revived: list[str] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Sketch:
    """What an export of a membership would hold, in numbers."""

    here: frozenset[str]
    exported: frozenset[str]
    verdicts: dict[str, Verdict]
    """On members that are not exported, and on those that fill up."""
    centroid: NDArray[np.float32] | None
    impossible_pairs: int


class Rehearsal:
    """Rehearses publications of one bucket; each set of members is curated once for all points."""

    def __init__(self, standing: Standing, rows: MemberRows, pictures: PictureSource) -> None:
        """`rows`: the bucket's face rows at hand, and a way to those of other buckets."""
        self._standing, self._rows, self._pictures = standing, rows, pictures
        self._sketches: dict[tuple[frozenset[str], str | None, ExportParameters], _Sketch] = {}

    def publish(
        self,
        proposal: Proposal,
        coverage: pl.DataFrame,
        flags: pl.DataFrame,
        cover_distance: float,
        export: ExportParameters,
    ) -> Rehearsed:
        """A run that resolves. `flags`: rows of the face table with `source_missing` and `truncated`."""
        known = self._standing

        def build(members: Mapping[str, str], name: str | None) -> NDArray[np.float32] | None:
            return self._sketch(members, name, export).centroid

        identities = known.registry.identities()
        asked = [identity for identity in identities if identity.name not in known.registry.closed_by_rulings]
        resolution = resolve(proposal, asked, known.members, known.registry.elsewhere(known.bucket), build)
        names = resolution.names(known.next_number)
        verdicts = self._verdicts(proposal, resolution, names, export)
        verdicts.update(
            members_elsewhere(
                proposal,
                identities,
                known.registry.rows_of_bucket(known.bucket),
                coverage,
                cover_distance,
                known.in_place,
            )
        )
        people: dict[str, Person] = {}
        revived = []
        for name, group in zip(names, resolution.groups, strict=True):
            sketch = self._of_group(group, export)
            revived += [name] if group.identity is not None and not group.identity.live else []
            exported = sketch.exported or self._stands(group.identity)
            people[name] = Person(frozenset(group.members), sketch.here, exported, sketch.impossible_pairs)
        founded = [name for name, group in zip(names, resolution.groups, strict=True) if group.identity is None]
        vanished = [identity.name for identity in resolution.vanished]
        rows = known.registry.rows_of_bucket(known.bucket)
        others = [one for one in identities if one.bucket != known.bucket]
        coverage = near_their_own(coverage, others, rows, proposal.unit)
        return Rehearsed(build_funnel(coverage, flags, verdicts), people, founded, revived, vanished)

    def as_it_stands(self, decisions: pl.DataFrame) -> Rehearsed:
        """A run with the inputs of the last one: it changes nothing. `decisions`: the bucket's funnel on record."""
        people = {}
        for identity in self._standing.own():
            members = self._standing.members.get(identity.name, {})
            rows = self._rows.of(members, self._standing.registry.places(identity.name))
            people[identity.name] = Person(
                frozenset(members), self._here(rows), self._stands(identity), impossible_pairs(rows["sha256"])
            )
        return Rehearsed(decisions, people)

    def _verdicts(
        self, proposal: Proposal, resolution: Resolution, names: Sequence[str], export: ExportParameters
    ) -> dict[str, Verdict]:
        standing: dict[str, Verdict] = {}
        endings = []
        for name, group in [*zip(names, resolution.groups, strict=True), *((None, one) for one in resolution.empty)]:
            sketch = self._of_group(group, export)
            if name is not None and not sketch.exported:
                standing.update(self._in_place(group.identity))
            endings.append(Ending(name, group, sketch.here, sketch.verdicts))
        return terminal_verdicts(proposal, resolution, endings, standing)

    def _stands(self, identity: Identity | None) -> frozenset[str]:
        """Faces that the identity's faceset in place exports."""
        return frozenset(self._in_place(identity))

    def _in_place(self, identity: Identity | None) -> dict[str, Verdict]:
        ended = self._standing.in_place(identity) if identity is not None else {}
        return {face_id: verdict for face_id, verdict in ended.items() if verdict.state == "exported"}

    def _of_group(self, group: Group, export: ExportParameters) -> _Sketch:
        return self._sketch(group.members, group.name, export)

    def _sketch(self, members: Mapping[str, str], name: str | None, export: ExportParameters) -> _Sketch:
        key = (frozenset(members), name, export)
        if key not in self._sketches:
            rows = self._rows.of(members, self._standing.registry.places(name) if name is not None else {})
            self._sketches[key] = self._made(rows, export)
        return self._sketches[key]

    def _made(self, rows: pl.DataFrame, export: ExportParameters) -> _Sketch:
        curated = curate(rows, export, self._standing.marks)
        ids = curated.candidates["face_id"].to_list()
        looks = looks_of(
            curated.candidates,
            normalised(curated.candidates["embedding"].to_numpy()),
            export.look_similarity,
            self._pictures.of(curated.candidates),
        )
        accepted, excluded = choose(curated, export, looks, lambda place: self._standing.refused.get(ids[place]))
        filled = {ids[place]: as_filled(curated.missed[ids[place]]) for place in accepted if place >= curated.strict}
        vectors = curated.candidates["embedding"].to_numpy()[accepted]
        return _Sketch(
            self._here(rows),
            frozenset(ids[place] for place in accepted),
            {**curated.excluded, **excluded, **filled},
            centroid(vectors) if accepted else None,
            impossible_pairs(rows["sha256"]),
        )

    def _here(self, rows: pl.DataFrame) -> frozenset[str]:
        return frozenset(rows.filter(pl.col("bucket") == self._standing.bucket)["face_id"])


def impossible_pairs(photos: pl.Series) -> int:
    """Pairs of an identity's faces that are on one photo; `photos`: content digest of each face."""
    counts = photos.value_counts()["count"]
    return int((counts.cast(pl.Int64) * (counts.cast(pl.Int64) - 1) // 2).sum())
