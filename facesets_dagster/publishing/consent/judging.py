"""The policy of a home with what its rules need to be held against the library as it is now."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.errors import SettingsError
from facesets_dagster.identities.consent import APPROVED, WITHHELD, Judge, Policy, Rule, Subject, Withheld, lies_in
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.adopted import lies_elsewhere
from facesets_dagster.library.consent import consent_file, policy_of
from facesets_dagster.library.faceset_manifest import FacesetManifest, read_faceset
from facesets_dagster.library.library import Library
from facesets_dagster.library.member_table import read_members
from facesets_dagster.library.membership import StoreOf, lost_members
from facesets_dagster.library.numbering import faceset_folder
from facesets_dagster.library.top_manifest import entries_by_name
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.publishing.consent.probes import probe_faces
from facesets_dagster.registry.merges import redirects
from facesets_dagster.registry.rulings import rulings_in_force

_CONTENT_DIGITS = 16

AgesOf = Callable[[pl.DataFrame], Mapping[str, float]]
"""Rows of the face table -> face_id -> estimated age, years; a face is missing if its photo cannot be read."""


@dataclass(frozen=True)
class Consent:
    """A home's policy beside its library. Lives for one publication or report; what is slow is read once."""

    library: Library
    policy: Policy | None
    """None where there is no `consent.yaml`."""
    store_of: StoreOf
    buckets: Collection[str]
    """Buckets with a folder."""
    model_id: str
    cover_distance: float
    probes: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    ages: AgesOf | None = None
    """None: the pack has no model that estimates ages."""

    def judge(self) -> Judge | None:
        """By names, labels, approvals as they are now; None without a policy."""
        if self.policy is None:
            return None
        identities = [one for one in self.library.registry.identities() if one.live]
        centroids: dict[str, list[NDArray[np.float32]]] = {}
        for identity in identities:
            if identity.centroid is not None and identity.model_id == self.model_id:
                centroids.setdefault(identity.family, []).append(identity.centroid)
        leads = redirects(self.library.registry)
        approved = self._approved(leads) if self.policy.export == APPROVED else {}
        return Judge(self.policy, self.cover_distance, leads, self._contents, self.probes, centroids, approved)

    def age_of(self, members: pl.DataFrame, faces: Collection[str]) -> float | None:
        """Median of the estimated ages of these faces; None where none is known, or nothing depends on it.

        `members`: rows of the face table, of these and others.
        """
        if self.policy is None or self.policy.minimum_age is None or self.ages is None or not faces:
            return None
        rows = members.filter(pl.col("face_id").is_in(list(faces))).unique("face_id", keep="first")
        found = self.ages(rows)
        return median(found.values()) if found else None

    def concerned(self) -> list["Concerned"]:
        """Live face sets whose folder holds more or less than the policy lets out."""
        judge = self.judge()
        if judge is None and not withheld_now(self.library):
            return []
        digests = self.library.registry.manifest_digests()
        live = [one for one in self.library.registry.identities() if one.live]
        found = []
        for identity in sorted(live, key=lambda one: one.name):
            if lies_elsewhere(identity, digests[identity.name]):
                continue
            manifest = read_faceset(self.library.folder / faceset_folder(identity.name, identity.kind))
            if manifest is None:
                continue
            held = frozenset(one.face_id for one in manifest.excluded if one.state == WITHHELD)
            exported = frozenset(face.face_id for face in manifest.faces) | held
            age = self.age_of(read_members(manifest.folder / "members.parquet"), exported) if self._by_age else None
            wanted = judge.on(subject_of(identity, self.model_id), exported, age) if judge else None
            now = Withheld(manifest.withheld, held) if manifest.withheld else None
            if wanted != now:
                found.append(Concerned(identity, manifest, wanted, now))
        return found

    @property
    def _by_age(self) -> bool:
        return self.policy is not None and self.policy.minimum_age is not None

    def unmatched(self) -> list[Rule]:
        """Rules that concern nobody and nothing that is known now; a person may come later."""
        judge = self.judge()
        if judge is None or self.policy is None:
            return []
        live = [subject_of(one, self.model_id) for one in self.library.registry.identities() if one.live]
        return [
            rule
            for rule in self.policy.rules
            if not (
                judge.contents.get(rule.words)
                if rule.kind == "folder"
                else any(judge.concerns_person(rule, one) for one in live)
            )
        ]

    def _approved(self, leads: Mapping[str, str]) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for ruling in rulings_in_force(self.library.registry):
            members = ruling.payload.get("members")
            if ruling.kind == "approve" and ruling.identity and isinstance(members, list):
                found.setdefault(leads.get(ruling.identity, ruling.identity), set()).update(map(str, members))
        return found

    @cached_property
    def _contents(self) -> dict[str, AbstractSet[str]]:
        rules = self.policy.of_kind("folder") if self.policy else []
        known = {*self.buckets, *(run.bucket for run in self.library.registry.bucket_runs())} if rules else set()
        photos: dict[str, list[tuple[str, str]]] = {}
        found: dict[str, AbstractSet[str]] = {}
        for rule in rules:
            first, _, rest = rule.value.strip("/").partition("/")
            inside: set[str] = set()
            for bucket in sorted(known):
                if first == bucket or lies_in(bucket_title(bucket), first):
                    if bucket not in photos:
                        photos[bucket] = list(self._photos(bucket))
                    inside |= {digits for digits, path in photos[bucket] if lies_in(path, rest)}
            found[rule.words] = inside
        return found

    def _photos(self, bucket: str) -> Iterator[tuple[str, str]]:
        """First digits of the content and path of every photo of the bucket that is or was there."""
        store = self.store_of(bucket)
        for sha256, path in store.columns("files", "sha256").select("sha256", "path").iter_rows():
            if sha256:
                yield sha256[:_CONTENT_DIGITS], path
        faces = store.columns("faces", "sha256", "path", "aliases")
        lost = lost_members(self.library, bucket, self.library.snapshot().members_of(bucket), faces["face_id"])
        for table in (faces, lost):
            for sha256, path, aliases in () if table is None else table.select("sha256", "path", "aliases").iter_rows():
                for place in (path, *(aliases or ())):
                    yield sha256[:_CONTENT_DIGITS], place


@dataclass(frozen=True)
class Concerned:
    """A live face set whose folder is not as the policy has it."""

    identity: Identity
    manifest: FacesetManifest
    wanted: Withheld | None
    now: Withheld | None

    @property
    def lets_out(self) -> bool:
        """Whether its folder holds a face that is to be withheld."""
        return self.wanted is not None and bool(self.wanted.faces - (self.now.faces if self.now else frozenset()))


def subject_of(identity: Identity, model_id: str) -> Subject:
    """A face set that stands; another model's centroid says nothing."""
    centroid = identity.centroid if identity.model_id == model_id else None
    return Subject(identity.name, identity.family, identity.label, centroid)


def consent_of(
    library: Library,
    store_of: StoreOf,
    buckets: Collection[str],
    model_id: str,
    embedder: Callable[[], Embedder],
    cover_distance: float,
    max_pixels: int,
    ages: AgesOf | None = None,
) -> Consent:
    """Reads the policy. Raises `SettingsError`, before anything is written, for one that cannot be used."""
    policy = policy_of(library.folder)
    if policy is not None and policy.minimum_age is not None and ages is None:
        raise SettingsError(
            f"{consent_file(library.folder)}: `minimum_age` needs a model that estimates ages, and the home's pack has "
            "none; buffalo_l, buffalo_m, buffalo_s and antelopev2 have. Nothing is guessed: take the key out, or give "
            "the home such a pack with `facesets reembed`. Until then nothing is published or exported. Nothing was "
            "changed."
        )
    rules: Sequence[Rule] = policy.of_kind("photo") if policy else ()
    home: Path = library.folder.parent
    probes = probe_faces(home, rules, model_id, embedder, max_pixels) if rules else {}
    return Consent(library, policy, store_of, buckets, model_id, cover_distance, probes, ages)


def withheld_now(library: Library) -> dict[str, tuple[str, ...]]:
    """Live face set -> words of the rules by which its folder lacks faces now."""
    found = {}
    for name, entry in sorted(entries_by_name(library.folder).items()):
        rules = entry.get("withheld")
        if isinstance(rules, list) and rules:
            found[name] = tuple(str(rule) for rule in rules)
    return found
