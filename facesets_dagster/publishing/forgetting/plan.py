"""What is to be forgotten, as a record that can be written down and gone on with. Pure."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

Place = tuple[str, str]
"""Bucket, and a face_id, a photo's sha256, or a path in it."""

KINDS: Mapping[str, str] = {
    "photo": "a photo, in every bucket that has it",
    "faceset": "a face set, and the faces of its person",
    "bucket": "a bucket",
    "gone": "photos that are in their bucket no more",
}
"""Kind -> what is forgotten."""


@dataclass(frozen=True)
class ForgetPlan:
    """Everything that goes. Sorted, so that the same plan has the same digest."""

    kind: str
    names: tuple[str, ...] = ()
    """Face sets that go as a whole: with their eras and those that were merged into them."""
    labels: tuple[str, ...] = ()
    """Names of these people that nobody else has."""
    faces: tuple[Place, ...] = ()
    """Bucket and face_id."""
    photos: tuple[Place, ...] = ()
    """Bucket and sha256 of photos of which nothing stays."""
    paths: tuple[Place, ...] = ()
    """Bucket and path of these photos."""
    buckets: tuple[str, ...] = ()
    touched: tuple[str, ...] = ()
    """Face sets, in any library, that have or had such a face."""
    block: bool = True
    """Whether it is kept out from now on."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """What goes, in numbers; for people."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to forget."""
        return not (self.names or self.faces or self.photos or self.buckets)

    def digest(self) -> str:
        """Hex sha256 of the plan, without its counts."""
        value = {key: one for key, one in asdict(self).items() if key != "counts"}
        return hashlib.sha256(json.dumps(value, sort_keys=True).encode("utf-8", "surrogateescape")).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """As it is written down."""
        return asdict(self)

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> "ForgetPlan":
        """Inverse of `as_json`."""
        pairs = {key: tuple((str(one[0]), str(one[1])) for one in value[key]) for key in ("faces", "photos", "paths")}
        words = {key: tuple(map(str, value[key])) for key in ("names", "labels", "buckets", "touched")}
        fields: dict[str, Any] = {**pairs, **words}
        return cls(str(value["kind"]), **fields, block=bool(value["block"]), counts=dict(value["counts"]))

    def faces_of(self, bucket: str) -> set[str]:
        """face_ids of a bucket."""
        return {face_id for where, face_id in self.faces if where == bucket}

    def photos_of(self, bucket: str) -> set[str]:
        """sha256 of a bucket's photos that go."""
        return {sha256 for where, sha256 in self.photos if where == bucket}

    def touched_buckets(self) -> set[str]:
        """Buckets of which something goes."""
        return {*self.buckets, *(bucket for pairs in (self.faces, self.photos) for bucket, _ in pairs)}


def whole_photos(photo_of: Mapping[str, str], going: Collection[str]) -> set[str]:
    """sha256 of photos all of whose faces go. `photo_of`: face_id -> sha256, of one bucket."""
    left = {sha256 for face_id, sha256 in photo_of.items() if face_id not in going}
    return {photo_of[face_id] for face_id in going if face_id in photo_of} - left
