"""The people of a library as its `manifest.json` lists them, each with a face."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from facesets_dagster.errors import BucketError
from facesets_dagster.files.writing import write_bytes
from facesets_dagster.library.numbering import faceset_folder
from facesets_dagster.library.top_manifest import read_top_manifest
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
    page: Link
    picture: Link | None
    """Of its best face; None where its files lie elsewhere (adopted from a legacy library)."""

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


def title_of(bucket: str) -> str:
    """A bucket as people call it; a key that is not valid stays as it is."""
    try:
        return bucket_title(bucket)
    except BucketError:
        return bucket


def people_in(library_dir: Path, page_folder: Path | None = None) -> list[Person]:
    """All facesets of the manifest, then the eras with few faces. Raises `LibraryCorrupt`.

    `page_folder`: of a page on disk; None for a page that is only served.
    """
    manifest = read_top_manifest(library_dir)
    listed = [(entry, key) for key in ("facesets", "thin_eras") for entry in manifest.listed(key)]
    return [_person(entry, library_dir, page_folder, thin=key == "thin_eras") for entry, key in listed]


def people_sheet(people: Sequence[Person], library_dir: Path, cache: Path) -> list[SheetRow]:
    """One face of each, eight in a row, with the name below; at most `MAX_IN_SHEET`."""
    tiles = [
        Tile(jpeg, person.title)
        for person in [one for one in people if one.picture is not None][:MAX_IN_SHEET]
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
    name, kind = str(entry.get("name", "")), "thin_era" if thin else str(entry.get("kind", ""))
    place = faceset_folder(name, kind)
    picture = library_dir / place / BEST_FACE
    label, parent = entry.get("label"), entry.get("parent")

    def link(path: str, *, folder: bool = False) -> Link:
        here = "" if page_folder is None else on_disk(library_dir / path, page_folder) + ("/" if folder else "")
        return Link(here, served(library_dir.name, *path.split("/"), folder=folder) + ("" if folder else "?small"))

    return Person(
        name=name,
        label=str(label) if label else None,
        kind=kind,
        bucket=str(entry.get("bucket") or ""),
        parent=str(parent) if parent else None,
        exported=_number(entry.get("exported")),
        members=_number(entry.get("input")),
        page=link(place, folder=True),
        picture=link(f"{place}/{BEST_FACE}") if picture.is_file() else None,
    )


def _number(value: object) -> int:
    """What a legacy manifest says may be anything."""
    return value if isinstance(value, int) else 0
