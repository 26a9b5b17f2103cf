"""Faces by what somebody typed: a face_id, a photo that shows one face, or `PHOTO#2`, numbered as `explain` does."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from facesets_dagster.analysis.explained_photos import explained_photos
from facesets_dagster.analysis.explanation import FaceExplanation, PhotoExplanation, is_face_id
from facesets_dagster.errors import BucketError
from facesets_dagster.library.home import Home
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.wording import counted

_NUMBERED = re.compile(r"(?P<photo>.+)#(?P<number>[1-9]\d*)")


@dataclass(frozen=True)
class AskedFace:
    """A face of a photo in a bucket."""

    face_id: str
    bucket: str
    photo: str
    """Bucket and path, as people see them."""


def asked_faces(home: Home, texts: Sequence[str], among: Collection[str] = ()) -> dict[str, AskedFace]:
    """By face_id, one face for each text. Of a photo with several faces the one `among` these face_ids is meant.

    Raises `BucketError` for a photo that is unknown, shows no face, or shows several, with a list of them.
    """
    found = {}
    for text in texts:
        face = _one(home, text, among)
        found[face.face_id] = face
    return found


def faces_of_photo(home: Home, text: str) -> dict[str, AskedFace]:
    """Every face of a photo, or the one that `PHOTO#2` names, by face_id."""
    if is_face_id(text) or _numbered(text):
        return asked_faces(home, [text])
    return _by_id(explained_photos(home, text))


def names_a_face(text: str) -> bool:
    """Whether a text cannot mean a person: a face_id, `PHOTO#2`, or a file."""
    return is_face_id(text) or _numbered(text) is not None or Path(text).expanduser().is_file()


def _one(home: Home, text: str, among: Collection[str]) -> AskedFace:
    numbered = _numbered(text)
    photos = explained_photos(home, numbered["photo"] if numbered else text)
    if numbered:
        return _at(photos, int(numbered["number"]), text)
    faces = _by_id(photos)
    if is_face_id(text):
        return faces[text]
    if len(faces) == 1:
        return next(iter(faces.values()))
    if not faces:
        raise BucketError(f"No face was found in {text}. `facesets explain {text}` says more. Nothing was changed.")
    meant = [face for face_id, face in faces.items() if face_id in among]
    if len(meant) == 1:
        return meant[0]
    raise BucketError(f"{text} shows {counted(len(faces), 'face')}. {_choices(photos, text)} Nothing was changed.")


def _numbered(text: str) -> re.Match[str] | None:
    """`PHOTO#2`, unless a file has that very name."""
    return None if Path(text).expanduser().is_file() else _NUMBERED.fullmatch(text)


def _at(photos: Sequence[PhotoExplanation], number: int, text: str) -> AskedFace:
    """The face with a number from the left."""
    found = {photo.faces[number - 1].face_id: photo for photo in photos if number <= len(photo.faces)}
    if len(found) == 1:
        (photo,) = found.values()
        return _asked(photo, photo.faces[number - 1])
    if not found:
        most = max((len(photo.faces) for photo in photos), default=0)
        raise BucketError(
            f"{text}: the photo shows {counted(most, 'face')}. `facesets explain PHOTO` numbers them. Nothing was "
            "changed."
        )
    raise BucketError(f"{text} means several photos. Name one face: {', '.join(found)}. Nothing was changed.")


def _by_id(photos: Sequence[PhotoExplanation]) -> dict[str, AskedFace]:
    """Each face once, in the first bucket that has it."""
    return {face.face_id: _asked(photo, face) for photo in reversed(photos) for face in photo.faces}


def _asked(photo: PhotoExplanation, face: FaceExplanation) -> AskedFace:
    return AskedFace(face.face_id, photo.bucket, f"{bucket_title(photo.bucket)}/{photo.path}")


def _choices(photos: Sequence[PhotoExplanation], text: str) -> str:
    """Each face with its number, state and size."""
    told: dict[str, str] = {}
    for photo in photos:
        for number, face in enumerate(photo.faces, start=1):
            x1, y1, x2, y2 = (round(side) for side in face.bbox)
            whose = f" of {face.identity}" if face.identity else ""
            told.setdefault(face.face_id, f"#{number} {face.state}{whose}, {x2 - x1} x {y2 - y1} px at {x1}, {y1}")
    return f"Name one from the left, e.g. `{text}#1`: {'; '.join(told.values())}."
