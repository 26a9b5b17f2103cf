"""Whether a library's folder and a registry belong together, looked at before anything is written.

Both carry one `library_id`: the registry in `meta`, the folder in `_registry/library.json`, which also says up to which
generation of the registry the folder was brought. So a registry that was lost, begun anew, restored from an old copy or
taken from another home is known as what it is. A pair of an older release has no id: there the facesets speak, whose
digests the registry has, and the next publication gives both one.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from facesets_dagster.errors import LibraryCorrupt, LibraryUnpaired
from facesets_dagster.files.writing import sha256_of, write_json
from facesets_dagster.library.moves import RETIRED, STAGING
from facesets_dagster.library.numbering import faceset_folder, number_of
from facesets_dagster.registry.pairing import RegistryFacts, facts_of, published_digests, staged_folders
from facesets_dagster.registry.registry import Registry
from facesets_dagster.registry.schema import State

NOTES = "_registry"
"""Folder of the library with what recovery needs beside the facesets."""
SCHEMA_VERSION = 1
_FILE = "library.json"
_MOST_NAMED = 3
_RECOVER = (
    "`facesets recover --dry-run` says what can be rebuilt from the facesets, `facesets recover --from-backup` lists "
    "the copies of the registry. Nothing was changed."
)


@dataclass(frozen=True)
class LibraryMark:
    """What `library.json` says."""

    library_id: str
    state: State
    """Of the registry that the folder was last brought up to."""


def mark_file(library_dir: Path) -> Path:
    """Where a library keeps its id."""
    return library_dir / NOTES / _FILE


def read_mark(library_dir: Path) -> LibraryMark | None:
    """The mark of a library; None where there is none yet. Raises `LibraryCorrupt` if it cannot be read."""
    path = mark_file(library_dir)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["schema_version"] > SCHEMA_VERSION:
            raise LibraryCorrupt(
                f"{path} has schema version {found['schema_version']}, this release reads {SCHEMA_VERSION}. A newer "
                "release wrote this library: use that one. Nothing was changed."
            )
        mark = found["mark"]
        if not isinstance(found["library_id"], str) or not isinstance(mark, str | None):
            raise ValueError("`library_id` or `mark` is no text")
        return LibraryMark(found["library_id"], State(int(found["generation"]), mark))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise LibraryCorrupt(
            f"{path} cannot be read ({type(error).__name__}: {error}). Expected the id of this library. Restore it "
            "from a backup, or delete it: it is written again if registry and facesets fit. Nothing was changed."
        ) from error


def write_mark(library_dir: Path, mark: LibraryMark) -> None:
    """Records to which registry the folder belongs, and up to which generation it is."""
    value = {
        "schema_version": SCHEMA_VERSION,
        "library_id": mark.library_id,
        "generation": mark.state.generation,
        "mark": mark.state.mark,
    }
    write_json(mark_file(library_dir), value)


@dataclass(frozen=True)
class Pair:
    """A library and a registry that belong together."""

    is_noted: bool
    """Whether the folder is up to the registry."""
    has_id: bool
    """Whether the registry has its id."""


def require_pair(library_dir: Path, registry: Registry) -> Pair:
    """How the two stand; writes nothing, makes no tables.

    Raises `LibraryUnpaired` if folder and registry do not belong together.
    """
    mark = read_mark(library_dir)
    facts = facts_of(registry, mark.state if mark else None)
    found = _problem(library_dir, registry, facts, mark)
    if found:
        raise LibraryUnpaired(found)
    return Pair(mark is not None and mark.state == facts.state, facts.library_id is not None)


def unpaired(library_dir: Path, registry: Registry) -> str | None:
    """What is wrong with the pair and what to do, None if nothing is."""
    mark = read_mark(library_dir)
    return _problem(library_dir, registry, facts_of(registry, mark.state if mark else None), mark)


def _problem(library_dir: Path, registry: Registry, facts: RegistryFacts, mark: LibraryMark | None) -> str | None:
    if mark is not None and facts.library_id is not None and facts.library_id != mark.library_id:
        return _other_pair(library_dir, registry, facts.library_id, mark.library_id)
    if not facts.knows_somebody:
        return None if facts.knows_mark else _without_people(library_dir, registry)
    if mark is None:
        return None if _has_its_facesets(library_dir, registry) else _no_library(library_dir, registry)
    if facts.knows_mark:
        return None
    return (
        f"The registry {shown_registry(registry)} is not the one that {library_dir} was last published from: it is "
        f"at generation {facts.state.generation}, the library was brought up to generation {mark.state.generation}. It "
        f"is an older copy. Restore the newer registry, or the library that belongs to this one. {_RECOVER}"
    )


def _without_people(library_dir: Path, registry: Registry) -> str | None:
    """Of a registry that knows nobody; a library without facesets of ours may begin with it."""
    names = [name for _, name in zip(range(_MOST_NAMED), _made_here(library_dir), strict=False)]
    if not names:
        return None
    shown = ", ".join([*names, "..."] if len(names) == _MOST_NAMED else names)
    return (
        f"The library {library_dir} holds facesets ({shown}), "
        f"and its registry {shown_registry(registry)} knows none: it is lost, or FACESETS_HOME or "
        f"FACESETS_DATABASE_URL names another one. A run would find all these people anew, under new numbers. "
        f"{_RECOVER}"
    )


def _no_library(library_dir: Path, registry: Registry) -> str:
    name = next((name for name, _, _ in published_digests(registry)), "")
    return (
        f"The registry {shown_registry(registry)} knows facesets ({name}, ...), and {library_dir} holds none of them: "
        "the library is not there, its disk is not mounted, or the registry is another library's. Bring back the "
        "folder from a backup, or set FACESETS_HOME or FACESETS_DATABASE_URL to what belongs together. To begin anew, "
        "move the registry away. Nothing was changed."
    )


def _other_pair(library_dir: Path, registry: Registry, expected: str, found: str) -> str:
    return (
        f"The registry {shown_registry(registry)} belongs to the library {expected}, and {library_dir} is the library "
        f"{found}. "
        "A registry belongs to one library. Set FACESETS_HOME or FACESETS_DATABASE_URL to what belongs together; a "
        f"second library needs a registry of its own. {_RECOVER}"
    )


def _has_its_facesets(library_dir: Path, registry: Registry) -> bool:
    """Whether one of the facesets that the registry knows lies there as published, or none was published yet."""
    somebody = False
    for name, kind, digest in published_digests(registry):
        somebody = True
        path = library_dir / faceset_folder(name, kind) / "manifest.json"
        if path.is_file() and sha256_of(path) == digest:
            return True
    staged = staged_folders(registry)
    return not somebody or any((library_dir / STAGING / name).is_dir() for name in staged)


def _made_here(library_dir: Path) -> Iterator[str]:
    """Names of facesets that this platform made, live or retired."""
    for place in (library_dir, library_dir / "_thin", library_dir / RETIRED):
        for folder in sorted(place.iterdir()) if place.is_dir() else ():
            path = folder / "manifest.json"
            if number_of(folder.name) is not None and path.is_file() and _is_ours(path):
                yield folder.name


def _is_ours(path: Path) -> bool:
    """By the key that other programs' manifests lack; one that cannot be read may be ours."""
    try:
        return b'"content_digest"' in path.read_bytes()
    except OSError:
        return True


def shown_registry(registry: Registry) -> str:
    """The registry without its password."""
    url = registry.engine.url
    return str(url.database) if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)
