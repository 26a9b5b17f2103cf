"""What people said of single faces that an export has to heed."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Marks:
    """By face_id, of whichever identity."""

    features: Mapping[str, bool] = field(default_factory=dict)
    """Faces that stand for their person -> whether they lead the export."""
    together: tuple[frozenset[str], ...] = ()
    """Faces of one photo that may be one person: a collage, a mirror, a screen."""

    def may_be_one(self, first: str, second: str) -> bool:
        """Whether two faces of one photo may be one person."""
        return any(first in group and second in group for group in self.together)


NO_MARKS = Marks()
