"""What `_registry/` of a library holds, brought up to the registry under the library's lock.

    _registry/library.json      id of the library, generation of the registry that it is up to; written last
    _registry/rulings.jsonl     the rulings, as `facesets rulings export` writes them
    _registry/kept.json         what eras and rulings rest on
    _registry/buckets/          the funnels (`library.bucket_notes`)

A process that dies between the commit of the registry and the last of these files leaves an older `library.json`: the
next one that holds the library sees it, and writes all that differs.
"""

import json
import uuid
from pathlib import Path

from facesets_dagster.files.writing import write_text
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.library.bucket_notes import note_bucket, remove_notes_of_others, run_on_note
from facesets_dagster.library.pair import NOTES, LibraryMark, read_mark, write_mark
from facesets_dagster.library.ruling_log import as_line
from facesets_dagster.registry.backups import back_up
from facesets_dagster.registry.pairing import note_library_id
from facesets_dagster.registry.registry import Registry
from facesets_dagster.registry.rows import has_kept_rows, kept_rows
from facesets_dagster.registry.ruling_rows import model_of_rulings
from facesets_dagster.registry.rulings import all_rulings

KEPT_VERSION = 1


def rulings_file(library_dir: Path) -> Path:
    """Where a library keeps its rulings."""
    return library_dir / NOTES / "rulings.jsonl"


def kept_file(library_dir: Path) -> Path:
    """Where a library keeps what rulings and eras rest on."""
    return library_dir / NOTES / "kept.json"


def bring_up_notes(library_dir: Path, registry: Registry, backups_kept: int, *, has_id: bool) -> None:
    """After a publication: everything but funnels, then the mark, then a copy of the registry. Nothing else does it.

    The caller holds the lock. Nothing is written where nothing was published since. `has_id`: the registry has one.
    """
    mark, state = read_mark(library_dir), registry.state()
    if state.generation == 0 or (mark is not None and mark.state == state):
        return
    library_id = mark.library_id if mark and has_id else None
    if library_id is None:
        library_id = note_library_id(registry, mark.library_id if mark else uuid.uuid4().hex)
    _note_rulings(library_dir, registry)
    write_mark(library_dir, LibraryMark(library_id, state))
    back_up(registry, backups_kept)


def renew_bucket_notes(library_dir: Path, registry: Registry, *, every: bool = False) -> None:
    """Writes the notes of buckets that are of another run than the registry's, or `every` one."""
    runs = registry.bucket_runs()
    for run in runs:
        if every or run_on_note(library_dir, run.bucket) != f"{run.run_id} {run.inputs_digest}":
            note_bucket(library_dir, registry, run.bucket)
    remove_notes_of_others(library_dir, {run.bucket for run in runs})


def renew_notes(library_dir: Path, registry: Registry) -> None:
    """Writes all of it anew: for what must stand nowhere any more. The caller holds the lock."""
    renew_bucket_notes(library_dir, registry, every=True)
    _note_rulings(library_dir, registry)


def _note_rulings(library_dir: Path, registry: Registry) -> None:
    if not has_kept_rows(registry):
        for path in (rulings_file(library_dir), kept_file(library_dir)):
            path.unlink(missing_ok=True)
        return
    rulings = all_rulings(registry, of_all_models=True)
    with registry.engine.connect() as connection:
        model = model_of_rulings(connection)
    kept = {
        "schema_version": KEPT_VERSION,
        "rulings_model": model,
        "not_published": [one.ruling_id for one in rulings if one.published != (one.state == "in_force")],
        "tables": kept_rows(registry),
    }
    _write_where_it_differs(rulings_file(library_dir), "".join(f"{_line(one)}\n" for one in rulings))
    _write_where_it_differs(kept_file(library_dir), json.dumps(kept, ensure_ascii=False) + "\n")


def _line(ruling: Ruling) -> str:
    return json.dumps(as_line(ruling), ensure_ascii=False, sort_keys=True)


def _write_where_it_differs(path: Path, text: str) -> None:
    if not path.exists() or path.read_bytes() != text.encode():
        write_text(path, text)
