"""Where the time of `discover_identities` goes, stage by stage, measured from outside of the product's code.

A child process runs `facesets run` on one bucket with clocks around the functions of the table below. A stage's time
is its own: what a stage within it takes is not counted twice, and a thread that only waits for others is left out. So
the seconds add up to what all threads worked, and the shares to one. The clocks are wall time: on a machine that does
other work, or has fewer cores than there are threads, what a thread waits for a core is in its stage.

Most photos are small portraits, encoded again; one in six is of several megapixels with two people, so that crops,
PNGs, zips and large decodes have their part: a fifth to a third of the faces are exported (the table says how many).
"""

import functools
import importlib
import io
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2

from benchmarks.embedding_photos import write_as_camera
from benchmarks.many_buckets import changed_photo
from facesets_dagster.sample.augment import look_of, vary
from facesets_dagster.threads import in_threads
from testing.homes import RealHome
from testing.measurements.row import Row
from testing.paths import REPOSITORY, SHARED

BUCKET = "many"
WAITING = "waits"
_PACKAGE = "facesets_dagster"
STAGES = (
    ("list", "resources.home", "list_bucket"),
    ("list", "faces.face_cache", "find_changes"),
    ("read", "faces.read_file", "FileReader.open"),
    ("read and hash", "photos.workers.open_photo", "OpenPhoto.read"),
    ("decode", "photos.workers.open_photo", "OpenPhoto.decode"),
    ("detect", "embedding.insightface_pack", "InsightfaceEmbedder.detect"),
    ("detect", "embedding.embedded_pack", "EmbeddedEmbedder.detect"),
    ("align", "embedding.insightface_pack", "InsightfaceEmbedder.align"),
    ("align", "embedding.embedded_pack", "EmbeddedEmbedder.align"),
    ("recognise", "embedding.insightface_pack", "InsightfaceEmbedder.recognise"),
    ("recognise", "embedding.embedded_pack", "EmbeddedEmbedder.recognise"),
    ("rows and quality", "faces.read_file", "look_at_photo"),
    ("rows and quality", "faces.read_file", "with_embeddings"),
    ("flush", "faces.face_cache", "_flush"),
    ("flush", "faces.face_cache", "refresh_cache"),
    (WAITING, "faces.pipeline", "_Pipeline.take"),
    (WAITING, "faces.pipeline", "_Pipeline._next"),
    ("coverage", "analysis.osrc_uncovered", "cover"),
    ("linkage", "analysis.osrc_clusters", "discover"),
    ("curation", "publishing.gallery", "curate"),
    ("decode for crops", "faces.photo_loader", "PhotoLoader._decoded"),
    ("crop", "export.rendering", "face_crop"),
    ("look at crops", "export.face_crop", "look_again"),
    ("png", "export.face_crop", "encode_png"),
    ("faceset's files", "export.pictures", "PictureFile.keep"),
    (WAITING, "export.ahead", "in_threads"),
    (WAITING, "export.folder", "in_threads"),
    (WAITING, "reports.thumbnails", "in_threads"),
    ("zip", "export.folder", "flat_zip"),
    ("faceset's files", "export.folder", "write_bytes"),
    ("faceset's files", "export.folder", "write_stream"),
    ("faceset's files", "publishing.staging", "write_faceset"),
    ("commit", "publishing.publisher", "commit"),
    ("commit", "publishing.publisher", "finish_moves"),
    ("commit", "publishing.publisher", "merge_top_manifest"),
    ("report", "assets.swap_ready_facesets", "gather"),
    ("report", "assets.swap_ready_facesets", "write_report"),
    ("report", "assets.swap_ready_facesets", "_sheets"),
    ("read the cache", "faces.store", "FaceStore.columns"),
    ("read the cache", "faces.embedding_files", "EmbeddingFiles._read"),
    ("load the models", "resources.embedder", "EmbedderResource.embedder"),
)
"""Stage, module of the package, function or method as that module knows it."""
LARGE_EVERY = 6
MEGAPIXELS = (2.0, 3.0, 4.0, 6.0, 8.0)
"""One photo in so many, and their sizes in turn."""
OFTEN = 8
"""Photos of a person from which on they are in the large ones: of others no identity is founded."""
INDIVISIBLE = ("look at crops", "load the models", "decode for crops")
"""What they call is theirs."""


def measure_stages(pack: str, models_root: Path, photos: int) -> list[Row]:
    """The table for one bucket of so many photos, no two of the same bytes; largest first."""
    with tempfile.TemporaryDirectory() as scratch:
        home = RealHome(Path(scratch) / "home", pack, models_root)
        home.facesets("init")
        _write_bucket(home.folder / "buckets" / BUCKET, photos)
        command = [sys.executable, "-m", "benchmarks.stages"]
        done = subprocess.run(
            command, cwd=REPOSITORY, env=home.environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"the run failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
        told = json.loads(done.stdout.splitlines()[-1])
        home.facesets("verify")
        faces = home.library.registry.decisions(BUCKET)["state"]
    seconds: dict[str, float] = told["seconds"]
    busy = sum(value for stage, value in seconds.items() if stage != WAITING)
    ranked = sorted((stage for stage in seconds if stage != WAITING), key=lambda stage: -seconds[stage])
    largest = ", ".join(ranked[:3])
    return [
        Row(f"discover_identities, {photos} photos", told["wall"], "s", note=f"largest: {largest}"),
        Row("faces exported", (faces == "exported").mean(), "share", note=f"of {len(faces)}"),
        Row("work of all threads", busy, "s",
            note=f"{busy / told['wall']:.2f} threads at work on average; wall time of each thread, waits aside"),
        *(Row(stage, seconds[stage] / busy, "share", note=f"{seconds[stage]:.2f} s") for stage in ranked),
    ]  # fmt: skip


def _write_bucket(folder: Path, photos: int) -> None:
    folder.mkdir(parents=True)
    originals = sorted(path for path in (SHARED / "data" / "labelled").rglob("*") if path.suffix.lower() == ".jpg")
    counts = Counter(path.parent for path in originals)
    often = [path for path in originals if counts[path.parent] >= OFTEN]

    def write(number: int) -> None:
        if number % LARGE_EVERY == 0:
            _write_large(folder / f"{number:05d}.jpg", often, number // LARGE_EVERY)
        else:
            photo = changed_photo(originals[number % len(originals)], number // len(originals))
            (folder / f"{number:05d}.jpg").write_bytes(photo)

    in_threads(write, range(photos))


def _write_large(path: Path, portraits: Sequence[Path], number: int) -> None:
    """Two portraits of different people, each under a look of its own: no near-duplicates of other photos of theirs."""
    names = [portraits[(number + step) % len(portraits)] for step in (0, len(portraits) // 2)]
    pair = [
        vary(cv2.resize(cv2.imread(str(name)), (250, 250)), look_of(f"{number} {name.name}"), f"{number} {name.name}")
        for name in names
    ]
    write_as_camera(path, pair, MEGAPIXELS[number % len(MEGAPIXELS)], seed=number)


class Clocks:
    """Seconds per stage over all threads; a thread is in one stage at a time, the innermost."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._lock = threading.Lock()
        self._own = threading.local()

    def around(self, stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, timed."""

        @functools.wraps(work)
        def timed(*arguments: Any, **options: Any) -> Any:
            stack = self._own.__dict__.setdefault("stack", [])
            if stack and stack[-1] in INDIVISIBLE:
                return work(*arguments, **options)
            self._until_now(stack)
            stack.append(stage)
            try:
                return work(*arguments, **options)
            finally:
                self._until_now(stack)
                stack.pop()

        return timed

    def _until_now(self, stack: list[str]) -> None:
        now = time.perf_counter()
        if stack:
            with self._lock:
                self.seconds[stack[-1]] += now - self._own.since
        self._own.since = now


def _install(clocks: Clocks) -> None:
    for stage, module, name in STAGES:
        owner = importlib.import_module(f"{_PACKAGE}.{module}")
        *parents, last = name.split(".")
        for parent in parents:
            owner = getattr(owner, parent)
        setattr(owner, last, clocks.around(stage, getattr(owner, last)))


def main() -> None:
    """In the child: the run, and its times as the last line."""
    from rich.console import Console

    from facesets_dagster.cli.run import run_buckets
    from facesets_dagster.settings import load_settings

    clocks = Clocks()
    _install(clocks)
    said = io.StringIO()
    run = clocks.around("dagster and the rest", run_buckets)
    started = time.perf_counter()
    code = run(load_settings(), [BUCKET], None, Console(file=said))
    wall = time.perf_counter() - started
    if code:
        sys.exit(said.getvalue())
    print(json.dumps({"wall": wall, "seconds": clocks.seconds}))


if __name__ == "__main__":
    main()
