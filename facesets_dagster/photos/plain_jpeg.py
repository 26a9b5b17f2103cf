"""JPEG files without oddities, by libjpeg-turbo itself: the same pixels as Pillow's in a fifth of the time.

What belongs here: whole 8-bit JPEGs in colour or grey. Anything else (CMYK, damaged in any way, cut off) is left to
`decode`, which knows what to make of it: `plain_jpeg` then gives None.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesets_dagster.photos.demand import plain_jpeg_bytes
from facesets_dagster.photos.room import Room

ORIENTATION = 0x0112
PLAIN_MODES = ("RGB", "L")


def plain_jpeg(data: bytes, picture: Image.Image, room: Room) -> NDArray[np.uint8] | None:
    """The upright photo (h, w, 3), BGR, or None. `picture`: the same bytes opened by Pillow, no pixel read yet."""
    import simplejpeg

    if picture.format not in ("JPEG", "MPO") or picture.mode not in PLAIN_MODES:
        return None
    orientation = picture.getexif().get(ORIENTATION, 1)
    room.need(plain_jpeg_bytes(picture, turned=is_turned(orientation)))
    straight = None if is_turned(orientation) else room.pixels(picture.height, picture.width)
    try:
        image = simplejpeg.decode_jpeg(data, colorspace="BGR", strict=True, buffer=straight)
    except ValueError:
        return None  # Even a warning of the library lands here; Pillow decides what is still to be used.
    if image.shape != (picture.height, picture.width, 3):
        return None
    return np.asarray(image, np.uint8) if straight is not None else upright(image, orientation, room)


_TURNED = (2, 3, 4, 5, 6, 7, 8)
_ON_SIDE = (5, 6, 7, 8)


def _turn(pixels: NDArray[np.uint8], orientation: int, out: NDArray[np.uint8]) -> None:
    """Writes pixels (h, w, ...) turned and mirrored into `out`."""
    import cv2

    match orientation:
        case 2:
            cv2.flip(pixels, 1, out)
        case 3:
            cv2.rotate(pixels, cv2.ROTATE_180, out)
        case 4:
            cv2.flip(pixels, 0, out)
        case 5:
            cv2.transpose(pixels, out)
        case 6:
            cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE, out)
        case 7:
            cv2.rotate(cv2.transpose(pixels), cv2.ROTATE_180, out)
        case _:
            cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE, out)


def is_turned(orientation: object) -> bool:
    """Whether EXIF's `Orientation` asks for a turn; values that it does not define mean nothing."""
    return orientation in _TURNED


def upright(image: NDArray[np.uint8], orientation: int, room: Room) -> NDArray[np.uint8]:
    """The photo (h, w, 3) turned and mirrored as EXIF's `Orientation` says, its pixels in `room` if it was."""
    if not is_turned(orientation):
        return image
    height, width = image.shape[:2]
    out = room.pixels(width, height) if orientation in _ON_SIDE else room.pixels(height, width)
    _turn(image, orientation, out)
    return out


def upright_mask(mask: NDArray[np.bool_], orientation: int) -> NDArray[np.bool_]:
    """The same for a mask (h, w) of the photo."""
    if not is_turned(orientation):
        return mask
    flat = mask.view(np.uint8)
    out = np.empty(flat.shape[::-1] if orientation in _ON_SIDE else flat.shape, np.uint8)
    _turn(flat, orientation, out)
    return out.view(np.bool_)
