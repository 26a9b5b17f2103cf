"""Folders that are buckets where they lie, beside those of the buckets roots: a list that a home keeps.

    bucket_folders.json     {"schema_version": 1, "folders": ["/photos/2019", ...]}

Read at every call, so that a server that runs knows a new one at once. The folders themselves are never written to.
"""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from facesets_dagster.errors import BucketError, SettingsError
from facesets_dagster.files.parsing import parse_json
from facesets_dagster.files.writing import write_json
from facesets_dagster.photos.bucket_key import partition_key

SCHEMA_VERSION = 1


def single_folders(record: Path) -> dict[str, Path]:
    """Partition key -> folder, in the order in which they were taken; one that is not there now too.

    Raises `SettingsError` if the list cannot be read.
    """
    try:
        value = parse_json(record.read_text(encoding="utf-8"))
        if value["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"schema_version {value['schema_version']}, expected {SCHEMA_VERSION}")
        folders = [Path(folder) for folder in value["folders"]]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"The list of bucket folders {record} cannot be read ({error}). Restore it, or remove it and give the "
            "folders again: `facesets run --folder DIR`."
        ) from error
    return {partition_key(folder.name): folder for folder in folders}


def add_single_folder(
    record: Path, folder: Path, buckets: Mapping[str, Path], roots: Sequence[Path], own: Sequence[Path]
) -> str:
    """Takes a folder as a bucket and gives its key; one that is a bucket already stays as it is.

    `buckets`: those of the home, `own`: folders that the platform writes to. Raises `BucketError` for a folder that
    cannot be one: its photos would be read twice, or the platform's own files as photos.
    """
    folder = folder.expanduser().absolute().resolve()
    if not folder.is_dir():
        raise BucketError(f"{folder} is no folder. Expected one with photos.")
    for key, known in buckets.items():
        if known.exists() and known.samefile(folder):
            return key
    _require_apart(folder, buckets, roots, own)
    _require_no_root(folder, buckets, roots)
    key = partition_key(folder.name)
    if key in buckets:
        raise BucketError(
            f"{buckets[key]} is a bucket called {folder.name!r} already, and two cannot have one name. Rename one of "
            "the folders. Nothing was changed."
        )
    folders = [*single_folders(record).values(), folder]
    write_json(record, {"schema_version": SCHEMA_VERSION, "folders": [str(one) for one in folders]})
    return key


def _require_apart(folder: Path, buckets: Mapping[str, Path], roots: Sequence[Path], own: Sequence[Path]) -> None:
    """The default root lies in the home, and may be a folder of photos itself."""
    for known in buckets.values():
        if folder.is_relative_to(known.resolve()):
            raise BucketError(f"{folder} lies in the bucket {known}, which is run with all its folders. Run that one.")
    is_root = folder in [root.resolve() for root in roots]
    for place in (one.resolve() for one in own):
        if place.is_relative_to(folder) or (folder.is_relative_to(place) and not is_root):
            raise BucketError(
                f"{folder} is, holds or lies in {place}, which this platform writes to. Name another folder."
            )


def _require_no_root(folder: Path, buckets: Mapping[str, Path], roots: Sequence[Path]) -> None:
    inside = [known for known in buckets.values() if known.resolve().is_relative_to(folder)]
    if inside:
        loose = " Photos that lie loose there: move them into a folder of their own." if folder in roots else ""
        raise BucketError(
            f"{folder} holds {inside[0]}, which is a bucket: its photos would be read twice. Run the buckets in it: "
            f"`facesets run {shlex.quote(inside[0].name)}`.{loose}"
        )
