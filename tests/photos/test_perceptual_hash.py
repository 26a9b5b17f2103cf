"""Perceptual hashes: near for copies of one photo, far for another one."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from facesets_dagster.photos.perceptual_hash import FaceHashes, bits_apart, face_hashes, perceptual_hash

FACE = np.array([177, 65, 272, 187], np.float64)
"""In the picture of an astronaut that scikit-image ships."""


@pytest.fixture(scope="module")
def photo() -> NDArray[np.uint8]:
    return np.ascontiguousarray(data.astronaut()[..., ::-1])


def far(first: FaceHashes, second: FaceHashes) -> int:
    return max((first.face ^ second.face).bit_count(), (first.head ^ second.head).bit_count())


def jpeg(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1), np.uint8)


def test_copies_are_near(photo: NDArray[np.uint8]) -> None:
    original = face_hashes(photo, FACE)
    half = cv2.resize(photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    brighter = np.clip(photo * 1.2 + 10, 0, 255).astype(np.uint8)
    assert far(original, face_hashes(jpeg(photo, 40), FACE)) <= 6
    assert far(original, face_hashes(half, FACE / 2)) <= 6
    assert far(original, face_hashes(brighter, FACE)) <= 6
    assert far(original, face_hashes(photo[40:260, 140:320], FACE - [140, 40, 140, 40])) <= 6
    assert far(original, face_hashes(photo, FACE - [-1, 1, -1, 1])) <= 8


def test_another_place_a_mirrored_copy_and_noise_are_far(photo: NDArray[np.uint8]) -> None:
    original = face_hashes(photo, FACE)
    mirrored = np.ascontiguousarray(photo[:, ::-1])
    beside = np.array([512 - FACE[2], FACE[1], 512 - FACE[0], FACE[3]])
    noise = np.random.default_rng(0).integers(0, 256, photo.shape, np.uint8)
    for other, box in ((photo, FACE - [-100, -150, -100, -150]), (mirrored, beside), (noise, FACE)):
        assert far(original, face_hashes(other, box)) >= 16


def test_a_face_at_the_border_and_one_smaller_than_the_hash_have_hashes(photo: NDArray[np.uint8]) -> None:
    for box in ([-20, -30, 60, 70], [500, 500, 530, 540], [10, 10, 20, 22]):
        found = face_hashes(photo, np.array(box, np.float64))
        assert 0 <= found.face < 2**64


def test_half_of_the_bits_are_set_and_bits_are_counted_pairwise(photo: NDArray[np.uint8]) -> None:
    assert perceptual_hash(photo).bit_count() == 32
    first, second = np.array([0, 7, 2**63], np.uint64), np.array([0, 0, 2**64 - 1], np.uint64)
    assert bits_apart(first, second).tolist() == [0, 3, 63]
