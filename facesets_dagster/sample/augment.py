"""Variations of a portrait that a face model takes for other photos of the person. Deterministic, seeded by name."""

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Look:
    """How a variation differs from the picture that it was made of."""

    angle: float
    """Rotation in the picture's plane, degrees."""
    tilt: float
    """Perspective, as a fraction of the side: positive looks up, negative down."""
    turn: float
    """Perspective to the side."""
    mirrored: bool
    light: float
    """Slope of the light from left to right, -1..1."""
    gamma: float
    warmth: float
    """Colour cast, -1 cold .. 1 warm."""
    noise: float
    contrast: float


def rng_of(name: str) -> np.random.Generator:
    """A random generator that depends on the name only."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))


def look_of(name: str) -> Look:
    """The look of a variation."""
    rng = rng_of(name)
    return Look(
        angle=float(rng.uniform(-20, 20)),
        tilt=float(rng.uniform(-0.12, 0.12)),
        turn=float(rng.uniform(-0.12, 0.12)),
        mirrored=bool(rng.integers(2)),
        light=float(rng.uniform(-0.8, 0.8)),
        gamma=float(rng.uniform(0.65, 1.5)),
        warmth=float(rng.uniform(-0.25, 0.25)),
        noise=float(rng.uniform(2, 7)),
        contrast=float(rng.uniform(0.75, 1.2)),
    )


def cut_out(image: NDArray[np.uint8], box: tuple[int, int, int, int], side: int, margin: float) -> NDArray[np.uint8]:
    """The square (side, side, 3) around a face box, `margin` times the box's longer side to each side.

    Beyond the picture's edge it is mirrored.
    """
    x1, y1, x2, y2 = box
    half = max(x2 - x1, y2 - y1) * (0.5 + margin)
    centre_x, centre_y = (x1 + x2) / 2, (y1 + y2) / 2
    scale = side / (2 * half)
    matrix = np.array([[scale, 0, side / 2 - centre_x * scale], [0, scale, side / 2 - centre_y * scale]])
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(
        cv2.warpAffine(image, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_REFLECT_101), np.uint8
    )


def express(image: NDArray[np.uint8], amount: float, name: str) -> NDArray[np.uint8]:
    """The square picture with another expression: its parts moved a little, each its own way.

    `amount`: standard deviation of the moves, as a fraction of the side.
    """
    side = image.shape[0]
    moves = rng_of(f"expression {name}").normal(0, amount * side, (2, 7, 7)).astype(np.float32)
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    right, down = (cv2.resize(move, (side, side), interpolation=cv2.INTER_CUBIC) for move in moves)
    moved = cv2.remap(image, columns + right, rows + down, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(moved, np.uint8)


def vary(image: NDArray[np.uint8], look: Look, name: str) -> NDArray[np.uint8]:
    """The picture (h, w, 3) under another look."""
    side = image.shape[0]
    corners = np.array([[0, 0], [side, 0], [side, side], [0, side]], np.float32)
    shift = side * np.array(
        [[look.tilt, look.turn], [-look.tilt, -look.turn], [look.tilt, look.turn], [-look.tilt, -look.turn]]
    )
    perspective = cv2.getPerspectiveTransform(corners, (corners + shift / 2).astype(np.float32))
    rotation = np.vstack([cv2.getRotationMatrix2D((side / 2, side / 2), look.angle, 1.0), [0, 0, 1]])
    warped = cv2.warpPerspective(
        image, rotation @ perspective, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    if look.mirrored:
        warped = warped[:, ::-1]
    values = (warped.astype(np.float64) / 255) ** look.gamma
    values = (values - 0.5) * look.contrast + 0.5
    values *= 1 + look.light * np.linspace(-0.5, 0.5, side)[None, :, None]
    values *= np.array([1 - look.warmth / 2, 1.0, 1 + look.warmth / 2])
    sharp = values + 0.6 * (values - cv2.GaussianBlur(values, (0, 0), 2.0))
    noisy = sharp * 255 + rng_of(f"noise {name}").normal(0, look.noise, values.shape)
    return np.asarray(noisy.clip(0, 255), np.uint8)
