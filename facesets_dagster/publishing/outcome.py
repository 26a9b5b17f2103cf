"""What a publication did; the change report and the assets' metadata are made of it."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Outcome:
    """Names of facesets by what became of them."""

    unchanged: bool = False
    """True if the inputs of the last run were found again, and nothing was looked at."""
    founded: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    revived: list[str] = field(default_factory=list)
    touched_undeclared: list[str] = field(default_factory=list)
    """Facesets that differ from before although this run did not declare them; must be empty."""

    def declared(self) -> set[str]:
        """Every faceset that this run was allowed to touch."""
        return {*self.founded, *self.changed, *self.retired, *self.revived}
