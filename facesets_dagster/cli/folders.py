"""`facesets run --folder DIR`: folders taken as buckets where they lie."""

from collections.abc import Sequence
from pathlib import Path

from facesets_dagster.cli.program import say
from facesets_dagster.library.home import Home
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.photos.single_folders import add_single_folder
from facesets_dagster.settings import Settings


def taken_as_buckets(settings: Settings, folders: Sequence[Path]) -> list[str]:
    """The keys of these folders as buckets of the home, from now on. Raises `BucketError` for one that cannot be."""
    home, keys = Home.of(settings), list[str]()
    for folder in folders:
        before = home.buckets()
        key = add_single_folder(settings.folder_list, folder, before, settings.bucket_roots, settings.own_folders)
        keys.append(key)
        if key not in before:
            say(
                f"{folder} is the bucket {bucket_title(key)!r} from now on, where it lies; nothing is written there. "
                f"{settings.folder_list} lists such folders."
            )
    return keys
