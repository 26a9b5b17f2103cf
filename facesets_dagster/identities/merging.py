"""Who is a member of whom while identities are merged, and after any of the merges is taken back. Pure.

A merged identity keeps its own members on record; its keeper gets them too, each marked `merged:<whose>`. So every
state can be made again from the marks and the records, in any order of undoing. Faces that join a keeper later carry
no mark and stay with it. Where two people of a keeper have the same face through different buckets it counts once:
the keeper's own first, then that of the earlier merge, with all that was merged into that one before.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
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


@dataclass(frozen=True)
class Household:
    """All identities with their members, and the merges that are in force, oldest first."""

    members: Mapping[str, Rows]
    merges: tuple[Merge, ...]

    def leads_to(self, name: str) -> str:
        """The identity that a merged one is part of now; the name itself if it was not merged."""
        return self._way_of(name)[-1]

    def leading(self, pairs: Iterable[Pair]) -> dict[Pair, Pair]:
        """Each pair of names -> the two identities that they lead to, in order; one identity twice if they are one."""
        found = {}
        for pair in pairs:
            first, second = sorted(self.leads_to(name) for name in pair)
            found[pair] = (first, second)
        return found

    def named(self) -> set[str]:
        """Everybody who keeps or was merged."""
        return {name for merge in self.merges for name in (merge.merged, merge.keeper)}

    def part_of(self, name: str) -> list[str]:
        """The identity and all that were merged into it: oldest merge first, each followed by its own parts."""
        parts = (self.part_of(merge.merged) for merge in self.merges if merge.keeper == name)
        return [name, *(part for found in parts for part in found)]

    def merged_into(self, keeper: str, name: str) -> "Household":
        """After `name` was merged into `keeper`; both must be nobody's part."""
        own = self.members.get(keeper, {})
        brought = {
            face: (bucket, how if is_marked(how) else MARK + name)
            for face, (bucket, how) in self.members.get(name, {}).items()
        }
        members = {**self.members, keeper: _ordered({**brought, **own})}
        return Household(members, (*self.merges, Merge(name, keeper)))

    def taken_apart(self, name: str) -> "Household":
        """After the merge of `name` was undone: it has what its keeper still has of it."""
        _, *above = self._way_of(name)
        leaving, held = self.part_of(name), self.members.get(above[-1], {})
        rest = Household(self.members, tuple(merge for merge in self.merges if merge.merged != name))
        members = {**self.members, name: self._recovered(leaving, held, owner=name, known=())}
        for keeper in above:
            stay = {
                face: row for face, row in self.members.get(keeper, {}).items() if whose(row[1], keeper) not in leaving
            }
            others = rest.part_of(keeper)[1:]
            hidden = self._recovered(others, held, owner=None, known=stay)
            members[keeper] = _ordered({**hidden, **stay})
        return Household(members, rest.merges)

    def _recovered(self, names: Sequence[str], held: Rows, *, owner: str | None, known: Collection[str]) -> Rows:
        """What these identities brought or were given since, as far as it is still `held`; without faces in `known`.

        What is `owner`'s own carries no mark.
        """
        found: Rows = {}
        for name in names:
            for face, (bucket, how) in self.members.get(name, {}).items():
                if not is_marked(how) and face in held and face not in known and face not in found:
                    found[face] = (bucket, how if name == owner else MARK + name)
        for face, (bucket, how) in held.items():  # for one of them since the merge: a photo that came into its folder
            if is_marked(how) and whose(how, "") in names and face not in known and face not in found:
                found[face] = (bucket, "hand_sorted" if whose(how, "") == owner else how)
        return _ordered(found)

    def _way_of(self, name: str) -> list[str]:
        """The name, its keeper, that one's keeper ... up to the one that is nobody's part."""
        keeper_of = {merge.merged: merge.keeper for merge in self.merges}
        way = [name]
        while way[-1] in keeper_of:
            way.append(keeper_of[way[-1]])
        return way


def is_marked(how: str) -> bool:
    """Whether a member came with a merge."""
    return how.startswith(MARK)


def whose(how: str, holder: str) -> str:
    """The identity whose own member it is: the one that brought it, or the holder."""
    return how.removeprefix(MARK) if is_marked(how) else holder


def _ordered(rows: Rows) -> Rows:
    return dict(sorted(rows.items()))
