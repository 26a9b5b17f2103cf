"""Links from a page to files of the home: one address for the page on disk, one for the page beside the UI.

A page on disk has relative links, which work wherever the home lies; the web server puts the other address in their
place (`as_served`), because buckets may lie anywhere.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from facesets_dagster.photos.bucket_key import LEGACY
from facesets_dagster.photos.listing import unescape_path
from facesets_dagster.reports.markdown import FILES

_REVIEW = re.compile(r'<a hidden data-review="([^"]*)"')
_TWO_ADDRESSES = re.compile(r'(href|src)="[^"]*" data-served="([^"]*)"')


@dataclass(frozen=True)
class Link:
    """A file or folder of the home."""

    on_disk: str
    """Relative to the page; empty for a page that is only served."""
    served: str
    """From the root of the web server. Both are quoted, so that a template can write them as they are."""


def as_served(page: str, *, review: bool) -> str:
    """The page with the addresses of the web server; `review`: with its links to the review page, which a page on disk
    hides.
    """
    page = _TWO_ADDRESSES.sub(r'\1="\2"', page)
    return _REVIEW.sub(r'<a href="\1"', page) if review else page


def served(*parts: str, folder: bool = False) -> str:
    """The address of a file or folder beside the UI."""
    return "/".join([FILES, *(quote(os.fsencode(part), safe="") for part in parts)]) + ("/" if folder else "")


def review_page(name: str | None = None) -> str:
    """The address of the review page beside the UI: of one person, or of everybody."""
    return f"/review/people/{quote(name, safe='')}" if name else "/review/people"


_PAGES = {"review_queue": "queue", "merge_proposals": "queue", "doubtful_faces": "queue", "applied_rulings": "log"}
"""Asset -> page of the review on what it reports; of all others everybody."""


def review_page_of(asset: str) -> str:
    """The address of the page on what an asset reports."""
    return f"/review/{_PAGES.get(asset, 'people')}"


def on_disk(target: Path, page_folder: Path) -> str:
    """The relative address of a file or folder."""
    return quote(os.fsencode(os.path.relpath(target, page_folder)))


def faceset_link(name: str, library_dir: Path, page_folder: Path) -> Link:
    """A faceset's folder: a page beside the UI, a list of files on disk."""
    return Link(f"{on_disk(library_dir / name, page_folder)}/", served(library_dir.name, name, folder=True))


def bucket_link(bucket: str, folder: Path, page_folder: Path) -> Link:
    """A bucket's folder, likewise."""
    return Link(f"{on_disk(folder, page_folder)}/", served("buckets", bucket, folder=True))


@dataclass(frozen=True)
class PhotoLinks:
    """Links to photos, for a page."""

    folders: Mapping[str, Path]
    """Bucket -> its folder."""
    page_folder: Path | None
    """None for a page that is only served."""

    def of(self, photo: tuple[str, str] | None) -> Link | None:
        """`photo`: bucket and path in it. None for a bucket whose folder is not known, or is none that is served."""
        if photo is None or photo[0] not in self.folders or photo[0] == LEGACY:
            return None
        bucket, inside = photo[0], unescape_path(photo[1])
        here = "" if self.page_folder is None else on_disk(self.folders[bucket] / inside, self.page_folder)
        return Link(here, served("buckets", bucket, *inside.split("/")))
