"""Publishing a bucket: the one place that changes the library.

    resolve and render (no lock) -> lock -> settle -> resolve again -> stage -> commit -> move -> verify untouched

The commit of the registry is the point of no return: before it nothing of the library has changed, after it the moves
that it recorded are finished by this run or by the next (`library.moves`). Numbers are allocated in the same commit, so
a killed run burns none.
"""

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from facesets_dagster.errors import LibraryCorrupt
from facesets_dagster.export.folder import FacesetContent, write_faceset
from facesets_dagster.identities.gates import Verdict
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.commit import Commit, PublishedIdentity, commit
from facesets_dagster.library.funnel import build_funnel
from facesets_dagster.library.gallery import Gallery
from facesets_dagster.library.lock import library_lock
from facesets_dagster.library.moves import STAGING, Move, settle
from facesets_dagster.library.numbering import faceset_name, next_number, read_manifest
from facesets_dagster.library.publication import Outcome, Publication
from facesets_dagster.library.registry import Registry
from facesets_dagster.library.resolution import Group, Resolution, new_name, resolve
from facesets_dagster.library.signatures import faceset_signatures

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
            if identity.live and identity.bucket == request.proposal.bucket
        ]

    def _resolve(self, request: Publication, gallery: Gallery) -> Resolution:
        return resolve(
            request.proposal, self._registry.identities(), self._registry.members(), gallery.curated_centroid
        )

    def _publish_locked(self, request: Publication, gallery: Gallery, resolution: Resolution) -> Outcome:
        outcome = Outcome(retired=[identity.name for identity in resolution.vanished])
        staging = uuid.uuid4().hex
        created_at = datetime.now(UTC).isoformat(timespec="seconds")
        folders = (self._dir, *self._legacy_roots)
        number = next_number(self._registry.used_numbers(), folders)
        published: list[PublishedIdentity] = []
        moves = [Move(staging, "retire", identity.name, None) for identity in resolution.vanished]
        real_names: dict[str, str] = {}
        standing: set[str] = set()
        for group in resolution.groups:
            content = gallery.content(group.members)
            if group.identity is None:
                name, own_number = faceset_name(number), number
                real_names[new_name(len(real_names) + 1)] = name
                number += 1
            else:
                name, own_number = group.identity.name, group.identity.number
            if group.identity is not None and group.identity.live and not content.faces:
                faces = read_manifest(self._dir / name).get("faces", [])
                assert isinstance(faces, list)
                standing |= {face["face_id"] for face in faces}
            manifest_sha256 = self._stage(group, name, content, staging, request, created_at, outcome)
            if manifest_sha256 is not None:
                moves.append(Move(staging, "install", name, manifest_sha256))
            published.append(PublishedIdentity(name, own_number, group, content, manifest_sha256))
        verdicts = _terminal_verdicts(request, gallery, resolution, published, real_names, standing)
        funnel = build_funnel(request.coverage, request.flags, verdicts)
        commit(self._registry, Commit(request, published, resolution.vanished, funnel, moves, created_at))
        return outcome

    def _stage(
        self,
        group: Group,
        name: str,
        content: FacesetContent,
        staging: str,
        request: Publication,
        created_at: str,
        outcome: Outcome,
    ) -> str | None:
        """Writes the faceset's folder unless the one in place holds the same; its manifest's sha256 if written."""
        current = read_manifest(self._dir / name)
        if group.identity is not None and not content.faces:
            outcome.kept.append(name)  # Nothing is unpublished because it cannot be exported now.
            return None
        if group.identity is not None and current.get("content_digest") == content.digest():
            outcome.kept.append(name)
            return None
        if group.identity is None and current:
            raise LibraryCorrupt(f"{self._dir / name} exists although its number was never allocated. Move it away.")
        changes = outcome.founded if group.identity is None else outcome.changed
        if group.identity is not None and not group.identity.live:
            changes = outcome.revived
        changes.append(name)
        return write_faceset(
            self._dir / STAGING / staging / name,
            name,
            content,
            run_id=request.run_id,
            created_at=created_at,
            code_version=request.code_version,
        )


def _terminal_verdicts(
    request: Publication,
    gallery: Gallery,
    resolution: Resolution,
    published: list[PublishedIdentity],
    real_names: Mapping[str, str],
    standing: set[str],
) -> dict[str, Verdict]:
    """`standing`: faces that stay published although they could not be exported now."""
    verdicts = {**request.proposal.verdicts, **resolution.overrides}
    for face_id, verdict in resolution.overrides.items():
        if verdict.identity is not None and verdict.identity in real_names:
            verdicts[face_id] = Verdict(verdict.state, verdict.value, verdict.threshold, real_names[verdict.identity])
    for name, group, content in [
        *((entry.name, entry.group, entry.content) for entry in published),
        *((None, group, gallery.content(group.members)) for group in resolution.empty),
    ]:
        for face_id in group.members:
            exported = face_id in standing or face_id not in content.excluded
            ended = Verdict("exported") if exported else content.excluded[face_id]
            verdicts[face_id] = Verdict(ended.state, ended.value, ended.threshold, name)
    return verdicts
