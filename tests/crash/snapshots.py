"""A library as it can be compared: run ids, dates and what depends on them taken out."""

import hashlib
import re
from pathlib import Path

_RUN_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\+00:00)?")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def snapshot(library_dir: Path) -> dict[str, str]:
    """Path -> digest of every file of the library.

    Manifests and markers name the run and its date, and digests of files that do; those are replaced by a word.
    """
    found = {}
    for path in sorted(library_dir.rglob("*")):
        if not path.is_file() or path.name.startswith(".lock"):
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
