"""Folders into and out of the library: owed by a committed publication, done at once or by the next run.

A publication writes its folders under `.staging/<id>/`, commits the registry together with the list of moves, and then
moves. A process that dies before the commit leaves staging rubbish, one that dies after it leaves moves in the
registry: `finish_moves` finishes the latter and removes the former. Every move can be repeated.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from facesets_dagster.errors import LibraryCorrupt
from facesets_dagster.files.writing import exchange_folders, sha256_of, sync_folder
from facesets_dagster.registry.registry import Registry
from facesets_dagster.registry.tables import pending_moves

STAGING = ".staging"
RETIRED = "_retired"


@dataclass(frozen=True)
class Move:
    """`install` a staged faceset in its place, `retire` one to `_retired/`, or `drop` one that is kept elsewhere."""

    staging: str
    action: str
    name: str
    """Its place in the library: `faceset_020`, or `_thin/faceset_001_era_2010-2010`."""
    manifest_sha256: str | None


def finish_moves(registry: Registry, library_dir: Path, say: Callable[[str], None]) -> None:
    """Finishes moves that a dead run owed and removes what it left behind. The caller holds the lock."""
    with registry.engine.connect() as connection:
        rows = connection.execute(sa.select(pending_moves).order_by(pending_moves.c.step)).mappings().all()
    if rows:
        say(f"moving {len(rows)} folders into place")
    for row in rows:
        _do(Move(**{key: row[key] for key in row if key != "step"}), library_dir)
        with registry.engine.begin() as connection:
            connection.execute(sa.delete(pending_moves).where(pending_moves.c.step == row["step"]))
    if (library_dir / STAGING).exists():
        shutil.rmtree(library_dir / STAGING)


def _do(move: Move, library_dir: Path) -> None:
    final = library_dir / move.name
    retired = library_dir / RETIRED / final.name
    if move.action == "retire":
        if final.exists():
            if retired.exists():  # not swapped: a repeat after a death would swap back
                shutil.rmtree(retired)
            _replace(final, retired)
    elif move.action == "drop":
        if final.exists():
            aside = library_dir / STAGING / move.staging / "dropped" / final.name
            aside.parent.mkdir(parents=True, exist_ok=True)
            os.rename(final, aside)  # removed with the rest of the staging folder
            sync_folder(final.parent)
        _remove_empty(final.parent, library_dir)
    else:
        staged = library_dir / STAGING / move.staging / move.name
        if _manifest_sha256(final) != move.manifest_sha256:
            if _manifest_sha256(staged) != move.manifest_sha256:
                raise LibraryCorrupt(
                    f"The registry expects {move.name} with manifest {move.manifest_sha256}, which is neither in place "
                    f"nor at {staged}. Restore the library's folder from a backup that belongs to the registry."
                )
            _replace(staged, final)
        if retired.exists():
            shutil.rmtree(retired)


def _replace(source: Path, target: Path) -> None:
    """Moves a folder onto another; where the system can swap, there is no moment without `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() and exchange_folders(source, target):
        shutil.rmtree(source)
    else:
        if target.exists():
            aside = target.with_name(f".{target.name}.old")
            shutil.rmtree(aside, ignore_errors=True)
            os.rename(target, aside)
            os.rename(source, target)
            shutil.rmtree(aside)
        else:
            os.rename(source, target)
    sync_folder(target.parent)


def _remove_empty(folder: Path, library_dir: Path) -> None:
    """Folders below the library's that hold nothing any more, from the inside out."""
    while folder != library_dir and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _manifest_sha256(folder: Path) -> str | None:
    path = folder / "manifest.json"
    return sha256_of(path) if path.exists() else None
