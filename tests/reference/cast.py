"""The reference run of the legacy scripts as a plan: who stands in which photo, and how large; drawn by `drawing`.

The numbers are those of the write-up of 2026-04-26. Nothing here asks the platform anything: what the test expects is
counted from this plan alone.
"""

import random
from collections import Counter
from dataclasses import dataclass, field

KNOWN = {2: 7, 8: 4, 15: 3, 19: 4}
"""Existing identity -> its faces in the bucket: 18 faces by four of nineteen."""
TOP_CLUSTERS = (37, 20, 12, 9, 7, 7, 6, 6, 6, 5)
TOP_PASSING = (28, 14, 10, 8, 6, 6, 6, 4, 5, 3)
"""Of each top cluster, faces that pass the gates: seven clusters keep six photos and more."""
TOO_SMALL_TO_EXPORT = 6
"""Place of the cluster whose faces pass the gates (90 px) and not the export gate (100 px): it is not emitted."""
THREES, TWOS, ONES = 20, 36, 71
"""The other 127 raw clusters, by size."""
SMALL_PASSING = 104
"""Of their 203 faces, how many pass the gates; so the gates drop 124 of 318."""
PHOTO_SIZES = {1: 64, 2: 35, 3: 19, 4: 24}
CROWDS = (5, 6, 6, 6, 6, 6, 6, 8)
"""Photos with five to eight faces."""


@dataclass(frozen=True)
class Face:
    """Somebody in a photo."""

    person: int
    look: int
    px: int


@dataclass
class Photo:
    """What is drawn; no face at all is a photo too."""

    faces: list[Face] = field(default_factory=list)


@dataclass(frozen=True)
class Cast:
    """The plan of the whole bucket and of the library before it."""

    photos: list[Photo]
    """150 with faces and 10 without."""
    new: Photo
    """The one photo that the caches did not know."""
    psds: list[Photo]
    """41, half of them with one face of somebody who is in no other photo."""
    clusters: list[int]
    """Persons of the top clusters."""


def known_person(number: int) -> int:
    """The drawn person of an existing identity, 1..19."""
    return number


def cast() -> Cast:
    """Always the same plan."""
    rng = random.Random(20260426)
    appearances: list[tuple[int, list[int]]] = [
        (known_person(number), [130] * faces) for number, faces in KNOWN.items()
    ]
    person = 100
    clusters = []
    for place, (size, passing) in enumerate(zip(TOP_CLUSTERS, TOP_PASSING, strict=True)):
        large = 95 if place == TOO_SMALL_TO_EXPORT else 130
        appearances.append((person, [large] * passing + [60] * (size - passing)))
        clusters.append(person)
        person += 1
    left = SMALL_PASSING
    for size in [3] * THREES + [2] * TWOS + [1] * ONES:
        passing = min(left, size)
        appearances.append((person, [110] * passing + [60] * (size - passing)))
        left -= passing
        person += 1
    photos = _seated(appearances, rng)
    singles = iter(range(1000, 1100))
    psds = [Photo([Face(next(singles), 0, 60)]) if index % 2 else Photo() for index in range(41)]
    return Cast(photos, photos.pop(), psds, clusters)


def _seated(appearances: list[tuple[int, list[int]]], rng: random.Random) -> list[Photo]:
    """Everybody in as many photos as they have faces, never twice in one; then ten empty photos and one more."""
    seats = [size for size, count in PHOTO_SIZES.items() for _ in range(count)] + list(CROWDS)
    photos = [Photo() for _ in seats]
    for person, sizes in sorted(appearances, key=lambda entry: -len(entry[1])):
        free = [place for place, photo in enumerate(photos) if len(photo.faces) < seats[place]]
        # The fullest photos first, or a crowd would be left for one person at the end.
        free.sort(key=lambda place: (-(seats[place] - len(photos[place].faces)), rng.random()))
        for look, (place, px) in enumerate(zip(free, sizes, strict=False)):
            photos[place].faces.append(Face(person, look, px))
    assert [len(photo.faces) for photo in photos] == seats
    return photos + [Photo() for _ in range(11)]


def faces_per_photo(photos: list[Photo]) -> Counter[int]:
    """Faces -> photos with so many."""
    return Counter(len(photo.faces) for photo in photos if photo.faces)
