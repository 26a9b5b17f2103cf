"""The people of a library as its `manifest.json` lists them, each with a face."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path
from typing import overload

from facesets_dagster.errors import BucketError
from facesets_dagster.files.writing import write_bytes
from facesets_dagster.library.numbering import faceset_folder
from facesets_dagster.library.top_manifest import Entry, read_top_manifest
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.reports.contact_sheet import SheetRow, Tile, rows_of
from facesets_dagster.reports.links import Link, on_disk, served
from facesets_dagster.reports.thumbnails import of_file
from facesets_dagster.wording import counted

KINDS = {
    "discovered": "found in photos of a bucket",
    "auto": "found over all buckets",
    "hand_sorted": "sorted by hand",
    "era": "era",
    "thin_era": "era with few faces",
}
"""Kind of an identity -> what people read."""
BEST_FACE = "faces/0001.png"
MAX_IN_SHEET = 96
LOOKED_FOR = 1_000


@dataclass(frozen=True)
class Person:
    """A faceset of a library."""

    name: str
    label: str | None
    kind: str
    bucket: str
    """The key of the bucket that founded it."""
    parent: str | None
    exported: int
    members: int
    library_dir: Path
    page_folder: Path | None
    """Where the page lies that links lead from; None for one that is only served."""

    @cached_property
    def page(self) -> Link:
        """Its folder. Links are made for those that are shown: a library has tens of thousands of people."""
        return self._link(self._place, folder=True)

    @cached_property
    def picture(self) -> Link | None:
        """Its best face; None where its files lie elsewhere (adopted from a legacy library)."""
        path = f"{self._place}/{BEST_FACE}"
        return self._link(path) if (self.library_dir / path).is_file() else None

    @property
    def title(self) -> str:
        """What a person calls it."""
        return self.label or self.name

    @property
    def origin(self) -> str:
        """The bucket as people call it."""
        return title_of(self.bucket)

    @property
    def kind_in_words(self) -> str:
        """Where it comes from."""
        return KINDS.get(self.kind, self.kind)

    @property
    def _place(self) -> str:
        return faceset_folder(self.name, self.kind)

    def _link(self, path: str, *, folder: bool = False) -> Link:
        library, page_folder = self.library_dir, self.page_folder
        here = "" if page_folder is None else on_disk(library / path, page_folder) + ("/" if folder else "")
        return Link(here, served(library.name, *path.split("/"), folder=folder) + ("" if folder else "?small"))


@lru_cache(maxsize=10_000)
def title_of(bucket: str) -> str:
    """A bucket as people call it; a key that is not valid stays as it is."""
    try:
        return bucket_title(bucket)
    except BucketError:
        return bucket


class People(Sequence[Person]):
    """Facesets of a library. A person is made when asked for: a library has tens of thousands, a page shows some."""

    def __init__(
        self, facesets: Sequence[Entry], thin: Sequence[Entry], library_dir: Path, page_folder: Path | None
    ) -> None:
        """`facesets`, then `thin`, eras with few faces: entries of the manifest."""
        self._facesets, self._thin, self._folders = facesets, thin, (library_dir, page_folder)

    def __len__(self) -> int:
        return len(self._facesets) + len(self._thin)

    @overload
    def __getitem__(self, index: int) -> Person: ...
    @overload
    def __getitem__(self, index: slice) -> list[Person]: ...
    def __getitem__(self, index: int | slice) -> Person | list[Person]:
        if isinstance(index, slice):
            return [self[place] for place in range(len(self))[index]]
        place, before = range(len(self))[index], len(self._facesets)
        if place < before:
            return _person(self._facesets[place][0], *self._folders, thin=False)
        return _person(self._thin[place - before][0], *self._folders, thin=True)


def people_in(library_dir: Path, page_folder: Path | None = None, *, eras: bool = True) -> People:
    """All facesets of the manifest, then the eras with few faces. Raises `LibraryCorrupt`.

    `page_folder`: of a page on disk; None for a page that is only served. `eras`: those with a parent too.
    """
    entries = read_top_manifest(library_dir).entries
    facesets, thin = (
        found if eras else [entry for entry in found if not entry[0].get("parent")]
        for found in (entries["facesets"], entries["thin_eras"])
    )
    return People(facesets, thin, library_dir, page_folder)


def people_sheet(people: Sequence[Person], library_dir: Path, cache: Path) -> list[SheetRow]:
    """One face of each, eight in a row, with the name below; at most `MAX_IN_SHEET`.

    Only the first `LOOKED_FOR` are asked for a picture: those of an adopted library may all lie elsewhere.
    """
    shown = (person for person in people[:LOOKED_FOR] if person.picture is not None)
    tiles = [
        Tile(jpeg, person.title)
        for person in islice(shown, MAX_IN_SHEET)
        if (jpeg := _best_face(library_dir / faceset_folder(person.name, person.kind) / BEST_FACE, cache)) is not None
    ]
    rows = rows_of(tiles)
    if rows:
        of = f"{len(tiles)} of " if len(tiles) < len(people) else ""
        rows[0] = replace(rows[0], title=f"{of}{counted(len(people), 'person', 'people')}")
    return rows


def _best_face(picture: Path, cache: Path) -> bytes | None:
    """A small JPEG, kept by the state of the PNG: a library of thousands is shown after every run."""
    state = picture.stat()
    key = hashlib.sha256(f"{picture}\0{state.st_mtime_ns}\0{state.st_size}".encode()).hexdigest()[:32]
    kept = cache / "thumbnails" / "people" / f"{key}.jpg"
    if kept.exists():
        return kept.read_bytes()
    jpeg = of_file(picture)
    if jpeg is not None:
        write_bytes(kept, jpeg)
    return jpeg


def _person(entry: Mapping[str, object], library_dir: Path, page_folder: Path | None, *, thin: bool) -> Person:
    label, parent = entry.get("label"), entry.get("parent")
    return Person(
        name=str(entry.get("name", "")),
        label=str(label) if label else None,
        kind="thin_era" if thin else str(entry.get("kind", "")),
        bucket=str(entry.get("bucket") or ""),
        parent=str(parent) if parent else None,
        exported=_number(entry.get("exported")),
        members=_number(entry.get("input")),
        library_dir=library_dir,
        page_folder=page_folder,
    )


def _number(value: object) -> int:
    """What a legacy manifest says may be anything."""
    return value if isinstance(value, int) else 0
