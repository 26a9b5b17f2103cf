"""`facesets rule KIND`: what a person says on the command line, as rulings. `cli.ruled` writes and applies them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from facesets_dagster.analysis.asked_faces import AskedFace, asked_faces, faces_of_photo, names_a_face
from facesets_dagster.cli import ruling_job
from facesets_dagster.cli.asking import person_called
from facesets_dagster.cli.label import ask_about_namesakes, one_line
from facesets_dagster.cli.merge import Despite, ahead
from facesets_dagster.embedding.home_numbers import MEASURED, read_home_numbers
from facesets_dagster.errors import LibraryError, SettingsError
from facesets_dagster.identities.handles import near_names
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.library.home import Home
from facesets_dagster.library.library import Library
from facesets_dagster.publishing.rulings.merging import rulings_for
from facesets_dagster.publishing.rulings.requests import Places, Requests
from facesets_dagster.publishing.rulings.subjects import Subjects
from facesets_dagster.publishing.rulings.writing import Author, would_be_in_force
from facesets_dagster.settings import Settings

Side = str | Places
"""The name of a face set, or faces."""


@dataclass(frozen=True)
class Statements:
    """Makes rulings of what is typed; nothing is written."""

    settings: Settings
    reason: str | None = None

    @cached_property
    def home(self) -> Home:
        """The home."""
        return Home.of(self.settings)

    @cached_property
    def library(self) -> Library:
        """The library of the home."""
        return self.home.library()

    @cached_property
    def _requests(self) -> Requests:
        author = Author.here("cli", self.reason)
        distance = ruling_job.embedder_of(self.settings).thresholds().cover_distance
        return Requests(Subjects(self.library, self.home.cached), author, distance)

    def name(self, person: str, name: str, *, same_name: bool) -> list[Ruling]:
        """The person's name; an empty one takes it away."""
        found, label = person_called(self.library, person), one_line(name)
        if label and not same_name:
            ask_about_namesakes(self.library, found, label)
        return [self._requests.name(found.name, label)]

    def same(self, texts: Sequence[str], despite: Despite) -> list[Ruling]:
        """People or faces that are one person; none if all of them are one already.

        What speaks against a merge (a photo that shows both, two names, a ruling) is said first.
        """
        sides = [self._side(text) for text in texts]
        names = list(dict.fromkeys(side for side in sides if isinstance(side, str)))
        if len(names) == len({repr(side) for side in sides}):
            return self._merge(names, despite) if len(names) > 1 else []
        if len(sides) != 2:
            raise SettingsError("Faces are taken two at a time: `facesets rule same FACE FACE`. Nothing was changed.")
        owners = [side if isinstance(side, str) else self._owner(side) for side in sides]
        keeper = "b"
        if None not in owners and owners[0] != owners[1]:
            known = [str(owner) for owner in owners]
            self._require_not_apart(known)
            merges = ahead(self.library, known, despite).merges
            keeper = "a" if merges and merges[0].keeper == owners[0] else "b"
        return [self._requests.same(*sides, keeper=keeper)]

    def different(self, first: str, second: str) -> list[Ruling]:
        """Two people, or faces, that are never one person."""
        return [self._requests.different(self._side(first), self._side(second))]

    def not_person(self, faces: Sequence[str], person: str) -> list[Ruling]:
        """Faces that are not this person's; of a photo the one that the person has."""
        name = person_called(self.library, person).name
        return [self._requests.not_person(self._faces(faces, name), name)]

    def assign(self, faces: Sequence[str], person: str) -> list[Ruling]:
        """Faces that are this person's."""
        return [self._requests.assign(self._faces(faces), person_called(self.library, person).name)]

    def split(self, person: str, parts: Sequence[Sequence[str]]) -> list[Ruling]:
        """A face set that holds several people, with examples of each."""
        name = person_called(self.library, person).name
        return [self._requests.split(name, [self._faces(part, name) for part in parts if part])]

    def ignore(self, texts: Sequence[str]) -> list[Ruling]:
        """Strangers: a ruling for each face set, and one for all faces."""
        sides = [self._side(text) for text in texts]
        people = dict.fromkeys(side for side in sides if isinstance(side, str))
        faces = {face: bucket for side in sides if not isinstance(side, str) for face, bucket in side.items()}
        found = [self._requests.ignore(name) for name in people]
        return [*found, self._requests.ignore_faces(faces, are_faces=True)] if faces else found

    def not_a_face(self, faces: Sequence[str]) -> list[Ruling]:
        """What was detected is no face."""
        return [self._requests.ignore_faces(self._faces(faces), are_faces=False)]

    def approve(self, person: str) -> list[Ruling]:
        """A face set that is right as it stands."""
        return [self._requests.approve(person_called(self.library, person).name)]

    def feature(self, face: str, person: str, *, lead: bool) -> list[Ruling]:
        """The picture that stands for a person."""
        name = person_called(self.library, person).name
        (face_id,) = self._faces([face], name)
        return [self._requests.feature(face_id, name, lead=lead)]

    def allow_together(self, photos: Sequence[str]) -> list[Ruling]:
        """Faces of one photo that may be of one person: all of a photo, or those that are named."""
        found: dict[str, AskedFace] = {}
        for photo in photos:
            found.update(faces_of_photo(self.home, photo))
        return [self._requests.allow_together(self._places(found))]

    def threshold(self, number: str, value: float) -> list[Ruling]:
        """A number of this home for its model pack, with what was measured of it."""
        spelled = number.replace("-", "_")
        if spelled not in MEASURED:
            near = near_names(spelled, MEASURED)
            meant = f"Did you mean {' or '.join(near)}?" if near else f"Expected one of {', '.join(MEASURED)}."
            raise SettingsError(f"There is no number called {number!r}. {meant} Nothing was changed.")
        most = 1000.0 if spelled == "good_norm" else 1.0 if spelled == "near_duplicate_similarity" else 2.0
        if not 0 <= value <= most:
            raise SettingsError(f"{number} is {value:g}, expected 0 to {most:g}. Nothing was changed.")
        models = ruling_job.embedder_of(self.settings)
        pack, old = models.pack(), float(vars(models.thresholds())[spelled] or 0)
        measured = read_home_numbers(self.settings.calibration_file)
        evidence: dict[str, object] = {"pack": pack.name}
        if measured is not None and measured.model_id == pack.model_id and spelled in measured.numbers:
            evidence |= {"measured": measured.numbers[spelled], "measured_at": measured.measured_at}
        return [self._requests.threshold(pack.model_id, spelled, old, value, evidence)]

    def _merge(self, names: list[str], despite: Despite) -> list[Ruling]:
        self._require_not_apart(names)
        asked = ahead(self.library, names, despite)
        author = self._requests.author
        generation = self.library.registry.generation()
        found = rulings_for(asked, self._requests.subjects, author, despite_veto=despite.veto)
        return [replace(one, seen_generation=generation) for one in found]

    def _require_not_apart(self, names: Sequence[str]) -> None:
        """Raises `RulingRefused` with the chain if rulings in force say that two of these are two people."""
        would_be_in_force(self.library, [self._requests.same(names[0], other) for other in names[1:]])

    def _side(self, text: str) -> Side:
        """The person of that name, or the face. A name that nobody has may be a photo."""
        if not names_a_face(text):
            try:
                return person_called(self.library, text).name
            except LibraryError:
                if "/" not in text:
                    raise
        return self._faces([text])

    def _faces(self, texts: Sequence[str], person: str | None = None) -> Places:
        """face_id -> bucket. `person`: whose faces are meant where a photo shows several."""
        among = self.library.snapshot().places(person) if person else {}
        return self._places(asked_faces(self.home, texts, among))

    def _places(self, faces: Mapping[str, AskedFace]) -> Places:
        """The bucket through which a face is a member, if it is one."""
        rows = self.library.snapshot().rows_of_faces(list(faces))
        through = dict(rows.select("face_id", "bucket").iter_rows())
        return {face_id: through.get(face_id, face.bucket) for face_id, face in faces.items()}

    def _owner(self, faces: Places) -> str | None:
        """The person who has the first of these faces."""
        snapshot = self.library.snapshot()
        people = {one.name for one in snapshot.people()}
        rows = snapshot.rows_of_faces(list(faces))
        return next((name for name in rows["name"] if name in people), None)


def require_parts(parts: Sequence[Sequence[str]]) -> None:
    """Raises `SettingsError` if less than two parts have examples."""
    if sum(bool(part) for part in parts) < 2:
        raise SettingsError(
            "A split needs examples of two people at least, e.g. `--a trip/1.jpg --b trip/9.jpg`. Nothing was changed."
        )
