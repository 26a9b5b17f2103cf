"""Rulings entered and taken back: never one that contradicts those in force, and never half of a request."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from facesets_dagster.errors import RulingRefused
from facesets_dagster.identities.ruling_closure import Contradiction, Link, Made, contradiction
from facesets_dagster.identities.ruling_words import in_short
from facesets_dagster.identities.rulings import KINDS, STANDS_FOR, UNDOABLE, Ruling
from facesets_dagster.identities.superseding import freed_by_undoing, superseded_by
from facesets_dagster.library.audit import note_deed, user_here
from facesets_dagster.library.library import Library
from facesets_dagster.registry.ruled import made_by_splits, names_of_parts
from facesets_dagster.registry.ruling_rows import new_id, now
from facesets_dagster.registry.rulings import all_rulings, rulings_in_force, rulings_of, undo_rulings, write_rulings


@dataclass(frozen=True)
class Author:
    """Who decides, and from where."""

    name: str
    via: str
    reason: str | None = None

    @classmethod
    def here(cls, via: str, reason: str | None = None) -> "Author":
        """The login name of this process."""
        return cls(user_here(), via, reason)

    def ruling(self, kind: str, **values: object) -> Ruling:
        """A new ruling of this kind."""
        assert kind in KINDS
        made = {"made_at": now(), "made_by": self.name, "via": self.via, "reason": self.reason}
        return Ruling(new_id(), kind, **made, **values)  # type: ignore[arg-type]


def enter(library: Library, rulings: Sequence[Ruling]) -> tuple[Ruling, ...]:
    """Writes them, all or none; one that is there already stays as it is.

    Raises `RulingRefused` with the chain of rulings that a new one contradicts.
    """
    new = {ruling.ruling_id for ruling in rulings}
    known = rulings_of(library.registry, new)
    written = write_rulings(library.registry, rulings, _checked(library, new))
    noted: dict[tuple[str, str, str], list[str]] = {}
    for ruling in written:
        if ruling.ruling_id not in known:
            noted.setdefault((ruling.made_by, ruling.via, ruling.kind), []).append(ruling.ruling_id)
    for (who, via, kind), ids in noted.items():
        note_deed(library.folder.parent, "ruling", who=who, via=via, kind=kind, ruling_ids=ids)
    return written


def take_back(library: Library, ids: Collection[str], author: Author) -> tuple[str, ...]:
    """Undoes rulings, in any order; gives those that changed. Raises `RulingRefused` if what came into force again in
    their place contradicts another one.
    """
    changed = undo_rulings(library.registry, ids, author.name, _checked(library))
    if changed:
        note_deed(library.folder.parent, "undo", who=author.name, via=author.via, ruling_ids=list(changed))
    return changed


def require_consistent(library: Library, rulings: Sequence[Ruling]) -> None:
    """Raises `RulingRefused` if these rulings contradict each other."""
    _checked(library)(rulings)


def would_be_in_force(library: Library, new: Sequence[Ruling] = (), undo: Collection[str] = ()) -> tuple[Ruling, ...]:
    """The rulings in force, oldest first, if these were written and those taken back; nothing is written.

    Raises `RulingRefused` as `enter` and `take_back` do.
    """
    known = all_rulings(library.registry)
    gone = {one.ruling_id for one in known if one.ruling_id in undo and one.state in UNDOABLE}
    standing = [one for one in known if one.state in ("in_force", "superseded")]
    back = {ruling_id for ruling_id, later in freed_by_undoing(standing, gone).items() if later is None}
    found = [one for one in known if (one.state == "in_force" or one.ruling_id in back) and one.ruling_id not in gone]
    for ruling in new:
        found = _with(ruling, found)
    require_consistent(library, found)
    return tuple(found)


def refused_among(library: Library, new: Sequence[Ruling]) -> list[tuple[Ruling, str]]:
    """Those of these rulings, entered one after the other, that contradict what is in force by then, and how."""
    check, refused = _checked(library, {one.ruling_id for one in new}), list[tuple[Ruling, str]]()
    found = list(rulings_in_force(library.registry))
    for ruling in new:
        if ruling.state != "in_force":
            continue
        after = _with(ruling, found)
        try:
            check(after)
        except RulingRefused as error:
            refused.append((ruling, str(error)))
        else:
            found = after
    return refused


def _with(ruling: Ruling, in_force: Sequence[Ruling]) -> list[Ruling]:
    """The rulings in force after this one was written."""
    without = superseded_by(ruling, in_force)
    return [*(one for one in in_force if one.ruling_id not in without), ruling]


def _checked(library: Library, new: Collection[str] = ()) -> Callable[[Sequence[Ruling]], None]:
    """What raises for rulings in force, oldest first, that contradict each other."""
    made = names_of_parts(made_by_splits(library.registry))

    def check(rulings: Sequence[Ruling]) -> None:
        found = contradiction(rulings, made)
        if found is not None:
            raise RulingRefused(refusal(found, made, new), tuple(ruling.ruling_id for ruling in found.rulings()))
        ignored: dict[str, Ruling] = {}
        for ruling in rulings:
            target = ruling.names.get(STANDS_FOR, "")
            if ruling.kind in ("assign", "approve", "feature") and target in ignored:
                other = ignored[target]
                raise RulingRefused(
                    f"{target} is ignored ({in_short(other)}), so nothing can be said of it. Undo that first: "
                    f"`facesets rulings undo {other.ruling_id}`. Nothing was changed.",
                    (other.ruling_id,),
                )
            if ruling.kind == "ignore" and ruling.names:
                ignored[target] = ruling

    return check


def refusal(found: Contradiction, made: Made, new: Collection[str] = ()) -> str:
    """The sentence on a contradiction: the chain, and the ways out. `new`: ids of rulings that are not written yet."""
    names = {f"{ruling_id}:{part}": name for (ruling_id, part), name in made.items()}
    links = [(" and ".join(pair), link) for link in found.chain if len(pair := _pair(link, names)) == 2]
    chain = ", ".join(f"{pair} are one person ({in_short(link.ruling)})" for pair, link in links)
    known = [one for one in found.rulings() if one.sequence and one.ruling_id not in new]
    ways = " or ".join(f"`facesets rulings undo {ruling.ruling_id}`" for ruling in known)
    start, apart = "These rulings contradict each other", " and ".join(_pair(found.apart, names))
    return (
        f"{start}: {chain}; but {apart} are two people ({in_short(found.apart.ruling)}). Keep what is in force, or "
        f"take one of them back first: {ways}. Nothing was changed."
    )


def _pair(link: Link, made: Mapping[str, str]) -> tuple[str, ...]:
    """The two nodes in words; one where a part of a split is the face set that it made."""
    return tuple(dict.fromkeys(_node(*node, made) for node in (link.first, link.second)))


def _node(kind: str, name: str, made: Mapping[str, str]) -> str:
    part = made.get(name, f"part {name[-1]} of a split")
    return name if kind == "person" else f"face {name}" if kind == "face" else part
