"""Folders that a command may fill with files: none that the platform reads photos from, or keeps its own files in."""

from pathlib import Path

from facesets_dagster.errors import SettingsError
from facesets_dagster.library.home import Home
from facesets_dagster.settings import Settings


def require_outside(folder: Path, settings: Settings, otherwise: str = "") -> None:
    """Raises `SettingsError` for a folder in which copies would be read as photos or taken for the library's files.

    `otherwise`: what else a person could do.
    """
    by_hand = [settings.hand_sorted_root] if settings.hand_sorted_root else []
    read = [*settings.bucket_roots, *Home.of(settings).single_folders().values(), *settings.legacy_roots, *by_hand]
    for place in (*read, settings.home):
        if _lies_in(folder, place):
            raise SettingsError(
                f"{folder} lies in {place}, which this platform reads or keeps. Name a folder outside of it{otherwise}."
            )


def require_no_bucket(folder: Path, settings: Settings) -> None:
    """Raises `SettingsError` for a folder of a bucket: folders in it are no buckets."""
    if any(folder.expanduser().resolve() == root.resolve() for root in settings.bucket_roots):
        return
    for place in (*settings.bucket_roots, *Home.of(settings).single_folders().values()):
        if _lies_in(folder, place):
            raise SettingsError(
                f"{folder} lies in {place}: all that is written there would be part of a bucket. Expected a folder for "
                f"buckets: {settings.bucket_roots[0]}, or one elsewhere."
            )


def _lies_in(folder: Path, place: Path) -> bool:
    return folder.expanduser().resolve().is_relative_to(place.resolve())
