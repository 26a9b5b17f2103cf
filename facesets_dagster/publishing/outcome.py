"""What a publication did; the change report and the assets' metadata are made of it."""

from collections.abc import Mapping
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

    def after(self, earlier: "Outcome") -> "Outcome":
        """What became of each faceset since before `earlier`, which stands in no report."""
        founded = {*earlier.founded, *self.founded} - {*self.retired}
        revived = {*earlier.revived, *self.revived} - {*self.retired}
        changed = {*earlier.changed, *self.changed} - {*self.retired, *founded, *revived}
        retired = {*earlier.retired, *self.retired} - {*self.revived}
        kept = [name for name in self.kept if name not in founded | revived | changed]
        unchanged = self.unchanged and not earlier.declared()
        return Outcome(
            unchanged,
            founded=sorted(founded),
            changed=sorted(changed),
            kept=kept,
            retired=sorted(retired),
            revived=sorted(revived),
            touched_undeclared=self.touched_undeclared,
        )

    @classmethod
    def of_fates(cls, fates: Mapping[str, list[str]]) -> "Outcome":
        """Inverse of `by_fate`."""
        founded, changed, retired, revived = (
            fates.get(name, []) for name in ("founded", "changed", "retired", "revived")
        )
        return cls(founded=founded, changed=changed, retired=retired, revived=revived)

    def by_fate(self) -> dict[str, list[str]]:
        """The names of facesets that are no longer what they were."""
        return {"founded": self.founded, "changed": self.changed, "retired": self.retired, "revived": self.revived}

    def declared(self) -> set[str]:
        """Every faceset that this run was allowed to touch."""
        return {*self.founded, *self.changed, *self.retired, *self.revived}
