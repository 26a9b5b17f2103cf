"""A bucket's facesets as they should stand, and its funnel: the plan behind `swap_ready_facesets`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from facesets_dagster.identities.gates import Verdict
from facesets_dagster.library.numbering import faceset_folder
from facesets_dagster.publishing.funnel import (
    Ending,
    build_funnel,
    exported_in_place,
    members_elsewhere,
    near_their_own,
    terminal_verdicts,
    verdicts_in_place,
)
from facesets_dagster.publishing.gallery import Gallery
from facesets_dagster.publishing.proposal import Proposal
from facesets_dagster.publishing.publisher import Plan
from facesets_dagster.publishing.resolution import Resolution, resolve
from facesets_dagster.publishing.run import Run
from facesets_dagster.publishing.staging import standing_terms
from facesets_dagster.publishing.transaction import BucketRecord, Wanted
from facesets_dagster.registry.joins import joins_of
from facesets_dagster.registry.snapshot import Snapshot


@dataclass(frozen=True)
class BucketPlanner:
    """Makes the plan of one bucket from the library as it is."""

    run: Run
    proposal: Proposal
    coverage: pl.DataFrame
    cover_distance: float
    flags: pl.DataFrame
    """`face_id`, `source_missing`, `truncated` of the faces of `coverage`."""
    inputs_digest: str
    identity_parameters: Mapping[str, object]
    gallery: Gallery
    """One for all plans: a crop is made once."""

    def plan(self) -> Plan[None]:
        """The facesets that stand, if the bucket was published from the same inputs and they are all in place."""
        known = self.run.library.snapshot()
        stands = self._stands(known)
        if stands is not None:
            return Plan((), self.gallery, None, stands=stands)
        resolution = self._resolution(known)
        folder, terms = self.run.library.folder, self.gallery.terms
        wanted = [
            Wanted(group.members, standing_terms(folder, group.identity, terms), group.identity)
            for group in resolution.groups
        ]
        return Plan(
            wanted,
            self.gallery,
            None,
            retire=resolution.vanished,
            records=lambda names: [self._record(known, resolution, wanted, names)],
            bucket=self.proposal.bucket,
        )

    def _stands(self, known: Snapshot) -> list[str] | None:
        library, bucket = self.run.library, self.proposal.bucket
        last = library.registry.bucket_run(bucket)
        if last is None or last.inputs_digest != self.inputs_digest:
            return None
        own = [identity.name for identity in known.own(bucket, retired=False)]
        return own if all((library.folder / name / "manifest.json").exists() for name in own) else None

    def _resolution(self, known: Snapshot) -> Resolution:
        bucket = self.proposal.bucket
        return resolve(
            self.proposal,
            [identity for identity in known.identities() if identity.name not in known.closed_by_rulings],
            known.members(identity.name for identity in known.own(bucket, retired=True)),
            known.elsewhere(bucket),
            self.gallery.curated_centroid,
        )

    def _record(
        self,
        known: Snapshot,
        resolution: Resolution,
        wanted: Sequence[Wanted],
        names: Mapping[int, str],
    ) -> BucketRecord:
        folder, stays = self.run.library.folder, dict[str, Verdict]()
        endings = []
        for position, (group, entry) in enumerate(zip(resolution.groups, wanted, strict=True)):
            content = self.gallery.content(group.members, group.name, entry.terms)
            if group.identity is not None and not content.faces:
                place = folder / faceset_folder(group.identity.name, group.identity.kind)
                stays.update(exported_in_place(place, group.identity.name))
            endings.append(Ending.of(names[position], group, content, self.proposal.bucket))
        for group in resolution.empty:
            content = self.gallery.content(group.members, group.name)
            endings.append(Ending.of(None, group, content, self.proposal.bucket))
        verdicts = terminal_verdicts(self.proposal, resolution, endings, stays)
        verdicts.update(self._elsewhere(known))
        rows = known.rows_of_bucket(self.proposal.bucket)
        people = [one for one in known.named(rows["name"].unique()).values() if one.bucket != self.proposal.bucket]
        coverage = near_their_own(self.coverage, people, rows, self.proposal.unit)
        funnel = build_funnel(coverage, self.flags, verdicts)
        bucket, joins = self.proposal.bucket, joins_of(self.run.library.registry, self.proposal.bucket)
        joins_now = self.proposal.joins_after(joins)
        changed = None if joins_now.equals(joins) else joins_now
        return BucketRecord(bucket, self.inputs_digest, self.identity_parameters, funnel, changed)

    def _elsewhere(self, known: Snapshot) -> dict[str, Verdict]:
        """Faces of this bucket that are members of identities of others end as their facesets say."""
        library, rows = self.run.library, known.rows_of_bucket(self.proposal.bucket)
        return members_elsewhere(
            self.proposal,
            list(known.named(rows["name"].unique()).values()),
            rows,
            self.coverage,
            self.cover_distance,
            lambda one: verdicts_in_place(library.folder / faceset_folder(one.name, one.kind), one.name),
        )
