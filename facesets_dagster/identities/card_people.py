"""Who is whom by the answers of a session: sides that became one, and those that never do. Pure."""

from collections import defaultdict
from collections.abc import Iterable


class CardPeople:
    """Groups of sides, by key."""

    def __init__(self, sizes: Iterable[tuple[str, int]]) -> None:
        """`sizes`: key of each side and its faces; the largest number counts for a key that comes twice."""
        self._size: dict[str, int] = {}
        for key, size in sizes:
            self._size[key] = max(size, self._size.get(key, 0))
        self._into: dict[str, str] = {}
        self._keys: dict[str, set[str]] = {}
        self._apart: dict[str, set[str]] = defaultdict(set)

    def group(self, key: str) -> str:
        """The side that stands for the group of a side."""
        while key in self._into:
            key = self._into[key]
        return key

    def keys(self, key: str) -> set[str]:
        """All sides of its group."""
        group = self.group(key)
        return self._keys.get(group, {group})

    def size(self, key: str) -> int:
        """Faces of its group."""
        return self._size.get(self.group(key), 0)

    def are_one(self, first: str, second: str) -> bool:
        """Whether answers made them one person."""
        return self.group(first) == self.group(second)

    def are_two(self, first: str, second: str) -> bool:
        """Whether answers say, or follow from saying, that they are two people."""
        return self.group(second) in self._apart.get(self.group(first), ())

    def join(self, first: str, second: str) -> None:
        """They are one person. What was said of either holds of both."""
        kept, gone = self.group(first), self.group(second)
        if kept == gone:
            return
        self._keys[kept] = self.keys(kept) | self.keys(gone)
        self._size[kept] = self._size.get(kept, 0) + self._size.get(gone, 0)
        self._into[gone] = kept
        for other in self._apart.pop(gone, set()):
            self._apart[other].discard(gone)
            self.part(kept, other)

    def part(self, first: str, second: str) -> None:
        """They are two people."""
        one, other = self.group(first), self.group(second)
        if one != other:
            self._apart[one].add(other)
            self._apart[other].add(one)

    def leave(self, key: str, faces: int) -> None:
        """So many faces leave a side's group."""
        group = self.group(key)
        self._size[group] = max(1, self._size.get(group, 0) - faces)
