"""Numbers of a face's quality, on pictures made here."""

import cv2
import numpy as np
from numpy.typing import NDArray

from facesets_dagster.faces import quality


def picture(side: int) -> NDArray[np.uint8]:
    """The same smooth pattern, drawn at some size, without more detail in a larger one."""
    grey = np.random.default_rng(3).integers(0, 255, (64, 64), np.uint8)
    enlarged = cv2.resize(grey, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.cvtColor(enlarged, cv2.COLOR_GRAY2BGR), np.uint8)


def whole(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.array([[0, 0, image.shape[1], image.shape[0]]], np.float32)


def test_sharpness_is_that_of_the_face_and_not_of_its_size() -> None:
    values = [float(quality.sharpness(picture(side), whole(picture(side)))[0]) for side in (120, 240, 480, 960)]
    blurs = [float(quality.blur(picture(side), whole(picture(side)))[0]) for side in (120, 240, 480, 960)]
    assert max(values) < 1.3 * min(values)
    assert max(blurs) > 50 * min(blurs)


def test_a_face_that_is_small_already_is_judged_as_it_is() -> None:
    small = picture(90)
    assert quality.sharpness(small, whole(small)) == quality.blur(small, whole(small))


def test_a_box_outside_the_photo_has_no_sharpness() -> None:
    beside = np.array([[300, 300, 400, 400]], np.float32)
    assert quality.sharpness(picture(120), beside).tolist() == quality.blur(picture(120), beside).tolist() == [0.0]


def test_a_softer_face_is_less_sharp_at_any_size() -> None:
    for side in (200, 800):
        sharp = picture(side)
        soft = np.asarray(cv2.GaussianBlur(sharp, (0, 0), side / 100), np.uint8)
        assert quality.sharpness(soft, whole(soft))[0] < quality.sharpness(sharp, whole(sharp))[0] / 2
