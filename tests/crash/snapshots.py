"""A library as it can be compared: run ids, dates and what depends on them taken out."""

import hashlib
import re
from pathlib import Path

from facesets_dagster.library.bucket_notes import run_on_note
from facesets_dagster.library.library import Library
from facesets_dagster.library.pair import NOTES, read_mark

_RUN_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\+00:00)?")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def snapshot(library_dir: Path) -> dict[str, str]:
    """Path -> digest of every file of the library.

    Not of what is noted for recovery, which follows the registry. Manifests and markers name the run and its date, and
    digests of files that do; those are replaced by a word.
    """
    found = {}
    for path in sorted(library_dir.rglob("*")):
        if not path.is_file() or path.name.startswith(".lock") or path.relative_to(library_dir).parts[0] == NOTES:
            continue
        data = path.read_bytes()
        if path.suffix in (".json", ".txt"):
            text = _DATE.sub("DATE", _RUN_ID.sub("RUN", data.decode()))
            if path.parent == library_dir:  # digests of manifests, which name the run
                text = _DIGEST.sub("DIGEST", text)
            else:
                text = re.sub(r'("[^"]*\.txt": )"[0-9a-f]{64}"', r'\1"DIGEST"', text)
            data = text.encode()
        found[str(path.relative_to(library_dir))] = hashlib.sha256(data).hexdigest()
    return found


def require_noted(library: Library) -> None:
    """What is noted for recovery is up to the registry."""
    mark = read_mark(library.folder)
    assert mark is not None
    assert mark.state == library.registry.state()
    for run in library.registry.bucket_runs():
        assert run_on_note(library.folder, run.bucket) == f"{run.run_id} {run.inputs_digest}", run.bucket
