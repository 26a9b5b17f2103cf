"""Which person is meant by what somebody typed: a faceset's name, a person's name, or a path that ends in one.

Names are compared as people see them: composed or decomposed letters, capitals and runs of spaces make no difference.
"""

import difflib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath

from facesets_dagster.errors import LibraryError
from facesets_dagster.identities.identity import Identity

_MOST = 3
"""Names that a message suggests."""


def spelled(text: str) -> str:
    """The text in the one form in which names are compared."""
    return " ".join(unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold()).split())


def people_called(
    text: str,
    identities: Sequence[Identity],
    *,
    leads_to: Mapping[str, str] | None = None,
    out_of_use: Mapping[str, str] | None = None,
) -> list[Identity]:
    """The live identities that are meant, by number: one for a faceset's name, several for a name that several have.

    A faceset's name wins over a person's. `leads_to`: merged name -> the identity that has its people now;
    `out_of_use`: name -> reason. Raises `LibraryError` with the nearest names if there is none.
    """
    live = {identity.name: identity for identity in identities if identity.live}
    last = PurePath(text).name.removesuffix(".fsz") if "/" in text else text.strip()
    name = (leads_to or {}).get(last, last)
    if name in live:
        return [live[name]]
    called = [one for one in live.values() if one.label is not None and spelled(one.label) == spelled(text)]
    people = [one for one in called if not one.is_era] or called
    if people:
        return sorted(people, key=lambda one: (one.number, one.name))
    raise LibraryError(_nobody(text, list(live.values()), (out_of_use or {}).get(last)))


def described(identity: Identity) -> str:
    """`Anna (faceset_003)`, or the faceset's name alone."""
    return f"{identity.label} ({identity.name})" if identity.label else identity.name


def several(text: str, people: Sequence[Identity]) -> LibraryError:
    """The error where one person has to be named and several are called so."""
    listed = ", ".join(one.name for one in people)
    return LibraryError(
        f"{len(people)} people are called {text!r}: {listed}. Name one of them by faceset; if they are the same "
        f"person, `facesets merge {people[0].name} {people[1].name}` makes them one."
    )


def _nobody(text: str, people: Sequence[Identity], reason: str | None) -> str:
    if reason is not None:
        return f"The faceset {text!r} is out of use ({reason}). `facesets status` lists those that exist."
    near = _near(text, people)
    meant = f"Did you mean {' or '.join(map(described, near))}?" if near else "`facesets status` lists all."
    return f"There is no person and no faceset called {text!r}. {meant}"


def near_names(text: str, names: Iterable[str]) -> list[str]:
    """Those of `names` (as `spelled`) that may be meant, at most three: alike, with it inside, with a word like it."""
    wanted, every = spelled(text), list(names)
    near = difflib.get_close_matches(wanted, every, n=_MOST)
    near += [name for name in every if wanted and wanted in name]
    near += [name for name in every if difflib.get_close_matches(wanted, name.split(), n=1)]
    return list(dict.fromkeys(near))[:_MOST]


def _near(text: str, people: Sequence[Identity]) -> list[Identity]:
    """`1` is near to faceset_001."""
    if text.strip().isdecimal():
        return [one for one in people if one.number == int(text) and not one.is_era][:_MOST]
    names = {spelled(name): one for one in people for name in (one.name, one.label) if name}
    near = near_names(text, names)
    return list({names[name].name: names[name] for name in near}.values())
