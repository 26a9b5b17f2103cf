"""What the pages are made of, read once for each state of the library and of the rulings."""

import gzip
import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from facesets_dagster.analysis.reviewed import Reviewed, reviewed, state_of
from facesets_dagster.analysis.reviewed_faces import ReviewedFace
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.library.home import Home
from facesets_dagster.library.library import Library
from facesets_dagster.reports.people import title_of
from facesets_dagster.settings import Settings


@dataclass(frozen=True)
class Answer:
    """A JSON document as it is sent."""

    tag: str
    """ETag."""
    plain: bytes
    packed: bytes
    """gzip."""


class LibraryView:
    """The library of one home, for many requests."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._last: Reviewed | None = None
        self._people: Answer | None = None

    @cached_property
    def home(self) -> Home:
        """The home."""
        return Home.of(self.settings)

    @property
    def library(self) -> Library:
        """The library of the home."""
        return self.home.library()

    def now(self) -> Reviewed:
        """Everybody as of now; the same object as long as nothing was published, written or taken back."""
        library = self.library
        with self._lock:
            if self._last is None or self._last.state != state_of(library):
                self._last, self._people = reviewed(library, self._last), None
            return self._last

    def people(self) -> Answer:
        """All people as columns."""
        view = self.now()
        with self._lock:
            if self._people is None or self._people.tag != _tag(view.state):
                self._people = _answer(view.state, people_columns(view))
            return self._people


def people_columns(view: Reviewed) -> dict[str, object]:
    """The people as arrays of equal length; `kinds` and `buckets` hold what `kind` and `bucket` count, from 0."""
    kinds = sorted({person.kind for person in view.people})
    buckets = sorted({person.bucket or "" for person in view.people})
    kind_at = {kind: place for place, kind in enumerate(kinds)}
    bucket_at = {bucket: place for place, bucket in enumerate(buckets)}
    return {
        "state": view.state,
        "waiting": len(view.waiting),
        "kinds": kinds,
        "buckets": [title_of(bucket) if bucket else "" for bucket in buckets],
        "name": [person.name for person in view.people],
        "label": [person.label or "" for person in view.people],
        "kind": [kind_at[person.kind] for person in view.people],
        "bucket": [bucket_at[person.bucket or ""] for person in view.people],
        "faces": [person.faces for person in view.people],
        "seen": [person.seen for person in view.people],
        "waits": [int(person.waits) for person in view.people],
    }


def face_columns(faces: list[ReviewedFace]) -> dict[str, list[object]]:
    """The faces of a person as arrays of equal length."""
    return {
        "face_id": [face.face_id for face in faces],
        "bucket": [title_of(face.bucket) for face in faces],
        "path": [readable(face.path) for face in faces],
        "rank": [face.rank for face in faces],
        "states": [face.state for face in faces],
        "value": [face.value for face in faces],
        "threshold": [face.threshold for face in faces],
        "doubt": [face.doubt for face in faces],
        "year": [face.year for face in faces],
    }


def readable(path: str) -> str:
    """A path as text, whatever bytes its file name holds."""
    return path.encode("utf-8", "replace").decode()


def rulings_about(rulings: tuple[Ruling, ...], view: Reviewed, name: str) -> list[Ruling]:
    """Rulings that speak of a person under any name that leads there, newest first."""
    names = {name, *(merged for merged, end in view.leads.items() if end == name)}
    return [one for one in reversed(rulings) if names & set(one.names.values())]


def _answer(state: str, value: Mapping[str, object]) -> Answer:
    plain = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(_tag(state), plain, gzip.compress(plain, 5, mtime=0))


def _tag(state: str) -> str:
    return f'"{hashlib.sha256(state.encode()).hexdigest()[:16]}"'
