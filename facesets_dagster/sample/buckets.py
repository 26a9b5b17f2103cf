"""The sample buckets: what a stranger sees first, and what the end-to-end tests run on.

Three buckets of seven to nine people with group photos, byte duplicates, a PSD, a HEIC, a rotated JPEG, pictures
without people, a truncated and a corrupt file. `family album` and `press [2019]` share people, so that coverage works.
A fourth, `wedding`, holds what a person has to decide: somebody in sunglasses, a sister, a collage, a stranger.
"""

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image

from facesets_dagster.errors import SettingsError
from facesets_dagster.files.writing import write_bytes, write_json
from facesets_dagster.sample.cases import with_somebody_behind
from facesets_dagster.sample.people import (
    GROUP_PHOTO_PEOPLE,
    IN_SUNGLASSES,
    SISTER,
    SISTER_OF,
    STRANGER,
    Portrait,
    group_photo,
    photo_of,
    portraits,
    stranger,
    with_cases,
)
from facesets_dagster.sample.sources import NO_FACE, package_file, read_picture

MARKER = ".facesets-sample.json"


@dataclass(frozen=True)
class SampleFile:
    """A file of the sample: its path below the root, its bytes, and who is in it."""

    path: str
    data: bytes
    people: tuple[str, ...] = ()


@dataclass(frozen=True)
class SampleSummary:
    """What was written."""

    directory: Path
    files: int
    written: int
    people: int

    def text(self) -> str:
        """A line for the person at the terminal."""
        done = "already there" if not self.written else f"{self.written} written"
        return f"sample buckets in {self.directory}: {self.files} files of {self.people} people, {done}"


def write_sample(directory: Path, *, cache_dir: Path, say: Callable[[str], None] = lambda _: None) -> SampleSummary:
    """Writes the buckets; files that are there already are left alone.

    Raises `SettingsError` before anything is written if a path of the sample is taken by another file.
    """
    people = portraits(cache_dir, say)
    files = list(_files(people))
    made = _made_before(directory)
    for file in files:
        path = directory / file.path
        if path.exists() and _digest(path.read_bytes()) not in (_digest(file.data), made.get(file.path)):
            raise SettingsError(
                f"{path} is not a file of the sample. Nothing was written. Name an empty folder, or move it away."
            )
    written = 0
    for file in files:
        path = directory / file.path
        if not path.exists() or path.read_bytes() != file.data:
            write_bytes(path, file.data)
            written += 1
    truth = {file.path: {"sha256": _digest(file.data), "people": list(file.people)} for file in files}
    write_json(directory / MARKER, {"schema_version": 1, "files": truth})
    return SampleSummary(directory, len(files), written, len({one for file in files for one in file.people}))


def _made_before(directory: Path) -> dict[str, str]:
    path = directory / MARKER
    if not path.exists():
        return {}
    files = json.loads(path.read_text(encoding="utf-8"))["files"]
    return {name: entry["sha256"] for name, entry in files.items()}


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _files(people: dict[str, list[Portrait]]) -> Iterator[SampleFile]:
    yield from _family_album(people)
    yield from _press(people)
    yield from _trip(people)
    yield from _wedding(with_cases(people))


def _family_album(people: dict[str, list[Portrait]]) -> Iterator[SampleFile]:
    bucket = "family album"
    for person in ("t1_1", "t1_2", "t1_3"):
        for number in range(9):
            yield _jpeg(f"{bucket}/{person}_{number:02d}.jpg", people, person, number)
    for number in range(3):
        yield _group(f"{bucket}/groups/table_{number}.jpg", people, ("t1_1", "t1_2", "t1_3"), 20 + number)
    copy = _jpeg(f"{bucket}/copies/again.jpg", people, "t1_1", 0)
    yield copy
    yield SampleFile(f"{bucket}/psd/t1_2.psd", psd_bytes(photo_of(people, "t1_2", 9)), ("t1_2",))
    yield SampleFile(f"{bucket}/t1_3.heic", heic_bytes(photo_of(people, "t1_3", 9)), ("t1_3",))
    yield SampleFile(f"{bucket}/sideways.jpg", rotated_jpeg(photo_of(people, "t1_1", 9)), ("t1_1",))
    yield SampleFile(f"{bucket}/broken.jpg", copy.data[: len(copy.data) // 5])
    yield SampleFile(f"{bucket}/not a photo.png", b"this is no picture\n" * 20)
    yield SampleFile(f"{bucket}/notes.txt", b"A foreign file.\n")
    yield _no_face(f"{bucket}/{NO_FACE[0]}", NO_FACE[0])


def _press(people: dict[str, list[Portrait]]) -> Iterator[SampleFile]:
    bucket = "press [2019]"
    for person in ("t1_4", "t1_5"):
        for number in range(9):
            yield _jpeg(f"{bucket}/{person}_{number:02d}.jpg", people, person, number)
    for number in range(30, 34):  # known from the family album
        yield _jpeg(f"{bucket}/guest_{number}.jpg", people, "t1_1", number)
    yield SampleFile(f"{bucket}/everybody.jpg", jpeg_bytes(group_photo()), GROUP_PHOTO_PEOPLE)
    yield _no_face(f"{bucket}/{NO_FACE[1]}", NO_FACE[1])
    yield _jpeg(f"{bucket}/from the album.jpg", people, "t1_2", 3)


def _trip(people: dict[str, list[Portrait]]) -> Iterator[SampleFile]:
    bucket = "trip"
    for person in ("t1_6", "eileen_collins", *(("barack_obama",) if "barack_obama" in people else ())):
        for number in range(10):
            yield _jpeg(f"{bucket}/{person}_{number:02d}.jpg", people, person, number)
    if "joe_biden" in people:
        for number in range(3):
            yield _jpeg(f"{bucket}/joe_biden_{number:02d}.jpg", people, "joe_biden", number)
    yield _group(f"{bucket}/two.jpg", people, ("t1_6", "eileen_collins"), 40)
    for name in NO_FACE[2:]:
        yield _no_face(f"{bucket}/{name}", name)


def _wedding(people: dict[str, list[Portrait]]) -> Iterator[SampleFile]:
    """For the review page: one person as two, two as one, one twice in a photo, and one whom nobody knows."""
    bucket = "wedding"
    for number in range(8):
        yield replace(
            _jpeg(f"{bucket}/garden_{number:02d}.jpg", people, IN_SUNGLASSES, number), people=("eileen_collins",)
        )
        yield _jpeg(f"{bucket}/hall_{number:02d}.jpg", people, SISTER, number)
    yield _group(f"{bucket}/collage.jpg", people, ("t1_2", "t1_2"), 70)
    photo = with_somebody_behind(photo_of(people, SISTER_OF, 61), stranger(), height=0.3)
    yield SampleFile(f"{bucket}/poster.jpg", jpeg_bytes(photo), (SISTER_OF, STRANGER))


def _jpeg(path: str, people: dict[str, list[Portrait]], person: str, number: int) -> SampleFile:
    side = 480 + 80 * (number % 5)
    return SampleFile(path, jpeg_bytes(photo_of(people, person, number, side), 70 + 4 * (number % 7)), (person,))


def _group(path: str, people: dict[str, list[Portrait]], names: tuple[str, ...], number: int) -> SampleFile:
    photos = [photo_of(people, name, number + names[:place].count(name), 480) for place, name in enumerate(names)]
    return SampleFile(path, jpeg_bytes(np.hstack(photos)), names)


def _no_face(path: str, name: str) -> SampleFile:
    image = read_picture(package_file("skimage", "data", name))
    return SampleFile(path, png_bytes(image) if path.endswith("png") else jpeg_bytes(image))


def jpeg_bytes(image: NDArray[np.uint8], quality: int = 92) -> bytes:
    """A JPEG file of a BGR picture."""
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def png_bytes(image: NDArray[np.uint8]) -> bytes:
    """A PNG file of a BGR picture."""
    return cv2.imencode(".png", image)[1].tobytes()


def rotated_jpeg(image: NDArray[np.uint8]) -> bytes:
    """A JPEG stored lying on its side, with the EXIF orientation (6) that sets it upright."""
    picture = Image.fromarray(cv2.rotate(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), cv2.ROTATE_90_COUNTERCLOCKWISE))
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    picture.save(stream, format="JPEG", quality=92, exif=exif)
    return stream.getvalue()


def heic_bytes(image: NDArray[np.uint8]) -> bytes:
    """A HEIC file of a BGR picture."""
    stream = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))).save(stream, quality=90)
    return stream.getvalue()


def psd_bytes(image: NDArray[np.uint8]) -> bytes:
    """A PSD file with one merged picture."""
    from psd_tools import PSDImage

    stream = io.BytesIO()
    PSDImage.frompil(Image.fromarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))).save(stream)
    return stream.getvalue()
