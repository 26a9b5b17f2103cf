"""Consent: which faces never leave the library, by the rules of a home's policy. Pure.

A rule says whom or what it concerns: a person by name, a face set, a folder of photos, a photo of a person. What it
withholds are exported faces: all of a person, or those that come from a folder. Whoever is withheld stays known: the
identity keeps number, name and members, and goes on covering its faces.
"""

import fnmatch
import hashlib
import json
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.identities.geometry import cosine_distance
from facesets_dagster.identities.handles import spelled

WITHHELD = "withheld"
"""State of a face that would be exported but for the policy; its value is the rank that it would have."""
ALL, APPROVED = "all", "approved"
EXPORT = (ALL, APPROVED)
"""What may be exported at all: everything, or what somebody approved."""
KINDS = ("person", "faceset", "folder", "photo")
"""What a rule can name."""
NOT_APPROVED = "export: approved"
"""Stands for the rule in what is said of faces that nobody approved."""
_CONTENT_DIGITS = 16


@dataclass(frozen=True)
class Rule:
    """One entry of `never`."""

    kind: str
    """One of `KINDS`."""
    value: str
    reason: str | None = None
    line: int = 0
    """In the file."""

    @property
    def words(self) -> str:
        """The rule as the file has it."""
        return f"{self.kind}: {self.value}"


@dataclass(frozen=True)
class Policy:
    """What `consent.yaml` says."""

    export: str = ALL
    rules: tuple[Rule, ...] = ()
    minimum_age: float | None = None
    """Estimated age in years below which a person is withheld; None: nobody is for that."""

    @property
    def digest(self) -> str:
        """sha256 of what it says; reasons, order and comments make no difference."""
        said: dict[str, object] = {"export": self.export}
        said["never"] = sorted({(rule.kind, rule.value) for rule in self.rules})
        said |= {} if self.minimum_age is None else {"minimum_age": self.minimum_age}
        return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    @property
    def age_words(self) -> str:
        """Stands for the rule in what is said of people who look too young."""
        return f"minimum_age: {self.minimum_age:g}"

    def of_kind(self, kind: str) -> list[Rule]:
        """The rules that name this."""
        return [rule for rule in self.rules if rule.kind == kind]


@dataclass(frozen=True)
class Subject:
    """A face set of which something would be exported."""

    name: str
    family: str
    """The person's face set: its own name, or the parent of an era."""
    label: str | None
    centroid: NDArray[np.float32] | None = None
    """(dim,), unit length."""


@dataclass(frozen=True)
class Withheld:
    """What a policy withholds of a face set."""

    rules: tuple[str, ...]
    """Words of the rules, in the order of the file."""
    faces: frozenset[str]
    """face_ids, of those that would be exported."""


@dataclass(frozen=True)
class Judge:
    """A policy with all that its rules need to be held against face sets."""

    policy: Policy
    cover_distance: float
    """Up to this cosine distance a face set shows the person of a photo."""
    leads_to: Mapping[str, str] = field(default_factory=dict)
    """Merged face set -> the one that has its people now."""
    contents: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Words of a `folder` rule -> the contents in it, by the digits that a face_id begins with."""
    probes: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    """Words of a `photo` rule -> its face, (dim,), unit length."""
    centroids: Mapping[str, Sequence[NDArray[np.float32]]] = field(default_factory=dict)
    """Family -> centroids of its live face sets."""
    approved: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Family -> face_ids that somebody approved as this person's."""

    def on(self, subject: Subject, faces: Collection[str], age: float | None = None) -> Withheld | None:
        """What is withheld of these exported faces; None if nothing is. `age`: estimated, years; None: not known."""
        rules: list[str] = []
        out: set[str] = set()
        for rule in self.policy.rules:
            found = self._of(rule, subject, faces)
            if found is not None:
                rules.append(rule.words)
                out |= found
        if self.policy.export == APPROVED:
            waiting = set(faces) - set(self.approved.get(subject.family, ()))
            if waiting:
                rules.append(NOT_APPROVED)
                out |= waiting
        minimum = self.policy.minimum_age
        if minimum is not None and faces and (age is None or age < minimum):
            rules.append(self.policy.age_words)
            out |= set(faces)
        return Withheld(tuple(dict.fromkeys(rules)), frozenset(out)) if rules else None

    def on_nobody(self, face_id: str, unit: NDArray[np.float32]) -> str | None:
        """Words of the rule that withholds the face of nobody, such as a candidate; None if there is none."""
        if self.policy.export == APPROVED:
            return NOT_APPROVED
        if self.policy.minimum_age is not None:
            return self.policy.age_words
        for rule in self.policy.rules:
            if face_id[:_CONTENT_DIGITS] in self.contents.get(rule.words, ()):
                return rule.words
            if rule.kind == "photo" and self._shows(rule, unit):
                return rule.words
        return None

    def concerns_person(self, rule: Rule, subject: Subject) -> bool:
        """Whether a rule that speaks of a person means this one."""
        match rule.kind:
            case "person":
                return subject.label is not None and spelled(subject.label) == spelled(rule.value)
            case "faceset":
                named = rule.value.strip().removesuffix(".fsz")
                return self.leads_to.get(named, named) in (subject.name, subject.family)
            case "photo":
                own = [] if subject.centroid is None else [subject.centroid]
                return any(self._shows(rule, one) for one in (*own, *self.centroids.get(subject.family, ())))
        return False

    def _of(self, rule: Rule, subject: Subject, faces: Collection[str]) -> set[str] | None:
        if rule.kind == "folder":
            inside = self.contents.get(rule.words, ())
            return {face for face in faces if face[:_CONTENT_DIGITS] in inside} or None
        return set(faces) if self.concerns_person(rule, subject) else None

    def _shows(self, rule: Rule, unit: NDArray[np.float32]) -> bool:
        probe = self.probes.get(rule.words)
        return probe is not None and bool(cosine_distance(probe[None], unit[None])[0, 0] <= self.cover_distance)


def lies_in(path: str, pattern: str) -> bool:
    """Whether a photo's path in its bucket lies in what a pattern means: a folder, a photo, or a shell glob of either.

    Composed and decomposed letters and capitals make no difference; `*` stands for `/` too. An empty pattern means all.
    """
    wanted, here = _plain(pattern).strip("/"), PurePosixPath(_plain(path))
    places = [str(here), *(str(parent) for parent in here.parents if str(parent) != ".")]
    return not wanted or any(place == wanted or fnmatch.fnmatchcase(place, wanted) for place in places)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
