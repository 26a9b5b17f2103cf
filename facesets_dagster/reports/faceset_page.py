"""The page of a faceset: its best picture, the ranked faces, the members that are not exported and why, the files.

Made when it is asked for, of the faceset's own files and the registry; only served, never written.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import polars as pl

from facesets_dagster.analysis.explanation import reason
from facesets_dagster.analysis.rulings_on import RulingOn, rulings_on
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.faceset_manifest import ExcludedFace, ExportedFace, FacesetManifest, read_faceset
from facesets_dagster.library.library import Library
from facesets_dagster.reports.funnel import meaning_of, value_in_words
from facesets_dagster.reports.links import Link, PhotoLinks, review_page, served
from facesets_dagster.reports.people import KINDS, title_of
from facesets_dagster.reports.template import template
from facesets_dagster.reports.units import RANK

PICTURE_OF_MEMBER = "members"
"""Folder in the address of a small picture of a member that is not exported: `members/<face_id>.jpg`."""
_FILES = {
    ".fsz": "all pictures, for roop-unleashed",
    "_top.fsz": "the best of them, for roop-unleashed",
    ".npz": "embeddings and their mean, for NumPy",
    "members.parquet": "all members with box, quality and how each joined",
    "manifest.json": "everything above, as JSON",
}
"""End of a file's name -> what it is."""


@dataclass(frozen=True)
class Download:
    """A file of the faceset."""

    name: str
    what: str
    size: str
    link: Link


@dataclass(frozen=True)
class ShownFace:
    """An exported face on the page."""

    face: ExportedFace
    picture: Link
    small: Link
    photo: Link | None
    bucket: str
    ruled: str = ""
    """The ruling that put it here; empty if none did."""


@dataclass(frozen=True)
class MissingFace:
    """A member that is not exported."""

    face_id: str
    state: str
    meaning: str
    value: str
    threshold: str
    why: str
    path: str
    photo: Link | None
    picture: Link
    ruled: str = ""
    """As of `ShownFace`."""


@dataclass(frozen=True)
class FacesetView:
    """Everything that the page shows."""

    name: str
    label: str | None
    kind: str
    state: str
    """`live`, or why it is out of use."""
    bucket: str
    bucket_page: Link | None
    reports: Sequence[tuple[str, Link]]
    relatives: Sequence[tuple[str, str, Link]]
    """What it is to this faceset, its name, its page."""
    manifest: FacesetManifest
    faces: Sequence[ShownFace]
    missing: Sequence[MissingFace]
    rulings: Sequence[RulingOn]
    """Those in force that speak of the person."""
    photos: Sequence[tuple[str, str, Link | None, str]]
    """Bucket, path, link, and what was taken of it; every photo of a member once."""
    files: Sequence[Download]

    @property
    def title(self) -> str:
        """What people call it."""
        return self.label or self.name

    @property
    def filled(self) -> int:
        """How many of the faces fill the faceset up."""
        return sum(one.face.filled for one in self.faces)

    @property
    def why_filled(self) -> str:
        """What they miss."""
        gate = self.manifest.smallest_strict()
        return "smaller than the export gate" + ("" if gate is None else f" of {gate:.4g} px")


def faceset_page(
    folder: Path, library: Library, reports_dir: Path, photos: PhotoLinks, *, review: bool = True
) -> str | None:
    """The page of the faceset in `folder`; None where no faceset of this platform lies there.

    `review`: with a link to the review page.

    Raises `LibraryCorrupt` for a manifest that cannot be read.
    """
    manifest = read_faceset(folder)
    if manifest is None:
        return None
    view = _view(folder, manifest, library, reports_dir, photos, review=review)
    return str(template("faceset.html").render(title=view.title, view=view, rank_legend=RANK))


def _view(
    folder: Path, manifest: FacesetManifest, library: Library, reports_dir: Path, photos: PhotoLinks, *, review: bool
) -> FacesetView:
    name, here = folder.name, folder.relative_to(library.folder).as_posix()
    identities = {identity.name: identity for identity in library.registry.identities()}
    found, members = identities.get(name), _members(folder)
    bucket = (found.bucket if found else None) or _bucket_of(manifest)
    ruled = _ruled(folder)
    faces = [
        replace(_shown(face, library.folder.name, here, photos), ruled=ruled.get(face.face_id, ""))
        for face in manifest.faces
    ]
    missing = [
        replace(_missing(entry, members, name, photos), ruled=ruled.get(entry.face_id, ""))
        for entry in manifest.excluded
    ]
    return FacesetView(
        name=name,
        label=found.label if found else None,
        kind=KINDS.get(found.kind, found.kind) if found else "not known to the registry",
        state=_state(library, name, found),
        bucket=title_of(bucket),
        bucket_page=Link("", served("buckets", bucket, folder=True)) if bucket in photos.folders else None,
        reports=_reports(reports_dir, manifest.run_id),
        relatives=_relatives(library, name, identities, review=review),
        manifest=manifest,
        faces=faces,
        missing=missing,
        rulings=rulings_on(library, found) if found else (),
        photos=_photos(manifest, members, photos),
        files=_downloads(folder),
    )


def _members(folder: Path) -> dict[str, tuple[str, str]]:
    """face_id -> bucket and path of its photo."""
    rows = _table(folder, "face_id", "bucket", "path")
    return {face_id: (bucket, path) for face_id, bucket, path in rows}


def _ruled(folder: Path) -> dict[str, str]:
    """face_id -> by what decision it is a member, for those that a person put there."""
    rows = _table(folder, "face_id", "joined_by")
    words = {"merged": "came with", "ruled": "put here by ruling"}
    found = {face_id: str(how).partition(":") for face_id, how in rows}
    return {face_id: f"{words[way]} {rest}" for face_id, (way, colon, rest) in found.items() if colon and way in words}


def _table(folder: Path, *columns: str) -> list[tuple[str, ...]]:
    """Rows of the table of members; none where there is no table."""
    table = folder / "members.parquet"
    return pl.read_parquet(table, columns=list(columns)).select(columns).rows() if table.is_file() else []


def _bucket_of(manifest: FacesetManifest) -> str:
    return manifest.faces[0].source.bucket if manifest.faces else ""


def _state(library: Library, name: str, found: Identity | None) -> str:
    if found is not None and found.live:
        return "live"
    grave = next(iter(library.registry.tombstones([name])), None)
    if grave is None:
        return "not in use"
    return f"merged into {grave.merged_into}" if grave.merged_into else f"out of use: {grave.reason}"


def _reports(reports_dir: Path, run_id: str) -> list[tuple[str, Link]]:
    """The write-ups of the run that changed the faceset last."""
    found = []
    for page in sorted(reports_dir.glob(f"*/{_literal(run_id)}*.html")):
        system = page.stem.removeprefix(run_id).lstrip(".")
        words = f"{system} of {title_of(page.parent.name)}" if system else f"report of {title_of(page.parent.name)}"
        found.append((words, Link("", served("reports", page.parent.name, page.name))))
    return found


def _literal(text: str) -> str:
    """Without what a glob gives a meaning: a manifest can be edited."""
    return "".join(char if char.isalnum() or char in "-_" else "?" for char in text)


def _relatives(
    library: Library, name: str, identities: dict[str, Identity], *, review: bool
) -> list[tuple[str, str, Link]]:
    parent = identities[name].parent if name in identities else None
    found = [("era of", parent)] if parent else []
    found += [("has the era", one.name) for one in identities.values() if one.parent == name and one.live]
    redirects = library.snapshot().redirects
    if name in redirects:
        found.append(("merged into", redirects[name]))
    merged = [("merged into it", other) for other, end in sorted(redirects.items()) if end == name]
    folders = {one.name: f"_thin/{one.name}" for one in identities.values() if one.kind == "thin_era"}
    relatives = [
        (words, other, Link("", served(library.folder.name, *folders.get(other, other).split("/"), folder=True)))
        for words, other in found + merged
    ]
    known = identities.get(name)
    if review and known is not None and known.live and not known.is_era:
        relatives.append(("decide about it", "review page", Link("", review_page(name))))
    return relatives


def _shown(face: ExportedFace, library: str, here: str, photos: PhotoLinks) -> ShownFace:
    address = served(library, *here.split("/"), *face.file.split("/"))
    photo = photos.of((face.source.bucket, face.source.path))
    return ShownFace(face, Link("", address), Link("", f"{address}?small"), photo, title_of(face.source.bucket))


def _missing(entry: ExcludedFace, members: dict[str, tuple[str, str]], name: str, photos: PhotoLinks) -> MissingFace:
    place = members.get(entry.face_id)
    row = {"state": entry.state, "value": entry.value, "threshold": entry.threshold, "identity": name}
    return MissingFace(
        face_id=entry.face_id,
        state=entry.state,
        meaning=meaning_of(entry.state),
        value=value_in_words(entry.state, entry.value),
        threshold="" if entry.threshold is None else f"{entry.threshold:.4g}",
        why=reason(row),
        path=place[1] if place else "",
        photo=photos.of(place),
        picture=Link("", f"{PICTURE_OF_MEMBER}/{quote(entry.face_id, safe='')}.jpg"),
    )


def _photos(
    manifest: FacesetManifest, members: dict[str, tuple[str, str]], photos: PhotoLinks
) -> list[tuple[str, str, Link | None, str]]:
    taken: dict[tuple[str, str], list[str]] = {}
    for face in manifest.faces:
        taken.setdefault((face.source.bucket, face.source.path), []).append(f"rank {face.rank}")
    for entry in manifest.excluded:
        if entry.face_id in members:
            taken.setdefault(members[entry.face_id], []).append(entry.state)
    return [
        (title_of(bucket), path, photos.of((bucket, path)), ", ".join(words))
        for (bucket, path), words in sorted(taken.items())
    ]


def _downloads(folder: Path) -> list[Download]:
    found = []
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            ends = [end for end in _FILES if path.name.endswith(end)]
            what = _FILES[max(ends, key=len)] if ends else "where it comes from, as text"
            size = path.stat().st_size
            link = Link("", quote(path.name, safe=""))
            found.append(Download(path.name, what, _size(size), link))
    return found


def _size(size: int) -> str:
    if size < 1000:
        return f"{size} bytes"
    return f"{size / 1000:.0f} kB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"
