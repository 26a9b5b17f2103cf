"""Another model pack for a home: the domain call behind `facesets reembed`.

    foresee -> read every photo into a second cache -> publish every library with it -> the home has the new pack

Names, numbers, members and rulings go over by photo and box (`identities.reanchoring`). Reading may be cut off at any
time and goes on where it was. The change itself is one transaction for each library, and `home.json` written as a
whole: it is noted there before the first transaction ends, and until all are through nothing but going on is possible.
"""

import shutil
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from facesets_dagster.errors import LibraryError
from facesets_dagster.faces.face_cache import Reading, ReportProgress, check_disk_space, scan_bucket
from facesets_dagster.faces.store import FaceStore
from facesets_dagster.legacy.sources import photo_files
from facesets_dagster.library.home import Home
from facesets_dagster.library.library import Library
from facesets_dagster.photos.bucket_key import LEGACY, bucket_title
from facesets_dagster.photos.listing import BucketListing
from facesets_dagster.publishing.outcome import Outcome
from facesets_dagster.publishing.publisher import publish
from facesets_dagster.publishing.reembed.foreseen import Foreseen, foresee, photos_of
from facesets_dagster.publishing.reembed.old_faces import cached_buckets, model_of
from facesets_dagster.publishing.reembed.pictures import FromPictures
from facesets_dagster.publishing.reembed.planner import PackNumbers, ReembedPlanner, Switched
from facesets_dagster.publishing.reembed.seen_anew import NewCaches
from facesets_dagster.publishing.rulings.planner import RulingsPlanner
from facesets_dagster.publishing.run import Run
from facesets_dagster.publishing.top_manifest import merge_top_manifest
from facesets_dagster.registry.rulings import unpublished_rulings


@dataclass(frozen=True)
class Reembedding:
    """A home and the pack that it gets."""

    home: Home
    libraries: tuple[Library, ...]
    """All of the home, the default one first."""
    run: Run
    """With the new pack; its library is each of these in turn."""
    workers: int
    numbers: PackNumbers
    cover_distance: float

    @property
    def old_model(self) -> str | None:
        """The model that the libraries are of and that is not the new one; None if there is none."""
        found = {model_of(library) for library in self.libraries} - {None, self.run.pack.model_id}
        return min(str(one) for one in found) if found else None

    @property
    def caches(self) -> NewCaches:
        """The second cache."""
        pack = self.run.pack
        return NewCaches(self.home.cache_dir, self.run.store_of, pack.model_id, pack.dim)


@dataclass(frozen=True)
class Brought:
    """A library with the new pack."""

    library: Library
    switched: Switched
    outcome: Outcome


def foreseen(job: Reembedding) -> list[tuple[Library, Foreseen]]:
    """What would become of each library; reads no photo, and writes nothing."""
    old = job.old_model
    if old is None:
        return []
    photos = photos_of(job.home, old, job.run.store_of)
    return [
        (library, foresee(library, job.home, old, job.run.pack.model_id, photos))
        for library in job.libraries
        if model_of(library) == old
    ]


def read_again(job: Reembedding, progress: Callable[[str], AbstractContextManager[ReportProgress]]) -> None:
    """Every bucket into the second cache. What was read before a run was cut off is not read again."""
    old = job.old_model
    folders = job.home.folders()
    buckets = [one for one in cached_buckets(job.home.cache_dir, old) if one in folders] if old else []
    check_disk_space(job.home.cache_dir, photos_of(job.home, old, job.run.store_of).bytes_needed if old else 0)
    for bucket in buckets:
        store = job.run.store_of(bucket)
        with store.alone(job.run.say), progress(bucket_title(bucket)) as report:
            listing = _listing(job, bucket, str(old))
            reading = Reading(
                job.run.embedder,
                job.workers,
                job.run.max_pixels,
                False,
                report,
                job.run.say,
                blocked=job.home.blocked(),
            )
            result = scan_bucket(listing, store, reading)
        job.run.say(f"{bucket_title(bucket)}: {len(listing)} photos, {result.decoded} of them read now")


def reembed(job: Reembedding, begin: Callable[[], None], finish: Callable[[], None]) -> list[Brought]:
    """Brings every library to the new pack; `read_again` comes first.

    `begin`: called before the first library changes for good, `finish`: once all have changed. A library that has
    changed already is left alone, so this goes on where another call was cut off.
    """
    new, brought = job.run.pack.model_id, list[Brought]()
    with tempfile.TemporaryDirectory(prefix="facesets-") as scratch:
        for library in job.libraries:
            library.finish_moves(job.run.holder, job.run.say)
            old = model_of(library)
            if old is None or old == new:
                library.note_all_buckets()  # owed by a call that was cut off, like the next
                merge_top_manifest(library, job.run.holder, job.run.say)
                continue
            run = replace(job.run, library=library)
            pictures = FromPictures(run.embedder(), Path(scratch, library.folder.name))
            planner = ReembedPlanner(run, job.caches, old, pictures, job.numbers, job.cover_distance, begin)
            update = publish(run, planner.plan)
            library.note_all_buckets()
            brought.append(Brought(library, update.notes, update.outcome))
    finish()
    for library in job.libraries:
        _obey(replace(job.run, library=library))
    return brought


def remove_other_caches(job: Reembedding) -> list[Path]:
    """Removes what other models have read; gives the folders. Raises `LibraryError` while a library is of one."""
    if job.old_model is not None:
        raise LibraryError(f"The home is made with {job.old_model}: its cache is in use. Nothing was removed.")
    kept, gone = job.run.pack.model_id, list[Path]()
    for kind in ("faces/*", "face_landmarks", "consumer_simulation"):
        for folder in sorted(job.home.cache_dir.glob(f"{kind}/*")):
            if folder.is_dir() and folder.name != kept:
                shutil.rmtree(folder)
                gone.append(folder)
    for kind in ("face_pictures", "perceptual_hashes"):
        for file in sorted((job.home.cache_dir / kind).glob("*.parquet")):
            if file.stem != kept:
                file.unlink()
                gone.append(file)
    return gone


def _obey(run: Run) -> None:
    """Rulings that sleep are obeyed no longer."""
    if any(ruling.state == "dormant" for ruling in unpublished_rulings(run.library.registry)):
        publish(run, RulingsPlanner(run).plan)


def _listing(job: Reembedding, bucket: str, old_model: str) -> BucketListing:
    if bucket != LEGACY:
        return job.home.listing(bucket)
    known = FaceStore.cached(job.home.cache_dir, bucket, old_model).columns("files", "sha256")["path"]
    return BucketListing.of_files(Path("/"), photo_files(Path("/"), known.to_list()))
