"""`facesets recover`: a registry that is lost or damaged, rebuilt from its library in one step.

SQLite's file is built beside its place, and put there by one rename; what lay there is kept under another name. On a
server all rows are one transaction into a schema without any. No faceset is touched.
"""

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import sqlalchemy as sa

from facesets_dagster.errors import LibraryCorrupt, LibraryUnpaired
from facesets_dagster.files.writing import sync_folder
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.library.library import Library
from facesets_dagster.library.pair import unpaired
from facesets_dagster.library.remains import Remains, read_remains
from facesets_dagster.publishing.recovery.rebuilt import RebuiltRows, rebuilt_rows
from facesets_dagster.publishing.recovery.unknown import unknown_words
from facesets_dagster.registry.backups import Backup, backups_of, copy_database, registry_file
from facesets_dagster.registry.pairing import facts_of
from facesets_dagster.registry.rebuilding import Meta, fits, write_registry
from facesets_dagster.registry.registry import Registry, registry_at
from facesets_dagster.registry.schema import State

Say = Callable[[str], None]


@dataclass(frozen=True)
class Recovery:
    """What a recovery does, or would do."""

    why: str
    """What is wrong; empty: registry and library belong together, and nothing is done."""
    rows: RebuiltRows
    rulings: int
    unknown: Sequence[str]
    """What could not be known, a sentence each."""
    kept: Path | None = None
    """Where the file is that lay in the registry's place."""


def recovery(library_dir: Path, database_url: str) -> Recovery:
    """What recovering would do; writes nothing. Raises `LibraryUnpaired` where nothing can be rebuilt."""
    why = whats_wrong(library_dir, registry_at(database_url))
    if not why:
        return Recovery("", RebuiltRows(), 0, ())
    remains = read_remains(library_dir)
    rows = rebuilt_rows(remains)
    if not rows.identities:
        raise LibraryUnpaired(
            f"{library_dir} holds no faceset of this platform, so there is nothing to rebuild a registry from. {why}"
        )
    return Recovery(why, rows, len(remains.rulings), unknown_words(remains, rows))


def recover(library_dir: Path, database_url: str, say: Say) -> Recovery:
    """Rebuilds the registry, unless it belongs to the library as it is."""
    found = recovery(library_dir, database_url)
    if not found.why:
        return found
    with Library(library_dir, registry_at(database_url), ()).locked("facesets recover", say):
        found = recovery(library_dir, database_url)
        if not found.why:
            return found
        remains, registry = read_remains(library_dir), registry_at(database_url)
        file = registry_file(registry)
        if file is None:
            _require_empty(registry)
            _write(registry, remains, found.rows)
            return found
        new = _fresh_file(file)
        built = Registry(f"sqlite:///{new}")
        _write(built, remains, found.rows)
        built.engine.dispose()
        return replace(found, kept=_put_in_place(new, file, registry))


def restore(library_dir: Path, database_url: str, name: str, say: Say) -> tuple[Backup, Path | None]:
    """Puts a copy in the registry's place; the copy, and where the file is that lay there.

    Raises `LibraryUnpaired` for a copy that is not of the library as it stands.
    """
    registry = registry_at(database_url)
    chosen = _chosen(registry, name)
    file = registry_file(registry)
    assert file is not None
    with Library(library_dir, registry_at(database_url), ()).locked("facesets recover", say):
        new = _fresh_file(file)
        copy_database(chosen.path, new)
        candidate = Registry(f"sqlite:///{new}")
        problem = fits(candidate) or unpaired(library_dir, candidate)
        candidate.engine.dispose()
        if problem:
            _remove_database(new)
            raise LibraryUnpaired(
                f"The copy {chosen.name} does not fit the library: {problem} `facesets recover` without a copy "
                "rebuilds the registry from the facesets as they are."
            )
        return chosen, _put_in_place(new, file, registry)


def whats_wrong(library_dir: Path, registry: Registry) -> str:
    """Why the registry is to be rebuilt; empty if it is the library's and can be read."""
    try:
        return fits(registry) or unpaired(library_dir, registry) or ""
    except LibraryCorrupt as error:
        return str(error)


def _chosen(registry: Registry, name: str) -> Backup:
    copies = backups_of(registry)
    found = copies[:1] if name == "latest" else [one for one in copies if one.name == name]
    if not found:
        known = ", ".join(one.name for one in copies[:10]) or "none"
        raise LibraryUnpaired(
            f"There is no copy {name!r} of the registry. Expected `latest` or one of: {known}. Nothing was changed."
        )
    return found[0]


def _require_empty(registry: Registry) -> None:
    if facts_of(registry, None).knows_somebody:
        raise LibraryUnpaired(
            "The database of the registry knows people, so nothing was written into it. Set FACESETS_DATABASE_URL to "
            "an empty database or schema, and recover into that."
        )


def _write(registry: Registry, remains: Remains, rows: RebuiltRows) -> None:
    mark = remains.mark
    state = mark.state if mark else State(max(len(rows.identities), 1), uuid.uuid4().hex)
    meta = Meta(mark.library_id if mark else uuid.uuid4().hex, state, remains.kept.get("rulings_model"))
    unpublished = set(remains.kept.get("not_published", []))
    rulings: list[Ruling] = [
        replace(one, published=(one.state == "in_force") != (one.ruling_id in unpublished)) for one in remains.rulings
    ]
    try:
        write_registry(registry, vars(rows), rulings, remains.kept.get("tables", {}), meta)
    except (ValueError, TypeError, KeyError, sa.exc.SQLAlchemyError) as error:
        raise LibraryCorrupt(
            f"What the library says cannot be put into one registry ({type(error).__name__}: {str(error)[:200]}). "
            "`facesets recover --from-backup` lists the copies of the registry. Nothing was changed."
        ) from error


def _put_in_place(new: Path, file: Path, registry: Registry) -> Path | None:
    """By one rename, after the old file and then its journal were moved aside: another's journal is never read."""
    aside = file.with_name(f"{file.name}.before-recovery-{time.strftime('%Y%m%dT%H%M%S')}")
    kept = None
    for ending in ("", "-wal", "-shm"):
        there = file.with_name(file.name + ending)
        if there.exists():
            there.replace(aside.with_name(aside.name + ending))
            kept = aside
    sync_folder(file.parent)
    registry.engine.dispose()
    new.replace(file)
    sync_folder(file.parent)
    registry.paired.clear()
    registry.checked = None
    return kept


def _fresh_file(file: Path) -> Path:
    """An empty file beside the registry, for its owner alone; what a dead recovery left goes."""
    new = file.with_name(f".{file.name}.recovered.tmp")
    _remove_database(new)
    new.touch(mode=0o600)
    return new


def _remove_database(path: Path) -> None:
    for ending in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
