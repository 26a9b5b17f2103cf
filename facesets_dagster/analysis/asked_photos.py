"""Photos by what somebody typed: a file (also a copy in another place: the bytes count), BUCKET/PATH, or a face_id.

Names are compared as people see them, so that a composed letter finds a decomposed one on the disk.
"""

import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from facesets_dagster.analysis.explanation import contents_of, is_face_id
from facesets_dagster.errors import BucketError
from facesets_dagster.faces.store import CacheTables
from facesets_dagster.files.writing import sha256_of
from facesets_dagster.library.home import Home
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.photos.listing import escape_path


@dataclass(frozen=True)
class AskedPhotos:
    """What is meant in one bucket."""

    bucket: str
    tables: CacheTables
    contents: pl.Series
    """sha256 of the contents that are meant; may be empty."""
    path: str | None
    """The path in the bucket that is meant, if one is."""


def asked_photos(home: Home, target: str) -> list[AskedPhotos]:
    """Buckets in which the target means something. Raises `BucketError` if there is none."""
    folders = home.folders()
    face_id = target if is_face_id(target) else None
    given = Path(target).expanduser()
    file = given.absolute() if face_id is None and given.is_file() else None
    sha256 = sha256_of(file) if file else None
    places, found = _places(file, target, folders), list[AskedPhotos]()
    for bucket in sorted(folders.keys() | {run.bucket for run in home.library().registry.bucket_runs()}):
        tables = home.cached(bucket).read()
        path = _as_on_disk(places.get(bucket), tables)
        contents = contents_of(tables, sha256=sha256, path=path, face_id=face_id)
        if len(contents) or _is_unread(path, tables):
            found.append(AskedPhotos(bucket, tables, contents, path))
    if not found:
        raise BucketError(_unknown(target, folders, places))
    return found


def _places(file: Path | None, target: str, folders: Mapping[str, Path]) -> dict[str, str]:
    """Bucket -> path inside it, for what the target may mean."""
    places: dict[str, str] = {}
    for bucket, folder in folders.items():
        if file is not None and file.is_relative_to(folder.absolute()):
            places[bucket] = escape_path(file.relative_to(folder.absolute()).as_posix())
        for name in (bucket_title(bucket), bucket):
            if file is None and _composed(target).startswith(f"{_composed(name)}/"):
                places[bucket] = _composed(target).removeprefix(f"{_composed(name)}/")
    return places


def _as_on_disk(path: str | None, tables: CacheTables) -> str | None:
    """The path as the bucket's tables spell it; as it was given if they have none that looks the same."""
    known = [tables.files["path"], tables.faces["path"]] if path is not None else []
    if path is None or any(path in column for column in known):
        return path
    same = [one for column in known for one in column if _composed(one) == _composed(path)]
    return same[0] if same else path


def _is_unread(path: str | None, tables: CacheTables) -> bool:
    return path is not None and path in tables.files.filter(pl.col("sha256").is_null())["path"]


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _unknown(target: str, folders: Collection[str], places: Collection[str]) -> str:
    later = "If it was added after the last run, run `facesets run` first."
    if places:
        return f"No run has seen {target!r} in {', '.join(map(bucket_title, places))}. {later}"
    here = ", ".join(sorted(map(bucket_title, folders))) or "none"
    return (
        f"{target!r} is unknown. Expected a photo of a bucket that was run, as a file or as BUCKET/PATH, or a face_id "
        f"(0123456789abcdef-0500-0500). {later} Buckets here: {here}."
    )
