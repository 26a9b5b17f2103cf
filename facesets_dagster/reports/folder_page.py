"""The page of a folder beside the UI: its people, its photos as small pictures, its other files as links.

Made when it is asked for; only served, never written.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from facesets_dagster.photos.formats import is_photo_suffix, suffix_of
from facesets_dagster.reports.links import Link
from facesets_dagster.reports.people import Person
from facesets_dagster.reports.template import template

MAX_LISTED = 1000


@dataclass(frozen=True)
class Entry:
    """A file or folder."""

    name: str
    link: Link
    small: Link | None
    """Of a photo."""


def folder_page(
    title: str, folder: Path, *, people: Sequence[Person] = (), links: Sequence[tuple[str, Link]] = ()
) -> str:
    """The page. `people`: shown above the files; `links`: words and where they lead, at the top."""
    with os.scandir(folder) as entries:
        found = sorted((not entry.is_dir(), entry.name) for entry in entries if not entry.name.startswith("."))
    shown = [_entry(name, is_file=is_file) for is_file, name in found[:MAX_LISTED]]
    content = {
        "title": title,
        "people": people,
        "links": links,
        "photos": [entry for entry in shown if entry.small is not None],
        "others": [entry for entry in shown if entry.small is None],
        "more": len(found) - len(shown),
    }
    return str(template("folder.html").render(content))


def _entry(name: str, *, is_file: bool) -> Entry:
    address = quote(os.fsencode(name), safe="") + ("" if is_file else "/")
    text = name.encode("utf-8", "replace").decode() + ("" if is_file else "/")
    small = Link("", f"{address}?small") if is_file and is_photo_suffix(suffix_of(name)) else None
    return Entry(text, Link("", address), small)
