"""How a photo is looked at: once as a rule, again where one look is known to miss faces.

What belongs here: which looks a photo gets, and how their faces become those of one photo. A look that follows costs
a run of the detector, so each has a condition that ordinary photos do not meet (`docs/decisions/second-looks.md`):
no face or a single one at the border (a tight crop), small faces alone in a photo far larger than the detector's
square, a face that seems to lie on its side or head.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import Detections, Embedder
from facesets_dagster.faces.upright import around, fitted, looks_upright, turns_by_score
from facesets_dagster.photos.decode import turned

_BORDER = 0.5
"""Of the longer side, around a photo that a face may fill."""
_GREY = (127.0, 127.0, 127.0)
"""The border's: next to a grey one 90 of 90 tight crops are found, next to replicated pixels 75."""
_SEEN_PX = 16.0
"""Smaller faces are often missed, px of the detector's square."""
_USABLE_PX, _FAINT_PX = 100.0, 60.0
"""Faces that must not be missed in a photo, and in one in which nothing was found; px."""
_LARGE_PX = 40.0
"""A face of that size in the detector's square: the photo's subject was seen at the first look."""
_TILE_SCALE = 0.26
"""At which tiles are looked at: a face of 100 px has 26."""
_OVERLAP = 96
"""Of tiles, px of the detector's square: a face beside it is whole in the next tile, or was seen at the first look."""
_CLOSE = 3.0
"""Side of the close look at a small face, by the longer side of its box."""
_SAME_OVERLAP, _SAME_LANDMARKS = 0.4, 0.3
"""Two boxes are one face: intersection over union above the first, or landmarks nearer than the second, by the box."""


@dataclass(frozen=True)
class Look:
    """What was found in a photo."""

    image: NDArray[np.uint8]
    """(h, w, 3), upright: turned by `turn`."""
    turn: int
    """Degrees clockwise: 0, 90, 180 or 270."""
    found: Detections
    """In px of `image`."""


def look_at(image: NDArray[np.uint8], embedder: Embedder) -> Look:
    """Looks as often as needed at a photo (h, w, 3), BGR, upright as far as its EXIF says."""
    first = Look(image, 0, _found_in(image, embedder))
    if len(first.found) and looks_upright(first.found, embedder.sure_score):
        return first
    best = first
    for turn in _turns_to_try(image, first.found, embedder):
        if turn == 0:
            break
        other = turned(image, turn)
        look = Look(other, turn, _found_in(other, embedder))
        if _top_score(look.found) > _top_score(best.found):
            best = look
        if len(best.found) and looks_upright(best.found, embedder.sure_score):
            break
    return best


def _turns_to_try(image: NDArray[np.uint8], found: Detections, embedder: Embedder) -> Sequence[int]:
    """By what a face's surroundings show, by the whole photo if they show nothing."""
    turns = turns_by_score(image, found, embedder)
    return turns if turns or not len(found) else turns_by_score(image, _rows(found, np.zeros(0, np.int64)), embedder)


def _top_score(found: Detections) -> float:
    return float(found.det_score.max()) if len(found) else 0.0


def _found_in(image: NDArray[np.uint8], embedder: Embedder) -> Detections:
    """The faces of a photo in one turn."""
    found = embedder.detect(image)
    side, longer = embedder.pack.det_size, max(image.shape[:2])
    to_input = min(side / longer, 1.0)
    if _is_far(found, to_input, embedder.sure_score):
        found = one_each([found, *_in_tiles(image, embedder)])
        found = _looked_at_closely(image, found, _LARGE_PX / to_input, embedder)
    if not len(found) or (len(found) == 1 and _is_tight(found, image, embedder.sure_score)):
        found = one_each([_with_border(image, embedder), found])
    return found


def _is_far(found: Detections, to_input: float, sure_score: float) -> bool:
    """Whether usable faces of the photo may be too small for the first look, and it saw none that is large and sure."""
    if not len(found):
        return _FAINT_PX * to_input < _SEEN_PX
    sure = _short(found)[found.det_score >= sure_score]
    return _USABLE_PX * to_input < _SEEN_PX and float(sure.max(initial=0)) * to_input < _LARGE_PX


def _short(found: Detections) -> NDArray[np.float32]:
    return np.asarray((found.bbox[:, 2:] - found.bbox[:, :2]).min(axis=1), np.float32)


def _is_tight(face: Detections, image: NDArray[np.uint8], sure_score: float) -> bool:
    """Whether a face reaches the photo's border, or fills two thirds of it and is not a sure one."""
    height, width = image.shape[:2]
    sides = face.bbox[0, 2:] - face.bbox[0, :2]
    if (face.bbox[0, :2] <= 0).any() or (face.bbox[0, 2:] >= [width, height]).any():
        return True
    return bool(face.det_score[0] < sure_score and (sides * 3 > [2 * width, 2 * height]).any())


def _with_border(image: NDArray[np.uint8], embedder: Embedder) -> Detections:
    """The faces of the photo inside a grey border; boxes end at the photo's."""
    import cv2

    small = fitted(image, min(max(image.shape[:2]), embedder.pack.det_size))
    border = round(max(small.shape[:2]) * _BORDER)
    framed = cv2.copyMakeBorder(small, border, border, border, border, cv2.BORDER_CONSTANT, value=_GREY)
    found = embedder.detect(np.asarray(framed, np.uint8))
    placed = _moved(found, np.array([-border, -border], np.float32), max(small.shape[:2]) / max(image.shape[:2]))
    height, width = image.shape[:2]
    return Detections(np.clip(placed.bbox, 0, np.array([width, height] * 2, np.float32)), placed.kps, placed.det_score)


def _in_tiles(image: NDArray[np.uint8], embedder: Embedder) -> Iterator[Detections]:
    """The small faces of each tile that lie in it as a whole."""
    side = embedder.pack.det_size
    small = fitted(image, round(max(image.shape[:2]) * _TILE_SCALE))
    scale = max(small.shape[:2]) / max(image.shape[:2])
    height, width = small.shape[:2]
    for top in _starts(height, side):
        for left in _starts(width, side):
            tile = np.ascontiguousarray(small[top : top + side, left : left + side])
            found = embedder.detect(tile)
            inner = np.array([left > 0, top > 0, left + side < width, top + side < height])
            at_edge = np.concatenate(
                [found.bbox[:, :2] <= 1, found.bbox[:, 2:] >= np.array(tile.shape[1::-1]) - 1], axis=1
            )
            keep = ~(at_edge & inner).any(axis=1) & (_short(found) <= _OVERLAP)
            yield _moved(_rows(found, keep), np.array([left, top], np.float32), scale)


def _starts(length: int, side: int) -> Sequence[int]:
    """Where tiles of `side` px begin that cover `length` px evenly."""
    count = max(-(-(length - _OVERLAP) // (side - _OVERLAP)), 1)
    return [round(index * (length - side) / (count - 1)) for index in range(count)] if count > 1 else [0]


def _looked_at_closely(image: NDArray[np.uint8], found: Detections, below: float, embedder: Embedder) -> Detections:
    """Faces shorter than `below` px as a look at them alone finds them: landmarks of a face of 20 px are rough."""
    parts = []
    for row, short in enumerate(_short(found).tolist()):
        face = _rows(found, np.arange(len(found)) == row)
        middle = (face.bbox[0, :2] + face.bbox[0, 2:]) / 2
        if short < below:
            area, corner = around(image, middle, _CLOSE * float((face.bbox[0, 2:] - face.bbox[0, :2]).max()))
            close = _moved(embedder.detect(area), corner, 1.0)
            same = np.array([_are_one(face, 0, close, other) for other in range(len(close))], bool)
            face = _rows(close, same) if same.any() else face
        parts.append(face)
    return one_each(parts) if parts else found


def _moved(found: Detections, corner: NDArray[np.float32], scale: float) -> Detections:
    """In px of a photo of which a part was looked at: its upper left corner at `corner` (x, y), at this scale."""
    return Detections(
        np.asarray((found.bbox + np.tile(corner, 2)) / scale, np.float32),
        np.asarray((found.kps + corner) / scale, np.float32),
        found.det_score,
    )


def one_each(looks: Sequence[Detections]) -> Detections:
    """The faces of several looks, best score first, each once."""
    every = Detections(
        np.concatenate([look.bbox for look in looks]),
        np.concatenate([look.kps for look in looks]),
        np.concatenate([look.det_score for look in looks]),
    )
    kept: list[int] = []
    for row in np.argsort(-every.det_score, kind="stable").tolist():
        if not any(_are_one(every, row, every, other) for other in kept):
            kept.append(row)
    return _rows(every, np.array(kept, np.int64))


def _are_one(some: Detections, row: int, others: Detections, other: int) -> bool:
    a, b = some.bbox[row], others.bbox[other]
    shared = float(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod())
    areas = [float((box[2:] - box[:2]).prod()) for box in (a, b)]
    if shared > _SAME_OVERLAP * (sum(areas) - shared):
        return True
    apart = float(np.linalg.norm(some.kps[row] - others.kps[other], axis=1).mean())
    return bool(apart < _SAME_LANDMARKS * min(areas) ** 0.5)


def _rows(found: Detections, keep: NDArray[np.bool_] | NDArray[np.int64]) -> Detections:
    return Detections(found.bbox[keep], found.kps[keep], found.det_score[keep])
