"""Whether the library says what the rulings that it obeys say: beside the integrity of its files, `facesets verify`."""

from collections.abc import Iterator
from dataclasses import replace

from facesets_dagster.identities.ruling_closure import contradiction
from facesets_dagster.library.library import Library
from facesets_dagster.library.next_number import next_number
from facesets_dagster.library.verification import Flaw, verify_library
from facesets_dagster.publishing.rulings.changes import Changes
from facesets_dagster.publishing.rulings.planner import changes_from
from facesets_dagster.publishing.rulings.standing import Standing, standing
from facesets_dagster.publishing.rulings.writing import refusal
from facesets_dagster.registry.ruled import names_of_parts
from facesets_dagster.registry.rulings import all_rulings

_DEFECT = "Report this as a defect."
_APPLY = "Run `facesets rulings apply`; if it says the same again, report it as a defect."


def every_flaw(library: Library) -> list[Flaw]:
    """Of files, registry and rulings; an empty list is a sound library."""
    return verify_library(library) + ruling_flaws(library)


def ruling_flaws(library: Library) -> list[Flaw]:
    """Rulings that contradict each other, members that differ from what they come to, and rows that belong to none."""
    rulings = all_rulings(library.registry)
    if not rulings or library.registry.owes_moves():
        return []
    now = standing(library)
    made = names_of_parts(now.made)
    found = contradiction(now.rulings, made)
    flaws = [Flaw("registry", refusal(found, made), _DEFECT)] if found is not None else []
    for name in sorted(now.unruled.keys() - now.touched):
        flaws.append(Flaw("registry", f"members without rulings are on record of {name}, which none touches", _DEFECT))
    obeyed = tuple(ruling for ruling in rulings if ruling.published)
    changes = changes_from(replace(now, rulings=obeyed), next_number(library))
    return flaws + [Flaw("registry", what, _APPLY) for what in _differences(now, changes)]


def _differences(now: Standing, changes: Changes) -> Iterator[str]:
    """What the library says otherwise than the rulings that it obeys."""
    for name in changes.moved:
        lost = now.members.get(name, {}).items() ^ changes.after.members[name].items()
        yield f"{len({face for face, _ in lost})} members of {name} are not as the rulings have it"
    for name in [*changes.closed, *changes.led_elsewhere]:
        yield f"{name} is {changes.after.out[name].reason} by the rulings, the library says otherwise"
    for name in changes.founded:
        yield f"{name}, which a split made, is not in the library"
    for name in changes.back:
        yield f"{name} is in use by the rulings, the library says otherwise"
    for name in changes.labels:
        yield f"the name of {name} is not the one that the rulings give"
