"""Which symbolic links in a bucket are followed: those that stay in what the platform may read.

A link that a bucket came with may lead anywhere: to a person's private photos, to another user's, to a device. So it is
followed within its bucket and the folders that the settings name, and `FACESETS_LINKS_TO` names more.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

LEADS_OUT = (
    "a link to a file outside of the folders that are read; FACESETS_LINKS_TO names folders to which links may lead"
)


def stays_within(folder: Path, allowed: Sequence[Path]) -> Callable[[str], bool]:
    """By relative path, for links: whether one leads into this folder or one of the allowed ones, or to nothing."""
    places = [os.path.join(os.path.realpath(place), "") for place in (folder, *allowed)]

    def stays(path: str) -> bool:
        target = os.path.realpath(folder / path)
        return any(target.startswith(place) for place in places) or not os.path.exists(target)

    return stays
