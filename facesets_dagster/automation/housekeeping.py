"""What is thrown away after a time: retired facesets, reports, pictures of nobody. No Dagster; the job removes runs.

A number of days of 0 keeps for ever. Nothing that is live is ever touched.
"""

import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from facesets_dagster.faces.store import FaceStore
from facesets_dagster.faces.thumbnails import ThumbnailStore
from facesets_dagster.library.archive import MERGED
from facesets_dagster.library.library import Library
from facesets_dagster.library.moves import RETIRED
from facesets_dagster.library.withheld import KEPT_WHOLE
from facesets_dagster.registry.rulings import all_rulings
from facesets_dagster.reports.index import write_index

DAY = 86_400.0


def remove_old_retired(library: Library, days: float, holder: str) -> list[str]:
    """Removes folders of `_retired/` that were retired more than `days` ago; their names and numbers stay taken.

    People who are found again get their number back, and their pictures are cropped anew. What undoing a merge needs
    stays. So go the whole folders of people of whom a policy withholds faces.
    """
    if days <= 0:
        return []
    removed = []
    with library.locked(holder, say=lambda _: None):
        live = {identity.name for identity in library.registry.identities() if identity.live}
        for folder in sorted([*(library.folder / RETIRED).glob("*"), *(library.folder / KEPT_WHOLE).glob("*")]):
            # The change time of a folder is that of its last rename: when it was retired.
            old = folder.is_dir() and time.time() - folder.stat().st_ctime > days * DAY
            withheld = folder.parent.name == KEPT_WHOLE.name
            if old and (withheld or folder.name not in live) and folder.name not in (MERGED.name, KEPT_WHOLE.name):
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


def remove_lost_thumbnails(cache_dir: Path, libraries: Iterable[Library]) -> int:
    """Removes small pictures of faces that no bucket's cache holds and that are no member of a library and in no ruling
    any more; gives of how many faces.
    """
    store = ThumbnailStore(cache_dir)
    lost = store.face_ids()
    if not lost:
        return 0
    for folder in sorted((cache_dir / "faces").glob("*/*")):
        if folder.is_dir():
            faces = FaceStore.cached(cache_dir, folder.parent.name, folder.name).columns("faces", "bucket")
            lost -= set(faces["face_id"])
    for library in libraries:
        lost -= {face_id for _, _, face_id, _ in library.registry.membership_rows()}
        lost -= {face.face_id for ruling in all_rulings(library.registry) for face in ruling.faces}
    store.forget(lost)
    return len(lost)
