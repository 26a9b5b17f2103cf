"""Which page a folder beside the UI gets: of a faceset, a library, a bucket, or a list of what is there."""

from pathlib import Path

from facesets_dagster.errors import BucketError
from facesets_dagster.library.home import Home
from facesets_dagster.library.library import Library, open_library
from facesets_dagster.photos.bucket_key import HAND_SORTED, bucket_title
from facesets_dagster.registry.registry import NOT_THEIRS
from facesets_dagster.reports.faceset_page import faceset_page
from facesets_dagster.reports.folder_page import folder_page
from facesets_dagster.reports.index import last_report
from facesets_dagster.reports.links import Link, PhotoLinks, review_page, served
from facesets_dagster.reports.people import Person, people_in
from facesets_dagster.settings import Settings


class Pages:
    """Makes pages of one home."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._has_review = settings.review != "off"

    def of(self, parts: list[str], root: Path, folder: Path) -> str:
        """The page of a folder; `parts`: of its address below `/files/`, `root`: of the reports, library or bucket.

        Raises `LibraryCorrupt` for a manifest that cannot be read.
        """
        if parts[0] == "buckets":
            return self._bucket(parts[1], root, folder)
        if parts[0] == "reports":
            return folder_page("/".join(parts), folder, links=[_ALL_RUNS])
        if folder == root:
            return folder_page(
                "People", folder, people=people_in(root), links=[_ALL_RUNS, *([_REVIEW] if self._has_review else [])]
            )
        library, photos = self._library(root), self._photos()
        found = faceset_page(folder, library, self._settings.reports_dir, photos, review=self._has_review)
        return found or folder_page(folder.name, folder, links=[("up", Link("", "../")), _ALL_RUNS])

    def _bucket(self, key: str, root: Path, folder: Path) -> str:
        links = [_ALL_RUNS]
        if folder != root:
            inside = "/".join(folder.relative_to(root).parts).encode("utf-8", "replace").decode()
            return folder_page(f"{bucket_title(key)}/{inside}", folder, links=[("up", Link("", "../")), *links])
        report = last_report(self._settings.reports_dir, key)
        if report is not None:
            links.append(("report of the last run", report))
        return folder_page(bucket_title(key), folder, people=self._people_of(key), links=links)

    def _people_of(self, bucket: str) -> list[Person]:
        """Those with a face in the bucket: whom it founded, then whom it only shows."""
        people = people_in(self._settings.library_dir, eras=False)
        own = [one for one in people if one.bucket == bucket]
        library = self._library(self._settings.library_dir)
        decided = library.registry.decisions(bucket)
        seen = set(decided.filter(~decided["state"].is_in(NOT_THEIRS))["identity"].drop_nulls())
        return own + [one for one in people if one.bucket != bucket and one.name in seen]

    def _library(self, folder: Path) -> Library:
        settings = self._settings
        if folder == settings.library_dir:
            return open_library(folder, settings.database_url, settings.legacy_roots)
        name = folder.name.removeprefix("facesets_swap_ready").lstrip("_")
        return open_library(folder, settings.registry_of(name or None))

    def _photos(self) -> PhotoLinks:
        return PhotoLinks(folders_of(self._settings), None)


def folders_of(settings: Settings) -> dict[str, Path]:
    """Bucket -> its folder, hand-sorted folders among them; none while the roots cannot be listed."""
    by_hand = {HAND_SORTED: settings.hand_sorted_root} if settings.hand_sorted_root else {}
    try:
        return {**Home.of(settings).buckets(), **by_hand}
    except BucketError:
        return dict(by_hand)


_REVIEW = ("review who is who", Link("", review_page()))
_ALL_RUNS = ("all runs, people and buckets", Link("", served("reports", "index.html")))
