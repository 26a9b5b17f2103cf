"""`facesets rulings`: which decisions were made by hand, what each says, and what it did."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from facesets_dagster.analysis.explanation import is_face_id
from facesets_dagster.cli.asking import person_called
from facesets_dagster.cli.program import console
from facesets_dagster.cli.ruling_rows import face_rows, face_values, photo_paths, summary, swallowed_values
from facesets_dagster.cli.tables import print_json, print_lines
from facesets_dagster.errors import LibraryError, SettingsError
from facesets_dagster.identities.ruling_words import said
from facesets_dagster.identities.rulings import KINDS, STATES, Ruling
from facesets_dagster.library.home import Home
from facesets_dagster.library.library import Library
from facesets_dagster.registry.rulings import all_rulings, faces_decided_by
from facesets_dagster.settings import Settings
from facesets_dagster.wording import counted


@dataclass(frozen=True)
class Wanted:
    """Which rulings are listed; empty: all."""

    kinds: Collection[str] = ()
    states: Collection[str] = ()
    about: str | None = None
    """A person or a face_id."""


def print_rulings(settings: Settings, wanted: Wanted, *, as_json: bool) -> None:
    """A line for each ruling, the newest last."""
    library = Home.of(settings).library()
    kinds = _known("kind", wanted.kinds, KINDS)
    states = _known("state", wanted.states, STATES)
    found = [
        one
        for one in _about(library, all_rulings(library.registry), wanted.about)
        if (not kinds or one.kind in kinds) and (not states or one.state in states)
    ]
    if as_json:
        print_json({"rulings": [summary(one) for one in found]})
        return
    print_lines(console(), "Rulings", [_row(one) for one in found])


def print_ruling(settings: Settings, text: str, *, as_json: bool) -> None:
    """Everything of one ruling."""
    from facesets_dagster.analysis.ruling_preview import preview
    from facesets_dagster.cli.preview_words import preview_lines

    home = Home.of(settings)
    (ruling,) = rulings_called(settings, [text])
    library, decided = home.library(), faces_decided_by(home.library().registry, ruling.ruling_id)
    paths = photo_paths(home, ruling, decided)
    without = preview(library, undo=[ruling.ruling_id]) if ruling.state == "in_force" else None
    lines = preview_lines(without) if without else []
    if as_json:
        more: dict[str, object] = {"payload": dict(ruling.payload), "seen_generation": ruling.seen_generation}
        more |= {"undone_at": ruling.undone_at, "undone_by": ruling.undone_by, "superseded_by": ruling.superseded_by}
        value = {**summary(ruling), **more, "faces": face_values(ruling, paths)}
        print_json({**value, "decided": swallowed_values(decided, paths), "without_it": lines})
        return
    out = console()
    for line in _described(ruling, library):
        out.print(line, markup=False, soft_wrap=True)
    print_lines(out, "Faces", face_rows(ruling, paths))
    if decided:
        print_lines(out, "Faces that ended by it", swallowed_values(decided, paths))
    if lines:
        out.print("\nWithout it", style="bold")
        for line in lines:
            out.print(line, markup=False, soft_wrap=True)


def rulings_called(settings: Settings, texts: Sequence[str]) -> list[Ruling]:
    """The rulings with these ids, or beginnings of ids. Raises `SettingsError` for one that names none or several."""
    known = all_rulings(Home.of(settings).library().registry)
    found: dict[str, Ruling] = {}
    for text in texts:
        meant = [one for one in known if text and one.ruling_id.startswith(text.upper())]
        meant = [one for one in meant if one.ruling_id == text.upper()] or meant
        if len(meant) != 1:
            what = "There is no ruling" if not meant else f"{len(meant)} rulings begin with"
            raise SettingsError(f"{what} {text!r}. `facesets rulings` lists all. Nothing was changed.")
        found[meant[0].ruling_id] = meant[0]
    return list(found.values())


def standing_of(ruling: Ruling) -> str:
    """State, and whether the library is up to it: `in force, waits`."""
    state = ruling.state.replace("_", " ")
    if ruling.state == "in_force" and not ruling.published:
        return f"{state}, waits"
    return f"{state}, still obeyed" if ruling.published and ruling.state != "in_force" else state


def _row(ruling: Ruling) -> dict[str, object]:
    why = f" ({ruling.reason})" if ruling.reason else ""
    return {
        "ruling": ruling.ruling_id,
        "made": ruling.made_at[:16].replace("T", " "),
        "by": ruling.made_by,
        "via": ruling.via,
        "kind": ruling.kind,
        "state": standing_of(ruling),
        "says": said(ruling) + why,
    }


def _described(ruling: Ruling, library: Library) -> list[str]:
    leads = library.snapshot().redirects
    now = {role: leads[name] for role, name in ruling.names.items() if name in leads}
    made = f"made {ruling.made_at[:16].replace('T', ' ')} UTC by {ruling.made_by} via {ruling.via}"
    lines = [
        f"{ruling.ruling_id}: {said(ruling)}",
        f"{ruling.kind}: {KINDS[ruling.kind]}",
        f"{standing_of(ruling)}: {STATES[ruling.state]}",
        made + (f": {ruling.reason}" if ruling.reason else ""),
    ]
    if ruling.undone_at:
        lines.append(f"taken back {ruling.undone_at[:16].replace('T', ' ')} UTC by {ruling.undone_by}")
    if ruling.superseded_by:
        lines.append(f"superseded by {ruling.superseded_by}")
    lines += [f"{ruling.names[role]} is part of {name} now" for role, name in now.items()]
    reach = ruling.number("reach")
    lines += [f"reach: cos-dist {reach:.3f}"] if reach is not None else []
    return lines


def _known(what: str, texts: Iterable[str], names: Collection[str]) -> set[str]:
    """Names as they are spelled on record. Raises `SettingsError` for an unknown one."""
    found = {text.replace("-", "_") for text in texts}
    unknown = sorted(found - set(names))
    if unknown:
        raise SettingsError(f"There is no {what} of rulings called {unknown[0]!r}. Expected {', '.join(names)}.")
    return found


def _about(library: Library, rulings: Sequence[Ruling], text: str | None) -> list[Ruling]:
    """Those that speak of a person, under any name that leads there, or of a face."""
    if text is None:
        return list(rulings)
    if is_face_id(text):
        return [one for one in rulings if any(face.face_id == text for face in one.faces)]
    names, leads = {text}, library.snapshot().redirects
    try:
        person = person_called(library, text)
        names |= {person.name, person.family, *(name for name, end in leads.items() if end == person.name)}
    except LibraryError:
        if not any(text in one.names.values() for one in rulings):  # a name out of use may stand in rulings
            raise
    return [one for one in rulings if names & {*one.names.values()}]


def unapplied_words(count: int) -> str:
    """The line about rulings that are not applied yet."""
    return f"{counted(count, 'ruling waits', 'rulings wait')} to be applied; `facesets rulings apply` does it"
