"""Rulings as people state them: names and faces looked up, what cannot be meant refused, one record made of it.

Nothing is written here; `publishing.rulings.writing.enter` does.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from facesets_dagster.errors import LibraryError, SettingsError
from facesets_dagster.identities.geometry import normalised
from facesets_dagster.identities.identity import Identity
from facesets_dagster.identities.ignoring import reach_of
from facesets_dagster.identities.projection import PART, leading_to
from facesets_dagster.identities.rulings import MOST_IGNORED_EXEMPLARS, STANDS_FOR, Ruling, RulingFace
from facesets_dagster.library.faceset_manifest import read_faceset
from facesets_dagster.library.numbering import faceset_folder
from facesets_dagster.linkage import average_merges
from facesets_dagster.publishing.rulings.standing import Standing, standing
from facesets_dagster.publishing.rulings.subjects import Subjects, ruling_faces, with_role
from facesets_dagster.publishing.rulings.writing import Author
from facesets_dagster.registry.ruled import members_digest

Places = Mapping[str, str | None]
"""face_id -> bucket, None: wherever it is."""
_NOT_A_FACE_REACH = 0.05
"""Cosine distance: embeddings of what is no face attract blurred faces, so only copies are taken."""
_PARTS = "abcdefgh"
_PEOPLE_AT_ONCE = 1_000
"""People whose faces are in memory while rulings about many are made."""


@dataclass(frozen=True)
class Requests:
    """What rulings are made of: the library, whoever decides, and the distance up to which a face is covered."""

    subjects: Subjects
    author: Author
    cover_distance: float
    fixed: Standing | None = None
    """The library as it stood when many rulings at once were begun; None: read anew for each."""
    together: frozenset[str] = frozenset()
    """People about whom rulings are made at once: ignoring one of them keeps no distance from the others."""

    def about_many(self, names: Sequence[str], make: Callable[["Requests", str], Ruling]) -> list[Ruling]:
        """A ruling for each of these people, as `make` makes it. The library is read once, faces a few people at once.

        Raises what `make` raises.
        """
        all_at_once = replace(self, fixed=self._standing(), together=frozenset(names))
        found: list[Ruling] = []
        for start in range(0, len(names), _PEOPLE_AT_ONCE):
            some = names[start : start + _PEOPLE_AT_ONCE]
            with_faces = replace(all_at_once, subjects=self.subjects.loaded(some))
            found += [make(with_faces, name) for name in some]
        return found

    def name(self, name: str, text: str | None) -> Ruling:
        """The person's name; None takes it away."""
        now, person = self._person(name)
        return self._about(now, person, "name", payload={"text": text or ""})

    def same(self, first: str | Places, second: str | Places, *, keeper: str = "b") -> Ruling:
        """Two people, or faces, that are one person. What speaks against a merge is for `rulings.merging` to say.

        `keeper`: the side (`a`, `b`) whose number stays, where both are people.
        """
        names, faces = self._sides(first, second)
        return self.author.ruling(
            "same", names=names, faces=faces, payload={"keeper": keeper}, seen_generation=self._generation()
        )

    def different(self, first: str | Places, second: str | Places) -> Ruling:
        """Two people, or faces, that are never one person."""
        names, faces = self._sides(first, second)
        if len(set(names.values())) == 1 and len(names) == 2:
            raise SettingsError(
                f"Both sides are {names['a']}. Expected two people; if it holds two, `facesets rule split "
                f"{names['a']} --a FACE --b FACE` takes it apart. Nothing was changed."
            )
        return self.author.ruling("different", names=names, faces=faces, seen_generation=self._generation())

    def _sides(self, *sides: str | Places) -> tuple[dict[str, str], tuple[RulingFace, ...]]:
        """Names and faces of the sides of a pair."""
        names: dict[str, str] = {}
        faces: list[RulingFace] = []
        for role, side in zip("ab", sides, strict=True):
            if isinstance(side, str):
                _, person = self._person(side)
                names[role] = person.name
                faces += self.subjects.of_identity(person.name, role)
            else:
                faces += self.subjects.faces(side, role)
        return names, tuple(faces)

    def not_person(self, faces: Places, name: str) -> Ruling:
        """These faces are not this person's."""
        now, person = self._person(name)
        strangers = [face for face in faces if face not in now.members.get(person.name, {})]
        if strangers:
            raise SettingsError(
                f"{strangers[0]} is no member of {person.name}, so there is nothing to take from it. `facesets "
                f"explain PHOTO` tells whose it is. Nothing was changed."
            )
        spoken_of = self.subjects.faces(faces, "face")
        return self._about(now, person, "not_person", spoken_of, without=set(faces))

    def assign(self, faces: Places, name: str) -> Ruling:
        """These faces are this person's, whatever the numbers say; gates of the export still apply."""
        now, person = self._person(name)
        return self._about(now, person, "assign", self.subjects.faces(faces, "face"))

    def split(self, name: str, parts: Sequence[Places]) -> Ruling:
        """Takes a face set apart by examples, one to three faces a part.

        The other members are divided by average linkage in which examples of different parts never come together; the
        part with most members keeps number and name.
        """
        now, person = self._person(name)
        rows = self.subjects.rows_of(person.name)
        ids = rows["face_id"].to_list() if len(rows) else []
        examples = _examples(parts, ids, person.name)
        whose = divided(
            normalised(rows["embedding"].to_numpy()), [[ids.index(face) for face in one] for one in examples]
        )
        order = sorted(range(len(parts)), key=lambda part: (-int((whose == part).sum()), part))
        faces: list[RulingFace] = []
        every = {face.face_id: face for face in ruling_faces(rows, "face")}
        for letter, part in zip(_PARTS, order, strict=False):
            faces += with_role([every[face] for face in examples[part]], letter)
            if letter != "a":
                others = [
                    face for face, of in zip(ids, whose, strict=True) if of == part and face not in examples[part]
                ]
                faces += [_without_vector(face) for face in with_role([every[one] for one in others], PART + letter)]
        return self.author.ruling("split", names={"a": person.name}, faces=tuple(faces), **self._seen(now, person.name))

    def ignore(self, name: str) -> Ruling:
        """A stranger, for ever: the face set goes out of use, and later faces near its exemplars are set aside."""
        now, person = self._person(name)
        exemplars = self.subjects.of_identity(person.name, "exemplar", MOST_IGNORED_EXEMPLARS)
        return self.author.ruling(
            "ignore",
            names={STANDS_FOR: person.name},
            faces=tuple(exemplars + with_role(exemplars[:8], STANDS_FOR)),
            payload={"reach": self._reach(exemplars, now, {person.name})},
            **self._seen(now, person.name),
        )

    def ignore_faces(self, faces: Places, *, are_faces: bool) -> Ruling:
        """The same of faces; those that are no faces take only copies of themselves."""
        now = self._standing()
        spoken_of = self.subjects.faces(faces, "face")
        exemplars = with_role(spoken_of[:MOST_IGNORED_EXEMPLARS], "exemplar")
        owners = {name for name, rows in now.members.items() if rows.keys() & faces.keys()}
        reach = self._reach(exemplars, now, owners) if are_faces else _NOT_A_FACE_REACH
        kind = "ignore" if are_faces else "not_a_face"
        return self.author.ruling(
            kind, faces=(*spoken_of, *exemplars), payload={"reach": reach}, seen_generation=self._generation()
        )

    def approve(self, name: str) -> Ruling:
        """The face set is right as it stands; its content's digest is kept, so that growth shows."""
        now, person = self._person(name)
        manifest = read_faceset(self.subjects.library.folder / faceset_folder(person.name, person.kind))
        if manifest is None:
            raise LibraryError(
                f"{person.name} has no folder here, so there is nothing to approve. Nothing was changed."
            )
        members = sorted(now.members.get(person.name, {}))
        payload = {"content_digest": manifest.content_digest, "members": members}
        return self._about(now, person, "approve", payload=payload)

    def feature(self, face: str, name: str, *, lead: bool) -> Ruling:
        """The picture of a person; `lead`: the first of the export too."""
        now, person = self._person(name)
        if face not in now.members.get(person.name, {}):
            raise SettingsError(f"{face} is no member of {person.name}. Nothing was changed.")
        return self._about(now, person, "feature", self.subjects.faces({face: None}, "face"), payload={"lead": lead})

    def allow_together(self, faces: Places) -> Ruling:
        """These faces of one photo may be one person: a collage, a mirror, a screen."""
        spoken_of = self.subjects.faces(faces, "face")
        if len({face.photo_sha256 for face in spoken_of}) != 1 or len(spoken_of) < 2:
            raise SettingsError("Expected two or more faces of one photo. Nothing was changed.")
        return self.author.ruling("allow_together", faces=tuple(spoken_of), seen_generation=self._generation())

    def threshold(self, model_id: str, number: str, old: float, new: float, evidence: Mapping[str, object]) -> Ruling:
        """A number of the home for its pack, with what speaks for it."""
        payload = {"model_id": model_id, "number": number, "old": old, "new": new, "evidence": dict(evidence)}
        return self.author.ruling("threshold", payload=payload, seen_generation=self._generation())

    def _about(
        self,
        now: Standing,
        person: Identity,
        kind: str,
        faces: Sequence[RulingFace] = (),
        *,
        payload: Mapping[str, object] | None = None,
        without: set[str] | None = None,
    ) -> Ruling:
        """A ruling on one person, with the faces that stand for it."""
        anchors = self.subjects.of_identity(person.name, STANDS_FOR)
        anchors = [face for face in anchors if face.face_id not in (without or ())]
        return self.author.ruling(
            kind,
            names={STANDS_FOR: person.name},
            faces=(*faces, *anchors),
            payload=payload or {},
            **self._seen(now, person.name),
        )

    def _person(self, name: str) -> tuple[Standing, Identity]:
        """The live person that a name leads to."""
        now = self._standing()
        identity = now.identities.get(leading_to(name, now.merges))
        if identity is not None and identity.is_era:
            raise SettingsError(f"{name} is an era of {identity.parent}; name {identity.parent}. Nothing was changed.")
        if identity is None or not identity.live:
            state = "does not exist" if identity is None else f"is out of use ({now.tombstones[identity.name].reason})"
            raise SettingsError(
                f"{name} {state}. Expected a live faceset; `facesets status` lists them. Nothing was changed."
            )
        return now, identity

    def _reach(self, exemplars: Sequence[RulingFace], now: Standing, owners: set[str]) -> float:
        """How far an ignored person reaches."""
        known = [face.unit() for face in exemplars]
        unit = np.array([one for one in known if one is not None], np.float32)
        names, centroids = self._fixed_kept if self.fixed else _kept(now, self.together)
        mine = [names[name] for name in owners if name in names]
        others = np.delete(centroids, mine, axis=0) if mine else centroids
        return reach_of(unit, others, self.cover_distance)

    @cached_property
    def _fixed_kept(self) -> tuple[dict[str, int], np.ndarray]:
        return _kept(self._standing(), self.together)

    def _standing(self) -> Standing:
        return self.fixed or standing(self.subjects.library)

    def _seen(self, now: Standing, name: str) -> dict[str, object]:
        digest = members_digest(now.members.get(name, {}))
        return {"seen_generation": self._generation(), "seen_digest": digest}

    def _generation(self) -> int:
        return self._fixed_generation if self.fixed else self.subjects.library.registry.generation()

    @cached_property
    def _fixed_generation(self) -> int:
        return self.subjects.library.registry.generation()


def divided(unit: np.ndarray, examples: Sequence[Sequence[int]]) -> np.ndarray:
    """Part (n,) of each unit row, by examples of each part (rows): average linkage to the end, in which examples of
    different parts are never joined.
    """
    apart = [
        (one, other)
        for place, first in enumerate(examples)
        for second in examples[place + 1 :]
        for one in first
        for other in second
    ]
    merges = average_merges(unit, 2.0, cannot_link=np.array(apart, np.int64))
    labels = merges.labels_at(2.0)
    part_of = {int(labels[row]): part for part, rows in enumerate(examples) for row in rows}
    return np.array([part_of.get(int(label), 0) for label in labels], np.int64)


def _examples(parts: Sequence[Places], members: Sequence[str], name: str) -> list[list[str]]:
    """The examples of each part. Raises `SettingsError` unless all are members, each in one part, two parts or more."""
    examples = [list(part) for part in parts]
    every = [face for part in examples for face in part]
    strangers = [face for face in every if face not in members]
    if strangers:
        raise SettingsError(
            f"{strangers[0]} is no member of {name}. `facesets show {name}` lists them. Nothing was changed."
        )
    if len(examples) < 2 or not all(examples) or len(set(every)) != len(every) or len(examples) > len(_PARTS):
        raise SettingsError(
            f"Expected examples of 2 to {len(_PARTS)} parts, each face in one of them, e.g. --a FACE --b FACE. Nothing "
            "was changed."
        )
    return examples


def _kept(now: Standing, without: Collection[str]) -> tuple[dict[str, int], np.ndarray]:
    """People in use, without some, with their row in their centroids (k, dim)."""
    found = [
        (name, one.centroid)
        for name, one in now.identities.items()
        if one.live and not one.is_era and one.centroid is not None and name not in without
    ]
    return {name: row for row, (name, _) in enumerate(found)}, np.array([vector for _, vector in found], np.float32)


def _without_vector(face: RulingFace) -> RulingFace:
    return RulingFace(**{**vars(face), "embedding": None})
