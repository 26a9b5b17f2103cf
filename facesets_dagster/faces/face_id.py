"""Stable names of faces.

A `face_id` is made of the content's sha256 and the face's position in the photo, so that the same bytes under another
path or in another bucket have the same ids. The position is the box's centre in thousandths of the photo's sides, which
does not move when a later version of the platform adds a column or sorts faces in another order.
"""

import numpy as np
from numpy.typing import NDArray


def face_ids(content_sha256: str, bbox: NDArray[np.float32], width: int, height: int) -> list[str]:
    """One id per box (n, 4), px of a photo of `width` x `height`: `<16 hex of content>-<xxxx>-<yyyy>`.

    Two boxes with the same centre get a trailing `-2`, `-3` in the order given.
    """
    centre_x = (bbox[:, 0] + bbox[:, 2]) / 2 / max(width, 1)
    centre_y = (bbox[:, 1] + bbox[:, 3]) / 2 / max(height, 1)
    centres = np.clip(np.rint(np.stack([centre_x, centre_y], axis=1) * 1000), 0, 1000).astype(int)
    ids: list[str] = []
    for x, y in centres.tolist():
        base = f"{content_sha256[:16]}-{x:04d}-{y:04d}"
        copies = sum(1 for other in ids if other == base or other.startswith(f"{base}-"))
        ids.append(base if copies == 0 else f"{base}-{copies + 1}")
    return ids
