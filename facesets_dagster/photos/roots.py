"""What lies in the buckets roots: buckets, folders that are none, and photos that belong to no bucket."""

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facesets_dagster.errors import BucketError
from facesets_dagster.photos.bucket_key import folder_name, partition_key
from facesets_dagster.photos.formats import is_photo_suffix, suffix_of
from facesets_dagster.photos.left_out import HOME, OWN, is_home, is_within, why_left_out
from facesets_dagster.photos.listing import escape_path
from facesets_dagster.wording import counted


@dataclass(frozen=True)
class RootContents:
    """One buckets root."""

    root: Path
    buckets: tuple[str, ...]
    """Names of the folders that are buckets, sorted."""
    left_out: tuple[tuple[str, str], ...]
    """Names of other folders, sorted, and what they are."""
    loose_photos: tuple[str, ...]
    """Names of photos that lie in the root itself, sorted: they belong to no bucket."""

    @property
    def advice(self) -> str:
        """The sentences about photos that belong to no bucket; empty where there is none."""
        if not self.loose_photos:
            return ""
        photos = counted(len(self.loose_photos), "photo lies", "photos lie")
        if not self.buckets:
            return (
                f"{photos} in {self.root} itself and no bucket is in it: it is a folder of photos, not a folder of "
                f"buckets. Take it as one bucket: `facesets run --folder {shlex.quote(str(self.root))}`. Or set "
                f"FACESETS_BUCKETS to a folder that holds a folder of photos for each bucket."
            )
        return (
            f"{photos} in {self.root} itself, beside {counted(len(self.buckets), 'bucket')}, e.g. "
            f"{self.loose_photos[0]}; what is in no bucket is not read. Move such photos into a folder there."
        )


def look_at_root(root: Path, own: Sequence[Path] = ()) -> RootContents:
    """Reads one folder, not those in it; `own`: folders that the platform writes to.

    Raises `BucketError` if the root cannot be listed: an unmounted disk must not look like an empty root.
    """
    try:
        with os.scandir(root) as entries:
            shown = [entry for entry in entries if not entry.name.startswith(".")]
            folders = sorted(entry.name for entry in shown if entry.is_dir())
            files = sorted(entry.name for entry in shown if entry.is_file())
    except OSError as error:
        raise BucketError(
            f"The buckets root {root} cannot be listed ({error.strerror or error}). Expected a readable folder of "
            "bucket folders. Mount it, fix its permissions, or change FACESETS_BUCKETS."
        ) from error
    out = {name: why for name in folders if (why := _why_no_bucket(root, name, own))}
    photos = [escape_path(name) for name in files if is_photo_suffix(suffix_of(name))]
    return RootContents(
        root, tuple(name for name in folders if name not in out), tuple(sorted(out.items())), tuple(photos)
    )


def find_buckets(roots: Sequence[Path], own: Sequence[Path] = ()) -> dict[str, Path]:
    """Partition key -> folder for every bucket folder of all roots, in key order; `own` as in `look_at_root`.

    Of two folders of one name the one in the first root; `bucket_folder` refuses to read either, and all others are
    read. Raises `BucketError` if a root cannot be listed.
    """
    found: dict[str, Path] = {}
    for root in roots:
        for name in look_at_root(root, own).buckets:
            found.setdefault(partition_key(name), root / name)
    return dict(sorted(found.items()))


def bucket_folder(key: str, roots: Sequence[Path]) -> Path:
    """The folder of a bucket. Raises `BucketError` if the key is not valid or no root holds it."""
    name = folder_name(key)
    candidates = [root / name for root in roots if (root / name).is_dir()]
    if not candidates:
        looked = ", ".join(str(root) for root in roots)
        raise BucketError(
            f"The bucket {name!r} has no folder under {looked}. It may have been renamed or its disk is not "
            "mounted. Nothing was changed: an absent folder is never taken for an empty bucket."
        )
    return the_only(candidates)


def the_only(folders: Sequence[Path]) -> Path:
    """The folder of a bucket. Raises `BucketError` if several have its name."""
    if len(folders) > 1:
        raise BucketError(
            f"{len(folders)} buckets are called {folders[0].name!r}: {' and '.join(map(str, folders))}. Names of "
            "buckets are partition keys and must differ: rename one of the folders. None of them was read."
        )
    return folders[0]


def existing_folder(folder: Path) -> Path:
    """The folder itself. Raises `BucketError` if it is not there."""
    if not folder.is_dir():
        raise BucketError(
            f"The bucket {folder.name!r} has no folder {folder}. It may have been renamed or its disk is not mounted. "
            "Nothing was changed: an absent folder is never taken for an empty bucket."
        )
    return folder


def hand_sorted_folder(root: Path) -> Path:
    """The root of the hand-sorted folders. Raises `BucketError` if it is not there."""
    if not root.is_dir():
        raise BucketError(
            f"The root of the hand-sorted folders, {root}, is not a folder. Mount it, or change FACESETS_HAND_SORTED. "
            "Nothing was changed: an absent folder is never taken for an empty one."
        )
    return root


def folders_by_hand(root: Path) -> list[str]:
    """Names of the folders of the root, as the paths of photos in them begin; with photos or without."""
    with os.scandir(hand_sorted_folder(root)) as entries:
        names = [entry.name for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
    return sorted(escape_path(name) for name in names if why_left_out(name) is None)


def _why_no_bucket(root: Path, name: str, own: Sequence[Path]) -> str | None:
    """What a folder in a root is if it is no bucket. The default root lies in the home, and holds buckets."""
    folder = root / name
    if is_within(folder, [place for place in own if not is_within(root, [place])]):
        return OWN
    return HOME if is_home(folder) else why_left_out(name)
