"""Names on the command line: the bucket or the person that is meant; at a terminal a doubtful one is asked about."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import typer

from facesets_dagster.cli.program import say
from facesets_dagster.errors import BucketError
from facesets_dagster.identities.handles import near_names, people_called, several, spelled
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.library import Library
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.wording import counted

_MOST_LISTED = 10


def at_a_terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def bucket_named(text: str, folders: Mapping[str, Path]) -> str:
    """The key of the bucket that is meant: its folder's name as people see it, a path to the folder, or the key.

    Raises `BucketError` with the nearest names if there is none.
    """
    titles = {key: bucket_title(key) for key in folders}
    wanted = text.rstrip("/")
    if wanted in folders:
        return wanted
    same = [key for key, title in titles.items() if spelled(title) == spelled(wanted)]
    exact = [key for key in same if titles[key] == wanted]
    path = Path(text).expanduser()
    here = [key for key, folder in folders.items() if path.is_dir() and folder.exists() and path.samefile(folder)]
    for found in (exact, here, same):
        if len(found) == 1:
            return found[0]
    if path.is_dir() and "/" in text:
        raise BucketError(
            f"{text} is no bucket of this home. `facesets run --folder {text}` makes it one, where it lies."
        )
    raise BucketError(f"There is no bucket called {text!r}. {_meant(wanted, list(titles.values()))}")


def _meant(text: str, titles: list[str]) -> str:
    by_spelling = {spelled(title): title for title in titles}
    near = near_names(text, by_spelling)
    if near:
        return f"Did you mean {' or '.join(repr(by_spelling[name]) for name in near)}?"
    return f"Buckets here: {listed(titles)}."


def listed(names: Iterable[str]) -> str:
    """Names for a message, at most ten; `none`."""
    every = sorted(names)
    more = f" and {len(every) - _MOST_LISTED} more" if len(every) > _MOST_LISTED else ""
    return ", ".join(every[:_MOST_LISTED]) + more if every else "none"


def person_called(library: Library, text: str) -> Identity:
    """The one live identity that is meant; where several have the name, a person at a terminal is asked.

    Raises `LibraryError` if there is none, or if several have the name and nobody can be asked.
    """
    people = people_called(
        text,
        library.registry.identities(),
        leads_to=library.snapshot().redirects,
        out_of_use={stone.name: stone.reason for stone in library.registry.tombstones()},
    )
    if len(people) == 1:
        return people[0]
    if not at_a_terminal():
        raise several(text, people)
    say(f"{len(people)} people are called {text!r}:")
    for number, one in enumerate(people, start=1):
        members = len(library.registry.members([one.name]).get(one.name, {}))
        place = f", first seen in {bucket_title(one.bucket)}" if one.bucket else ""
        say(f"  {number}  {one.name}, {counted(members, 'face')}{place}")
    while True:
        answer = str(typer.prompt("Which one?", err=True)).strip()
        if answer.isdecimal() and 1 <= int(answer) <= len(people):
            return people[int(answer) - 1]
        say(f"A number from 1 to {len(people)} is expected.")
