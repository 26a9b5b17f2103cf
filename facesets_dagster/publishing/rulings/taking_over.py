"""Rulings that were made in another library: what their names mean in this one.

A name never changes its meaning within a library, so a ruling whose faces are nobody's any more still finds its person
by name. In another library the same name is somebody else's.
"""

from collections.abc import Iterable
from dataclasses import replace

from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.library.library import Library

ELSEWHERE = "elsewhere:"
"""Before the name that somebody had in another library."""


def as_of_here(library: Library, rulings: Iterable[Ruling]) -> list[Ruling]:
    """The same as new ones, with names of this library only: a face set that neither has nor had any of the faces that
    stood for a name is not meant by it. Who is meant is found by faces then.
    """
    given = list(rulings)
    here = library.registry.members({name for one in given for name in one.names.values()})
    found = []
    for ruling in given:
        names = dict(ruling.names)
        for role, name in names.items():
            faces = {face.face_id for face in ruling.of_role(role)}
            if faces and faces.isdisjoint(here.get(name, {})) and not name.startswith(ELSEWHERE):
                names[role] = ELSEWHERE + name
        found.append(replace(ruling, names=names, sequence=0, published=False))
    return found
