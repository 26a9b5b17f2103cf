"""Which rulings in force speak of a person or a face, for commands and pages."""

from collections.abc import Sequence
from dataclasses import dataclass

from facesets_dagster.identities.identity import Identity
from facesets_dagster.identities.merging import is_marked, whose
from facesets_dagster.identities.projection import RULED
from facesets_dagster.identities.ruling_words import in_short, names_face, said
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.library.bindings import known_rulings
from facesets_dagster.library.library import Library
from facesets_dagster.registry.ruled import made_by_splits
from facesets_dagster.wording import counted


@dataclass(frozen=True)
class RulingOn:
    """A ruling as a person reads it beside a face set or a face."""

    ruling_id: str
    kind: str
    says: str
    by: str
    """Kind, who and when."""

    def line(self) -> str:
        """In a list: id, sentence, who made it."""
        return f"ruling {self.ruling_id}: {self.says} ({self.by})"


def of_ruling(ruling: Ruling, more: str = "") -> RulingOn:
    """`more`: what became of it, after the sentence."""
    return RulingOn(ruling.ruling_id, ruling.kind, said(ruling) + more, in_short(ruling))


def rulings_on(library: Library, person: Identity) -> list[RulingOn]:
    """Those that name a person under any name that leads there, oldest first; of an approval, what joined since."""
    rulings = known_rulings(library.registry)
    if not rulings:
        return []
    leads = library.snapshot().redirects
    made = {one.ruling_id for one in made_by_splits(library.registry) if one.name == person.family}
    found = []
    for ruling in rulings:
        ends = {leads.get(name, name) for name in ruling.names.values()}
        if person.family in ends or ruling.ruling_id in made:
            found.append(of_ruling(ruling, _since(library, person, ruling)))
    return found


def rulings_on_face(rulings: Sequence[Ruling], face_id: str, how: str) -> list[RulingOn]:
    """Those that name a face, then the one that made it a member. `how`: its `joined_by`, empty for no member."""
    made = [one for one in rulings if how == RULED + one.ruling_id]
    if is_marked(how):
        made = [one for one in rulings if one.kind == "same" and whose(how, "") in one.names.values()]
    return [of_ruling(one) for one in (*(o for o in rulings if names_face(o, face_id) and o not in made), *made)]


def rejections(library: Library) -> dict[frozenset[str], RulingOn]:
    """Two names, as they lead now -> the ruling that says that they are two people."""
    leads = library.snapshot().redirects
    return {
        frozenset(leads.get(name, name) for name in one.names.values()): of_ruling(one)
        for one in known_rulings(library.registry)
        if one.kind == "different" and len(one.names) == 2
    }


def _since(library: Library, person: Identity, ruling: Ruling) -> str:
    """`, 12 new since` after an approval."""
    seen = ruling.payload.get("members")
    if ruling.kind != "approve" or not isinstance(seen, list):
        return ""
    new = library.snapshot().places(person.name).keys() - set(seen)
    gone = set(seen) - library.snapshot().places(person.name).keys()
    words = [f"{len(new)} new since"] if new else []
    words += [f"{counted(len(gone), 'face')} gone since"] if gone else []
    return f", {', '.join(words)}" if words else ""
