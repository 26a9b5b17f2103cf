"""The people of the sample, as cut out of the source pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.sample.augment import cut_out, express, look_of, vary
from facesets_dagster.sample.cases import SIDE, Places, look_alike, with_sunglasses
from facesets_dagster.sample.sources import package_file, read_picture, real_photos

Box = tuple[int, int, int, int]
GROUP_PHOTO_PEOPLE = ("t1_1", "t1_2", "t1_3", "t1_4", "t1_5", "t1_6")
_T1_BOXES: tuple[Box, ...] = (
    (751, 346, 845, 472),
    (462, 266, 576, 417),
    (1132, 274, 1227, 399),
    (899, 57, 1005, 197),
    (271, 147, 370, 276),
    (52, 266, 171, 400),
)
_REAL_BOXES: dict[str, tuple[str, Box]] = {
    "obama.jpg": ("barack_obama", (369, 91, 611, 421)),
    "obama2.jpg": ("barack_obama", (202, 231, 476, 633)),
    "obama3.jpg": ("barack_obama", (644, 274, 910, 619)),
    "biden.jpg": ("joe_biden", (427, 179, 714, 576)),
}
SISTER, SISTER_OF = "t1_5_sister", "t1_5"
"""Nobody's picture: a face between two people of the group photo."""
IN_SUNGLASSES = "eileen_collins_in_sunglasses"
STRANGER = "somebody"
_PLACES = {
    "eileen_collins": Places((262, 273), (378, 280), (260, 386), (370, 391)),
    "t1_3": Places((250, 291), (353, 288), (260, 391), (353, 388)),
    "t1_5": Places((237, 303), (330, 277), (279, 399), (363, 375)),
}
"""In pictures that `_plain` cuts out."""
_MARGIN = 0.55
_EXPRESSION = 0.011
"""How much a face moves from photo to photo: without it, variations of one picture pass for copies of one photo."""


@dataclass(frozen=True)
class Portrait:
    """A picture in which a person's face lies at a known place."""

    image: NDArray[np.uint8]
    box: Box


def portraits(cache_dir: Path, say: Callable[[str], None]) -> dict[str, list[Portrait]]:
    """Person -> source pictures. The last two people are there only if their photos can be fetched."""
    group = group_photo()
    people = {name: [Portrait(group, box)] for name, box in zip(GROUP_PHOTO_PEOPLE, _T1_BOXES, strict=True)}
    astronaut = read_picture(package_file("skimage", "data", "astronaut.png"))
    people["eileen_collins"] = [Portrait(astronaut, (179, 63, 269, 174))]
    for path in real_photos(cache_dir, say):
        person, box = _REAL_BOXES[path.name]
        people.setdefault(person, []).append(Portrait(read_picture(path), box))
    return people


def group_photo() -> NDArray[np.uint8]:
    """The picture of six people in insightface's wheel."""
    return read_picture(package_file("insightface", "data", "images", "t1.jpg"))


def photo_of(people: dict[str, list[Portrait]], person: str, number: int, side: int = 640) -> NDArray[np.uint8]:
    """The `number`-th photo (side, side, 3) of a person; another number, another look."""
    sources = people[person]
    portrait = sources[number % len(sources)]
    name = f"{person} {number}"
    picture = express(cut_out(portrait.image, portrait.box, side, margin=_MARGIN), _EXPRESSION, name)
    return vary(picture, look_of(name), name)


def with_cases(people: dict[str, list[Portrait]]) -> dict[str, list[Portrait]]:
    """The people, and two whom numbers confuse: one of them in sunglasses, and the sister of one."""
    eileen, sister = _plain(people, "eileen_collins"), _plain(people, SISTER_OF)
    other = _plain(people, "t1_3")
    sister = look_alike(sister, _PLACES[SISTER_OF], other, _PLACES["t1_3"], share=0.5, width=0.85)
    made = {IN_SUNGLASSES: with_sunglasses(eileen, _PLACES["eileen_collins"]), SISTER: sister}
    edge = round(SIDE * _MARGIN / (1 + 2 * _MARGIN))
    box = (edge, edge, SIDE - edge, SIDE - edge)
    return people | {name: [Portrait(image, box)] for name, image in made.items()}


def stranger() -> NDArray[np.uint8]:
    """A face that is in no other picture (112, 112, 3)."""
    return read_picture(package_file("insightface", "data", "images", "Tom_Hanks_54745.png"))


def _plain(people: dict[str, list[Portrait]], person: str) -> NDArray[np.uint8]:
    portrait = people[person][0]
    return cut_out(portrait.image, portrait.box, SIDE, margin=_MARGIN)
