"""Publishing a bucket: the one place that changes the library.

    resolve and render (no lock) -> lock -> settle -> resolve again -> stage -> commit -> move -> verify untouched

The commit of the registry is the point of no return: before it nothing of the library has changed, after it the moves
that it recorded are finished by this run or by the next (`library.moves`). Numbers are allocated in the same commit, so
a killed run burns none.
"""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from facesets_dagster.export.folder import FacesetContent
from facesets_dagster.identities.gates import Verdict
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.faceset_manifest import read_faceset
from facesets_dagster.library.lock import library_lock
from facesets_dagster.library.membership import joined_elsewhere
from facesets_dagster.library.moves import Move, settle
from facesets_dagster.library.numbering import next_number, place_of
from facesets_dagster.library.signatures import faceset_signatures
from facesets_dagster.publishing.endings import Ending, members_elsewhere, names_of, terminal_verdicts
from facesets_dagster.publishing.funnel import build_funnel
from facesets_dagster.publishing.gallery import Gallery
from facesets_dagster.publishing.outcome import Outcome, Publication
from facesets_dagster.publishing.resolution import Resolution, resolve
from facesets_dagster.publishing.staging import RunStamp, faces_in_place, stage, standing_terms
from facesets_dagster.publishing.transaction import BucketRecord, Commit, PublishedIdentity, commit
from facesets_dagster.registry.merges import redirects
from facesets_dagster.registry.registry import Registry

Say = Callable[[str], None]


class Publisher:
    """Publishes one bucket into one library."""

    def __init__(self, registry: Registry, library_dir: Path, legacy_roots: tuple[Path, ...], say: Say) -> None:
        self._registry = registry
        self._dir = library_dir
        self._legacy_roots = legacy_roots
        self._say = say

    def is_unchanged(self, request: Publication) -> bool:
        """True if the bucket was published from the same inputs and its facesets are all in place."""
        run = self._registry.bucket_run(request.proposal.bucket)
        if run is None or run.inputs_digest != request.inputs_digest:
            return False
        names = [identity.name for identity in self._own_live(request)]
        return all((self._dir / name / "manifest.json").exists() for name in names)

    def publish(self, request: Publication, gallery: Gallery) -> Outcome:
        """Brings the library up to the request and says what changed."""
        if not self.is_unchanged(request):
            self._resolve(request, gallery)  # renders outside of the lock; the answer is asked for again below
        with library_lock(self._dir, f"run {request.run_id}", say=self._say):
            settle(self._registry, self._dir, self._say)
            if self.is_unchanged(request):
                return Outcome(unchanged=True, kept=[identity.name for identity in self._own_live(request)])
            before = faceset_signatures(self._dir)
            outcome = self._publish_locked(request, gallery, self._resolve(request, gallery))
            settle(self._registry, self._dir, self._say)
            after = faceset_signatures(self._dir)
        changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
        outcome.touched_undeclared = sorted(changed - outcome.declared())
        return outcome

    def _own_live(self, request: Publication) -> list[Identity]:
        return [
            identity
            for identity in self._registry.identities()
            if identity.live and identity.bucket == request.proposal.bucket and not identity.is_era
        ]

    def _resolve(self, request: Publication, gallery: Gallery) -> Resolution:
        merged = redirects(self._registry)
        return resolve(
            request.proposal,
            [identity for identity in self._registry.identities() if identity.name not in merged],
            self._registry.members(),
            joined_elsewhere(self._registry.memberships(), request.proposal.bucket),
            gallery.curated_centroid,
        )

    def _publish_locked(self, request: Publication, gallery: Gallery, resolution: Resolution) -> Outcome:
        outcome = Outcome(retired=[identity.name for identity in resolution.vanished])
        staging = uuid.uuid4().hex
        stamp = RunStamp(request.run_id, request.model_id, request.code_version, now_in_seconds())
        number = next_number(self._registry.used_numbers(), (self._dir, *self._legacy_roots))
        published: list[PublishedIdentity] = []
        moves = [
            Move(staging, "retire", place_of(identity.name, identity.kind), None) for identity in resolution.vanished
        ]
        standing: set[str] = set()
        for group, (name, own_number) in zip(resolution.groups, names_of(resolution.groups, number), strict=True):
            identity = group.identity
            own_terms = standing_terms(self._dir, identity, gallery.terms)
            content = gallery.content(group.members, group.name, own_terms)
            if identity is not None and not content.faces:
                standing |= faces_in_place(self._dir, name, identity.kind)
            move = stage(self._dir, staging, name, identity, content, stamp, outcome)
            if move is not None:
                moves.append(move)
            published.append(
                PublishedIdentity(name, own_number, group, content, move.manifest_sha256 if move else None)
            )
        empty = [(None, group, gallery.content(group.members, group.name)) for group in resolution.empty]
        endings = [
            Ending(name, group, _faces_of(content, request.proposal.bucket), content.excluded)
            for name, group, content in [*((entry.name, entry.group, entry.content) for entry in published), *empty]
        ]
        verdicts = terminal_verdicts(request.proposal, resolution, endings, standing)
        verdicts.update(self._members_elsewhere(request))
        bucket = request.proposal.bucket
        funnel = build_funnel(request.coverage, request.flags, verdicts)
        record = BucketRecord(bucket, request.inputs_digest, request.identity_parameters, funnel)
        commit(
            self._registry,
            Commit(stamp.run_id, stamp.model_id, published, resolution.vanished, moves, stamp.created_at, [record]),
        )
        return outcome

    def _members_elsewhere(self, request: Publication) -> dict[str, Verdict]:
        """Faces of this bucket that are members of identities of others end as their facesets say."""
        return members_elsewhere(
            request.proposal,
            self._registry.identities(),
            self._registry.memberships(bucket=request.proposal.bucket),
            request.coverage,
            float(str(request.identity_parameters.get("cover_distance", 0))),
            lambda identity: verdicts_in_place(self._dir / place_of(identity.name, identity.kind), identity.name),
        )


def now_in_seconds() -> str:
    """UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def verdicts_in_place(folder: Path, name: str) -> dict[str, Verdict]:
    """face_id -> terminal verdict of the members of a faceset, by its manifest."""
    manifest = read_faceset(folder)
    if manifest is None:
        return {}
    found = {face.face_id: Verdict("exported", None, None, name) for face in manifest.faces}
    for entry in manifest.excluded:
        found[entry.face_id] = Verdict(entry.state, entry.value, entry.threshold, name)
    return found


def _faces_of(content: FacesetContent, bucket: str) -> set[str]:
    return set(content.members.filter(pl.col("bucket") == bucket)["face_id"])
