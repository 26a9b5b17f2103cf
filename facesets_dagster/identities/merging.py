"""Merged identities, and the marks that members carry which came with a merge.

A merged identity keeps its own members on record; its keeper gets them too, each marked `merged:<whose>`. Faces that
join a keeper later carry no mark. Where two people of a keeper have the same face through different buckets it counts
once: the keeper's own first, then that of the earlier merge (`identities.projection`).
"""

from dataclasses import dataclass

MARK = "merged:"
"""Before the name of the identity that brought a member, in `joined_by`."""

Pair = tuple[str, str]
"""Names of two identities, in order."""

Rows = dict[str, tuple[str, str]]
"""face_id -> bucket of the membership, how it joined."""


@dataclass(frozen=True)
class Merge:
    """One identity that is another's."""

    merged: str
    keeper: str


def is_marked(how: str) -> bool:
    """Whether a member came with a merge."""
    return how.startswith(MARK)


def whose(how: str, holder: str) -> str:
    """The identity whose own member it is: the one that brought it, or the holder."""
    return how.removeprefix(MARK) if is_marked(how) else holder
