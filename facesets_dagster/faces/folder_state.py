"""The state of a bucket's folder that a scan has brought the cache up to, for which the bucket is not run again.

A file that was gone while the scan read (its disk was unmounted, its folder renamed) is not part of it: when the same
disk comes back, with the same files and times, the bucket has news. A file that is refused for good (no right to read
it, a broken sector) is part of it: the bucket has news when that file is changed.
"""

import errno
import os

import polars as pl

from facesets_dagster.photos.listing import BucketListing, unescape_path

_GONE = [
    os.strerror(number)
    for number in (errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.ENOTCONN, errno.ENODEV, errno.ENXIO)
]
"""As `PhotoError` says it of a file that could not be opened."""


def state_as_read(listing: BucketListing, files: pl.DataFrame) -> str:
    """The digest of the listing without the files that were gone. `files`: rows (`FILE_SCHEMA`) of the cache now."""
    unread = files.filter(pl.col("status").is_in(["unreadable_file", "changing"]))
    folder, names = os.fspath(listing.folder), dict[str, set[str]]()
    return listing.without(
        [
            path
            for path, status, detail in unread.select("path", "status", "detail").iter_rows()
            if status == "changing" or _was_gone(os.path.join(folder, unescape_path(path)), detail or "", names)
        ]
    ).digest()


def _was_gone(path: str, detail: str, names: dict[str, set[str]]) -> bool:
    """Whether it is not listed any more, or was not there when it was opened and is now.

    `names`: folder -> what lies in it now; filled here. What is listed and cannot be opened now either stays refused.
    """
    parent, name = os.path.split(path)
    if parent not in names:
        try:
            names[parent] = set(os.listdir(parent))
        except OSError:
            names[parent] = set()
    if name not in names[parent]:
        return True
    return detail in _GONE and os.access(path, os.R_OK)
