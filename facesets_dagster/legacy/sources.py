"""Where the photo that a legacy path names is now: in one of our buckets, elsewhere on disk, or nowhere."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from facesets_dagster.photos.bucket_key import LEGACY
from facesets_dagster.photos.file_time import kept_time
from facesets_dagster.photos.listing import PhotoFile, escape_path


@dataclass(frozen=True, order=True)
class BucketPath:
    """A path inside a bucket; the pseudo bucket `LEGACY` begins at `/`."""

    bucket: str
    path: str
    """Relative to the bucket, escaped as in `photos.listing`."""


class SourcePaths:
    """Every path under which a legacy photo may be found."""

    def __init__(self, prefixes: Mapping[str, str], aliases: Mapping[str, str]) -> None:
        """`prefixes`: old beginning -> new one; `aliases`: path -> path whose bytes it shares."""
        self._prefixes = sorted(prefixes.items(), key=lambda pair: (-len(pair[0]), pair[0]))
        self._canonical = dict(aliases)
        self._copies: dict[str, list[str]] = {}
        for alias, path in sorted(aliases.items()):
            self._copies.setdefault(path, []).append(alias)

    def candidates(self, source: str) -> list[str]:
        """The path itself, as it lies now, then its byte copies."""
        canonical = self._canonical.get(source, source)
        copies = [source, canonical, *self._copies.get(canonical, ())]
        return list(dict.fromkeys(self.moved(path) for path in copies))

    def key(self, source: str) -> str:
        """One path for all byte copies."""
        return self._canonical.get(source, source)

    def moved(self, path: str) -> str:
        """The path under its new beginning, longest prefix first; Windows separators of a replaced one turned."""
        for old, new in self._prefixes:
            if path.startswith(old):
                rest = path[len(old) :]
                return os.path.normpath(new + (rest.replace("\\", "/") if "\\" in old else rest))
        return os.path.normpath(path)


class BucketFolders:
    """Returns the bucket in which a path lies, through symbolic links too."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._bucket_of: dict[str, str] = {}
        for bucket, folder in sorted(folders.items()):
            if bucket != LEGACY:
                self._bucket_of.setdefault(os.path.realpath(folder), bucket)
                self._bucket_of.setdefault(os.path.normpath(folder), bucket)

    def locate(self, path: str) -> BucketPath:
        """The bucket that holds this absolute path; `LEGACY` if none does."""
        for spelled in dict.fromkeys((path, os.path.realpath(path))):
            for parent in PurePath(spelled).parents:
                bucket = self._bucket_of.get(str(parent))
                if bucket is not None:
                    return BucketPath(bucket, escape_path(PurePath(spelled).relative_to(parent).as_posix()))
        return BucketPath(LEGACY, escape_path(path.lstrip("/")))


def photo_files(folder: Path, paths: Iterable[str]) -> tuple[PhotoFile, ...]:
    """The files at these escaped paths below `folder` that are there now, as a listing has them."""
    found = []
    for path in sorted(set(paths)):
        file = PhotoFile(path, 0, 0, 0, 0)
        try:
            status = os.stat(folder / file.os_path)
        except OSError:
            continue  # gone since it was looked for
        found.append(PhotoFile(path, status.st_size, kept_time(status.st_mtime_ns), status.st_ino, status.st_ctime_ns))
    return tuple(found)
