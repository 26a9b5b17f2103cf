"""Dates of the contents of buckets: EXIF texts read once and kept, names judged again each time.

    cache/photo_dates.parquet      schema version 1: `sha256`, `taken` (EXIF `DateTimeOriginal` as it stands, or null)

Run-independent and of no model; may be deleted, then headers are read again. A photo that is not at hand now is not
entered, so that it is asked again.
"""

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import polars as pl

from facesets_dagster.errors import PhotoError
from facesets_dagster.faces.store import FaceStore
from facesets_dagster.files.writing import remove_leftovers, write_parquet
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.photos.dates import PhotoDate, counter_shapes, date_photo, today_at_least
from facesets_dagster.photos.listing import unescape_path
from facesets_dagster.photos.workers.decoders import photo_decoders
from facesets_dagster.photos.workers.opened_file import FileState

SCHEMA_VERSION = "1"
TAKEN_SCHEMA = pl.Schema({"sha256": pl.String, "taken": pl.String})


def date_contents(
    rows: pl.DataFrame,
    store_of: Callable[[str], FaceStore],
    folders: Mapping[str, Path],
    cache_dir: Path,
    *,
    max_pixels: int,
    today: date,
    say: Callable[[str], None],
) -> dict[str, PhotoDate]:
    """Content digest -> date, for the photos of these rows of the face table.

    `folders`: bucket -> where its photos lie; of a bucket without one only names speak.
    """
    taken, found = _read_cache(cache_dir, say), dict[str, PhotoDate]()
    known = len(taken)
    for (bucket,), group in rows.sort("bucket").group_by("bucket", maintain_order=True):
        files = store_of(str(bucket)).columns("files")
        wanted = set(group["sha256"])
        if str(bucket) in folders:
            taken.update(_read_headers(files, wanted - taken.keys(), folders[str(bucket)], max_pixels))
        counters = counter_shapes([_place(str(bucket), path) for path in files["path"]], today)
        for sha256, path, aliases in (
            group.unique("sha256", keep="first").select("sha256", "path", "aliases").iter_rows()
        ):
            places = [_place(str(bucket), name) for name in (path, *aliases)]
            found.setdefault(sha256, date_photo(taken.get(sha256), places, counters, today))
    if len(taken) > known:
        say(f"dates read from the headers of {len(taken) - known} photos")
        table = pl.DataFrame({"sha256": list(taken), "taken": list(taken.values())}, schema=TAKEN_SCHEMA)
        write_parquet(_cache_path(cache_dir), table.sort("sha256"), {"schema_version": SCHEMA_VERSION})
    return found


def years_on_record(rows: pl.DataFrame, store_of: Callable[[str], FaceStore], cache_dir: Path) -> dict[str, int]:
    """Content digest -> year, of those photos of these rows whose date is on record or in their names; opens none."""
    dates = date_contents(rows, store_of, {}, cache_dir, max_pixels=1, today=today_at_least(), say=lambda _: None)
    return {sha256: found.year for sha256, found in dates.items() if found.year is not None}


def _place(bucket: str, path: str) -> str:
    """The path with the bucket's own folder, whose name may be a date too; what is no bucket has none."""
    return path if bucket.startswith("@") else f"{bucket_title(bucket)}/{path}"


def _read_headers(files: pl.DataFrame, wanted: set[str], folder: Path, max_pixels: int) -> dict[str, str | None]:
    """Content -> EXIF text, of files that still are what the file table (`FILE_SCHEMA`) says."""
    found: dict[str, str | None] = {}
    rows = files.filter(pl.col("sha256").is_in(list(wanted))).sort("path")
    for sha256, path, size, mtime_ns in rows.select("sha256", "path", "size", "mtime_ns").iter_rows():
        if sha256 in found:
            continue
        try:
            state = FileState(size, mtime_ns, inode=None)
            found[sha256] = photo_decoders().taken(folder / unescape_path(path), state, max_pixels)
        except PhotoError as error:
            if error.reason == "crashed":
                found[sha256] = None
            continue  # Gone or not readable now; another path may hold the same bytes, or a later run finds it.
    return found


def _cache_path(cache_dir: Path) -> Path:
    return cache_dir / "photo_dates.parquet"


def _read_cache(cache_dir: Path, say: Callable[[str], None]) -> dict[str, str | None]:
    path = _cache_path(cache_dir)
    remove_leftovers(cache_dir)
    if not path.exists():
        return {}
    try:
        if pl.read_parquet_metadata(path).get("schema_version") == SCHEMA_VERSION:
            return dict(pl.read_parquet(path).select(TAKEN_SCHEMA.names()).iter_rows())
        why = "another schema version"
    except (pl.exceptions.PolarsError, OSError) as error:
        why = str(error)
    say(f"{path} is not used ({why}); the headers of the photos are read again")
    return {}
