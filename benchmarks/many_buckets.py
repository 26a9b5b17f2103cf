"""Many small buckets: `facesets run` in one go against a process for each, as the sensor and a backfill run them.

Ten photos a bucket, all different (the labelled portraits, encoded again with another quality). Dagster's share is what
a run takes beside the seconds that `face_cache` and `swap_ready_facesets` name in their metadata.
"""

import io
import shutil
import tempfile
import time
from pathlib import Path

from PIL import Image

from benchmarks.homes import SHARED, RealHome
from benchmarks.results_file import Row

PHOTOS, SINGLE = 10, 5


def measure_many_buckets(pack: str, models_root: Path, buckets: int) -> list[Row]:
    """Seconds per bucket in one go, and one process per bucket for five of them."""
    with tempfile.TemporaryDirectory() as scratch:
        together = _home(Path(scratch) / "together", pack, models_root)
        apart = _home(Path(scratch) / "apart", pack, models_root)
        names = write_buckets(together.folder / "buckets", buckets)
        for name in names[:SINGLE]:
            shutil.copytree(together.folder / "buckets" / name, apart.folder / "buckets" / name)
        started = time.perf_counter()
        together.facesets("run")
        in_one_go = (time.perf_counter() - started) / buckets
        started = time.perf_counter()
        for name in names[:SINGLE]:
            apart.facesets("run", name)
        one_by_one = (time.perf_counter() - started) / SINGLE
        started = time.perf_counter()
        together.facesets("run")
        again = time.perf_counter() - started
        together.facesets("verify")
    return [
        Row(f"{buckets} buckets of {PHOTOS} photos in one go", in_one_go, "s per bucket", "a process per bucket",
            one_by_one, one_by_one / in_one_go, note="the models are opened once, against once for each bucket"),
        Row("the same buckets again, nothing new", again, "s", note="in all; most of it is Python starting"),
    ]  # fmt: skip


def write_buckets(root: Path, buckets: int) -> list[str]:
    """Names of buckets with ten photos each; no two photos have the same bytes."""
    photos = sorted(path for path in (SHARED / "data" / "labelled").rglob("*") if path.suffix.lower() == ".jpg")
    names = [f"bucket {number:04d}" for number in range(buckets)]
    for number in range(buckets * PHOTOS):
        place = root / names[number // PHOTOS] / f"{number:05d}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(changed_photo(photos[number % len(photos)], number // len(photos)))
    return names


def changed_photo(photo: Path, variant: int) -> bytes:
    """The photo encoded again; each variant is a little darker than the one before and has other bytes."""
    stream = io.BytesIO()
    with Image.open(photo) as picture:
        shade = 1 - 0.004 * (variant % 50)
        picture.convert("RGB").point(lambda value: round(value * shade)).save(
            stream, "JPEG", quality=95 - variant // 50, comment=f"variant {variant}".encode()
        )
    return stream.getvalue()


def _home(folder: Path, pack: str, models_root: Path) -> RealHome:
    home = RealHome(folder, pack, models_root)
    home.facesets("init")
    return home
