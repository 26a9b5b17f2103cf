"""What is forgotten and stays so: the block list of a home, and what it says of files, contents and faces.

    forgotten/key             32 random bytes, for this home alone
    forgotten/blocked.json    keyed digests, and sealed exemplars of people

The list knows a photo by its bytes: the same photo, saved anew, is another one. It knows a person by faces that were
like theirs, for one model: it can miss a face of theirs, and keep out somebody who looks very much alike.
"""

import base64
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from facesets_dagster.errors import SettingsError
from facesets_dagster.files.sealing import Seal, made_seal, seal_of
from facesets_dagster.files.writing import write_json
from facesets_dagster.identities.geometry import cosine_distance, normalised
from facesets_dagster.photos.bucket_key import HAND_SORTED
from facesets_dagster.photos.listing import LISTING_SCHEMA, BucketListing, PhotoFile

FOLDER = "forgotten"
SCHEMA_VERSION = 1
_DIGESTS = ("contents", "files", "faces", "buckets", "people")
"""Kinds of keyed digests: bytes of photos, files by path and state, face_ids, partition keys, names."""


@dataclass(frozen=True)
class BlockedPerson:
    """Somebody who is forgotten, for one model."""

    model_id: str
    exemplars: NDArray[np.float32]
    """Unit embeddings (n, dim)."""
    reach: float
    """Cosine distance from two of them (or the only one) up to which a face is theirs."""

    def is_like(self, unit: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which unit embeddings (n, dim) are within reach."""
        if not len(unit) or not len(self.exemplars) or unit.shape[1] != self.exemplars.shape[1]:
            return np.zeros(len(unit), bool)
        distance = np.sort(cosine_distance(unit, self.exemplars), axis=1)
        return np.asarray(distance[:, min(1, len(self.exemplars) - 1)] <= self.reach)


@dataclass(frozen=True)
class Additions:
    """What is to be blocked from now on."""

    contents: Iterable[str] = ()
    """sha256 of photos."""
    files: Iterable[tuple[str, PhotoFile]] = ()
    """Bucket and file."""
    faces: Iterable[str] = ()
    buckets: Iterable[str] = ()
    people: Iterable[str] = ()
    """Names of hand-sorted folders, and facesets of legacy libraries as ROOT/NAME."""
    exemplars: Sequence[BlockedPerson] = ()

    def digests(self, seal: Seal) -> Mapping[str, set[str]]:
        """Kind -> keyed digests."""
        return {
            "contents": {seal.digest("contents", one) for one in self.contents},
            "files": {_of_file(seal, bucket, file) for bucket, file in self.files},
            **{
                kind: {seal.digest(kind, one) for one in getattr(self, kind)} for kind in ("faces", "buckets", "people")
            },
        }


@dataclass(frozen=True)
class BlockList:
    """The list as it was read."""

    home: Path
    seal: Seal | None = None
    """None without a list: nothing is blocked."""
    digests: Mapping[str, frozenset[str]] = field(default_factory=dict)
    people: tuple[BlockedPerson, ...] = ()

    @classmethod
    def of(cls, home: Path) -> "BlockList":
        """The list of a home. Raises `SettingsError` if it cannot be read: then nothing tells what was forgotten."""
        folder = home / FOLDER
        try:
            value = json.loads((folder / "blocked.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return cls(home)
        except (OSError, ValueError) as error:
            raise _damaged(folder, str(error)) from error
        seal = seal_of(folder / "key")
        if seal is None:
            raise _damaged(folder, "its key file is not there")
        if not isinstance(value, dict) or value.get("schema_version") != SCHEMA_VERSION:
            raise _damaged(folder, f"expected a JSON object with schema_version {SCHEMA_VERSION}")
        try:
            digests = {kind: frozenset(map(str, value[kind])) for kind in _DIGESTS}
            people = tuple(_opened(seal, entry) for entry in value["exemplars"])
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(folder, f"{type(error).__name__}: {error}") from error
        return cls(home, seal, digests, people)

    def has(self, kind: str, value: str) -> bool:
        """Whether a content's sha256, a face_id, a partition key or a name is blocked."""
        known = self.digests.get(kind)
        return bool(known) and self.seal is not None and self.seal.digest(kind, value) in (known or ())

    def has_content(self, sha256: str) -> bool:
        """Whether a photo with these bytes is blocked."""
        return self.has("contents", sha256)

    def has_name(self, name: str) -> bool:
        """Whether a hand-sorted folder, or a face set of a legacy library (ROOT/NAME), is blocked."""
        return self.has("people", name)

    def without_files(self, bucket: str, listing: BucketListing) -> BucketListing:
        """The listing without files that are known as blocked by path and state; the same where there are none."""
        known, seal = self.digests.get("files", frozenset()), self.seal
        if seal is None or not (known or self.digests["people"]):
            return listing
        out = {file.path for file in listing.files if known and _of_file(seal, bucket, file) in known}
        if bucket == HAND_SORTED:
            out |= {path for path in listing.candidates["path"] if self.has_name(path.partition("/")[0])}
        return listing.without(sorted(out))

    def note_files(self, bucket: str, files: Sequence[PhotoFile]) -> None:
        """Files whose bytes were found to be blocked are known by path and state from now on: not opened again."""
        if files:
            block(self.home, Additions(files=[(bucket, file) for file in files]))

    def allowed_faces(
        self, face_ids: Sequence[str], embeddings: NDArray[np.float32], model_id: str
    ) -> NDArray[np.bool_]:
        """Which faces may be stored; `embeddings` (n, dim) of this model, of any length."""
        if not self.digests:
            return np.ones(len(face_ids), bool)
        unit = normalised(embeddings)
        allowed = np.array([not self.has("faces", face_id) for face_id in face_ids], bool)
        for person in self.people:
            if person.model_id == model_id:
                allowed &= ~person.is_like(unit)
        return allowed


def block(home: Path, more: Additions) -> None:
    """Adds to the list of a home, which is made if it is absent; what is on it stays."""
    folder = home / FOLDER
    seal = made_seal(folder / "key")
    with FileLock(folder / ".lock"):
        old = BlockList.of(home)
        new = more.digests(seal)
        digests = {kind: sorted(old.digests.get(kind, frozenset()) | new[kind]) for kind in _DIGESTS}
        people = [*old.people, *(one for one in more.exemplars if not _is_among(one, old.people))]
        sealed = [_closed(seal, person) for person in people]
        write_json(folder / "blocked.json", {"schema_version": SCHEMA_VERSION, **digests, "exemplars": sealed})
        os.chmod(folder / "blocked.json", 0o600)


def _of_file(seal: Seal, bucket: str, file: PhotoFile) -> str:
    state = (str(getattr(file, name)) for name in LISTING_SCHEMA if name != "path")
    return seal.digest("files", bucket, file.path, *state)


def _is_among(person: BlockedPerson, others: Sequence[BlockedPerson]) -> bool:
    return any(
        one.model_id == person.model_id
        and np.array_equal(one.exemplars, person.exemplars.astype(np.float16).astype(np.float32))
        for one in others
    )


def _closed(seal: Seal, person: BlockedPerson) -> dict[str, object]:
    data = seal.close(person.exemplars.astype(np.float16).tobytes())
    return {
        "model_id": person.model_id,
        "dim": int(person.exemplars.shape[1]),
        "reach": person.reach,
        "sealed": base64.b64encode(data).decode(),
    }


def _opened(seal: Seal, entry: Mapping[str, object]) -> BlockedPerson:
    data = seal.open(base64.b64decode(str(entry["sealed"])))
    if data is None:
        raise ValueError("what stands for a person was sealed with another key")
    vectors = np.frombuffer(data, np.float16).reshape(-1, int(str(entry["dim"]))).astype(np.float32)
    return BlockedPerson(str(entry["model_id"]), vectors, float(str(entry["reach"])))


def _damaged(folder: Path, why: str) -> SettingsError:
    return SettingsError(
        f"The block list {folder / 'blocked.json'} cannot be used ({why}). It keeps out what was forgotten, so no "
        "photo is read without it. Restore the folder from a backup; delete it only if what was forgotten may come "
        "back."
    )
