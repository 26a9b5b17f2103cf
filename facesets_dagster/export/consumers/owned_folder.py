"""A consumer's folder, updated, with an index of the files that were written here.

    exports/<consumer>/.facesets.json

Only files that the index knows, with the bytes that it knows, are replaced or removed. A file that was changed or put
there by hand stays as it is and is reported. The index is written before the files, with old and new digests, and after
them with the new ones: a run that dies in between leaves no file that the next one would not recognise.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from facesets_dagster.errors import LibraryCorrupt
from facesets_dagster.export.consumers.consumer import ExportFile
from facesets_dagster.files.parsing import parse_json
from facesets_dagster.files.writing import remove_leftovers, sha256_of, sync_folder, write_bytes, write_json

INDEX = ".facesets.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Entry:
    """A file that was written here."""

    sha256: tuple[str, ...]
    """Of its bytes; several while a run writes."""
    facesets: Mapping[str, Mapping[str, str]]
    """The facesets in it and their sources."""


@dataclass
class FolderOutcome:
    """What became of the files of a folder; paths relative to it."""

    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    """Not as this platform wrote them: left alone."""


def held_in(folder: Path) -> set[str]:
    """Facesets of which a file that was written here is in place."""
    return {name for path, entry in _read_index(folder).items() if (folder / path).is_file() for name in entry.facesets}


def sources_in(folder: Path) -> dict[str, set[str]]:
    """Faceset -> digests of the manifests from which its files in place were made."""
    found: dict[str, set[str]] = {}
    for path, entry in _read_index(folder).items():
        for name, source in entry.facesets.items() if (folder / path).is_file() else ():
            found.setdefault(name, set()).add(source.get("manifest_sha256", ""))
    return found


def policy_in(folder: Path) -> str | None:
    """Digest of the policy under which the folder's files were written; None without one."""
    try:
        found = parse_json((folder / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return str(found["consent"]) if isinstance(found, dict) and "consent" in found else None


def files_of(folder: Path, faceset: str) -> list[ExportFile]:
    """The files in place that were written here for a faceset; some may hold others too."""
    found = []
    for path, entry in sorted(_read_index(folder).items()):
        digest = _digest(folder, path)
        if faceset in entry.facesets and digest in entry.sha256:
            found.append(ExportFile(path, str(digest), (folder / path).read_bytes, tuple(entry.facesets)))
    return found


def update_folder(
    folder: Path,
    files: Sequence[ExportFile],
    provenance: Mapping[str, Mapping[str, str]],
    *,
    unnamed: Collection[str],
    policy: str | None = None,
) -> FolderOutcome:
    """Makes `folder` hold these files; nothing is written where it does already.

    `provenance`: faceset -> its origin, for the index. `unnamed`: facesets that are not exported now and keep their
    files of earlier runs. `policy`: digest of the home's, for the index; None without one.
    """
    known, wanted = _read_index(folder), {file.path: file for file in files}
    stays = {
        path: entry
        for path, entry in known.items()
        if path not in wanted and {*entry.facesets} & {*unnamed} and _digest(folder, path) is not None
    }
    judged = {path: entry for path, entry in known.items() if path not in stays}
    outcome, to_write = _sorted_out(folder, wanted, judged)
    ours = {path: file for path, file in wanted.items() if path not in outcome.foreign}
    final = stays | {
        path: Entry((file.sha256,), {name: provenance[name] for name in file.facesets}) for path, file in ours.items()
    }
    if to_write or outcome.removed:
        _write_index(folder, _with_former(final, known), policy)
    for path in to_write:
        data = ours[path].read()
        if hashlib.sha256(data).hexdigest() != ours[path].sha256:
            raise LibraryCorrupt(f"The sources of {folder / path} changed meanwhile. Run consumer_exports again.")
        write_bytes(folder / path, data)
        outcome.written.append(path)
    for path in outcome.removed:
        _remove(folder, path)
    outcome.kept = sorted([*outcome.kept, *stays])
    _write_index(folder, final, policy)
    return outcome


def remove_facesets(folder: Path, names: Collection[str]) -> list[str]:
    """Removes every file that was written here for one of these facesets, one that others share or that was changed
    since among them; gives their paths. Files go before the index, so that this can be repeated.
    """
    known = _read_index(folder)
    gone = [path for path, entry in sorted(known.items()) if not {*entry.facesets}.isdisjoint(names)]
    for path in gone:
        if (folder / path).is_file():
            _remove(folder, path)
    if gone:
        left = {path: entry for path, entry in known.items() if path not in gone}
        _write_index(folder, left, policy_in(folder))
    return gone


def _sorted_out(
    folder: Path, wanted: Mapping[str, ExportFile], known: Mapping[str, Entry]
) -> tuple[FolderOutcome, list[str]]:
    """What stays, goes, or is not ours; and what has to be written."""
    outcome, to_write = FolderOutcome(), []
    for path in sorted({*wanted, *known}):
        found, file = _digest(folder, path), wanted.get(path)
        ours = known[path].sha256 if path in known else ()
        if file is not None and found == file.sha256:
            outcome.kept.append(path)
        elif found is not None and found not in ours:
            outcome.foreign.append(path)
        elif file is not None:
            to_write.append(path)
        elif found is not None:
            outcome.removed.append(path)
    for parent in sorted({(folder / path).parent for path in to_write}):
        remove_leftovers(parent)
    return outcome, to_write


def _digest(folder: Path, path: str) -> str | None:
    """Of the file in place; None if there is none, empty for what is no file or lies behind one."""
    place = folder / path
    if place.is_file():
        return sha256_of(place)
    parents = [folder / parent for parent in PurePosixPath(path).parents]
    blocked = any(parent.exists() and not parent.is_dir() for parent in parents)
    return "" if blocked or place.exists() or place.is_symlink() else None


def _remove(folder: Path, path: str) -> None:
    """The file, and folders that it leaves empty."""
    (folder / path).unlink()
    sync_folder((folder / path).parent)
    for parent in PurePosixPath(path).parents:
        if str(parent) != "." and not any((folder / parent).iterdir()):
            (folder / parent).rmdir()


def _with_former(final: Mapping[str, Entry], known: Mapping[str, Entry]) -> dict[str, Entry]:
    """The index while a run writes: former digests beside the coming ones."""
    both = dict(final)
    for path, former in known.items():
        coming = final.get(path, former)
        both[path] = replace(coming, sha256=tuple(dict.fromkeys((*coming.sha256, *former.sha256))))
    return both


def _read_index(folder: Path) -> dict[str, Entry]:
    path = folder / INDEX
    try:
        index = parse_json(path.read_text(encoding="utf-8"))
        if index["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"schema_version {index['schema_version']}, expected {SCHEMA_VERSION}")
        known = {name: Entry(tuple(entry["sha256"]), entry["facesets"]) for name, entry in index["files"].items()}
        if any(PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts for name in known):
            raise ValueError("a path leads out of the folder")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LibraryCorrupt(
            f"The index {path} cannot be used ({error}). Move the folder {folder} away: everything in it can be "
            "exported again."
        ) from error
    return known


def _write_index(folder: Path, entries: Mapping[str, Entry], policy: str | None = None) -> None:
    """Replaces the index where it differs; a folder that holds nothing of ours has none."""
    path = folder / INDEX
    if not entries:
        path.unlink(missing_ok=True)
        return
    files = {
        name: {"sha256": list(entry.sha256), "facesets": {who: dict(what) for who, what in entry.facesets.items()}}
        for name, entry in sorted(entries.items())
    }
    consent = {"consent": policy} if policy else {}
    index = {"schema_version": SCHEMA_VERSION, **consent, "files": files}
    if not path.exists() or parse_json(path.read_text(encoding="utf-8")) != index:
        write_json(path, index)
