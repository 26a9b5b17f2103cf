"""What is thrown away after a time: retired facesets, reports. No Dagster; its runs are removed by the job.

A number of days of 0 keeps for ever. Nothing that is live is ever touched.
"""

import shutil
import time
from pathlib import Path

from facesets_dagster.library.archive import MERGED
from facesets_dagster.library.library import Library
from facesets_dagster.library.lock import library_lock
from facesets_dagster.library.moves import RETIRED
from facesets_dagster.reports.index import write_index

DAY = 86_400.0


def remove_old_retired(library: Library, days: float, holder: str) -> list[str]:
    """Removes folders of `_retired/` that were retired more than `days` ago; their names and numbers stay taken.

    People who are found again get their number back, and their pictures are cropped anew. What undoing a merge needs
    stays.
    """
    if days <= 0:
        return []
    removed = []
    with library_lock(library.folder, holder, say=lambda _: None):
        live = {identity.name for identity in library.registry.identities() if identity.live}
        for folder in sorted((library.folder / RETIRED).glob("*")):
            # The change time of a folder is that of its last rename: when it was retired.
            old = folder.is_dir() and time.time() - folder.stat().st_ctime > days * DAY
            if old and folder.name not in live and folder.name != MERGED.name:
                shutil.rmtree(folder)
                removed.append(folder.name)
    return removed


def remove_old_reports(reports_dir: Path, days: float) -> int:
    """Removes reports older than `days` and leaves their lines in the index; gives how many files."""
    if days <= 0:
        return 0
    before = time.time() - days * DAY
    reports = [path for path in reports_dir.glob("*/*") if path.suffix in (".html", ".md")]
    old = [path for path in reports if path.stat().st_mtime < before]
    for path in old:
        path.unlink(missing_ok=True)
    if old:
        write_index(reports_dir)
    return len(old)
