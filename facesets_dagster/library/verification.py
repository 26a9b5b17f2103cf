"""Integrity of the whole library: files against manifests, manifests against registry, funnels against caches."""

import hashlib
import io
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from facesets_dagster.errors import LibraryCorrupt, LibraryError, SettingsError
from facesets_dagster.files.writing import sha256_of
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.adopted import lies_elsewhere
from facesets_dagster.library.archive import damaged_files, place_in_archive
from facesets_dagster.library.bucket_notes import bucket_notes
from facesets_dagster.library.faceset_manifest import MANIFEST, ExportedFace, FacesetManifest, read_faceset
from facesets_dagster.library.library import Library
from facesets_dagster.library.notes import rulings_file
from facesets_dagster.library.numbering import faceset_folder, number_of
from facesets_dagster.library.ruling_log import read_log
from facesets_dagster.library.top_manifest import entries_by_name
from facesets_dagster.library.withheld import centroid_in
from facesets_dagster.registry.merges import merges_in_force
from facesets_dagster.registry.ruled import kept_folders


@dataclass(frozen=True)
class Flaw:
    """Something that is off, and what to do about it."""

    where: str
    what: str
    advice: str


_NOTED_AGAIN = "Delete it; it is written again by the next publication. Only `facesets recover` reads it."
_REMAKE = (
    "Restore it from a backup, or delete it and materialize top_manifest: it is made anew from the registry, without "
    "what others added to it."
)
_REPUBLISH = "Restore the folder from a backup, or move it away and materialize swap_ready_facesets of its bucket."


def verify_library(library: Library) -> list[Flaw]:
    """Everything that is off; an empty list is a sound library."""
    identities, digests = library.registry.identities(), library.registry.manifest_digests()
    flaws: list[Flaw] = []
    if library.registry.owes_moves():
        flaws.append(Flaw("registry", "an interrupted publication owes moves", "Run any bucket; it finishes them."))
    live = [identity for identity in identities if identity.live]
    published = [identity for identity in live if not lies_elsewhere(identity, digests[identity.name])]
    for identity in published:
        look = partial(_faceset_flaws, library, identity, digests[identity.name])
        flaws += _looked(identity.name, look)
    flaws += _looked("registry", lambda: _number_flaws(library, identities))
    flaws += _looked("manifest.json", lambda: _manifest_flaws(library, identities, digests), _REMAKE)
    flaws += _looked("_retired", lambda: _merge_flaws(library, identities))
    flaws += _looked("_registry", lambda: _note_flaws(library))
    return flaws + _funnel_flaws(library, published)


def _looked(where: str, look: Callable[[], list[Flaw]], advice: str = "") -> list[Flaw]:
    """The flaws of one part; a file of it that cannot be read is one, and the other parts are still looked at."""
    try:
        return look()
    except LibraryError as error:
        return [Flaw(where, str(error), advice or _REPUBLISH)]


def _note_flaws(library: Library) -> list[Flaw]:
    """What is noted for recovery can be read."""
    _, problems = bucket_notes(library.folder)
    flaws = [Flaw("_registry", problem, _NOTED_AGAIN) for problem in problems]
    path = rulings_file(library.folder)
    try:
        read_log(path) if path.exists() else ()
    except SettingsError as error:
        flaws.append(Flaw(str(path), str(error), _NOTED_AGAIN))
    return flaws


def _faceset_flaws(library: Library, identity: Identity, digest: str | None) -> list[Flaw]:
    folder = library.folder / faceset_folder(identity.name, identity.kind)
    path = folder / "manifest.json"
    if not path.exists():
        return [Flaw(str(path), f"missing although {identity.name} is live", _REPUBLISH)]
    if sha256_of(path) != digest:
        return [Flaw(str(path), "differs from the digest in the registry", _REPUBLISH)]
    manifest = read_faceset(folder)
    if manifest is None:
        return [Flaw(str(path), "is not a manifest of this platform", _REPUBLISH)]
    flaws = [
        Flaw(str(path), "changed since it was published" if path.exists() else "missing", _REPUBLISH)
        for path in (folder / name for name in damaged_files(folder))
    ]
    return (
        flaws
        or _withheld_flaws(folder, identity, manifest)
        or _content_flaws(folder, identity, manifest.faces, some_withheld=bool(manifest.withheld))
    )


def _withheld_flaws(folder: Path, identity: Identity, manifest: FacesetManifest) -> list[Flaw]:
    """What `consent.yaml` withholds has no file, and the registry's centroid is that of all faces."""
    if not manifest.withheld:
        return []
    known = {MANIFEST, *manifest.digests()}
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    more = [path for path in files if str(path.relative_to(folder)) not in known]
    flaws = [Flaw(str(path), f"is there although {manifest.withheld[0]} withholds it", "Delete it.") for path in more]
    middle = centroid_in(manifest)
    if middle is not None and (identity.centroid is None or not np.array_equal(middle, identity.centroid)):
        flaws.append(Flaw(str(folder / "members.parquet"), "does not fit manifest and registry", _REPUBLISH))
    return flaws


def _content_flaws(
    folder: Path, identity: Identity, faces: Sequence[ExportedFace], *, some_withheld: bool
) -> list[Flaw]:
    """The archives hold the pictures, the vectors belong to them, the registry has the same centroid."""
    flaws: list[Flaw] = []
    if not faces:
        return flaws
    digests = [face.sha256 for face in faces]
    with zipfile.ZipFile(io.BytesIO((folder / f"{identity.name}.fsz").read_bytes())) as archive:
        packed = [hashlib.sha256(archive.read(name)).hexdigest() for name in sorted(archive.namelist())]
    if packed != digests:
        flaws.append(Flaw(str(folder / f"{identity.name}.fsz"), "holds other pictures than faces/", _REPUBLISH))
    with np.load(folder / f"{identity.name}.npz", allow_pickle=False) as vectors:
        same_ids = vectors["face_ids"].tolist() == [face.face_id for face in faces]
        same_centroid = identity.centroid is not None and np.array_equal(vectors["centroid"], identity.centroid)
        same_centroid |= some_withheld  # of which `_withheld_flaws` looks at the centroid
    if not same_ids or not same_centroid:
        flaws.append(Flaw(str(folder / f"{identity.name}.npz"), "does not fit manifest and registry", _REPUBLISH))
    return flaws


def _merge_flaws(library: Library, identities: list[Identity]) -> list[Flaw]:
    """Every merge has its tombstone, leads to somebody, and can be undone from the archive."""
    flaws: list[Flaw] = []
    known = {identity.name: identity for identity in identities}
    leads_to = {stone.name: stone.merged_into for stone in library.registry.tombstones()}
    for merge in merges_in_force(library.registry):
        if leads_to.get(merge.merged) != merge.keeper or merge.keeper not in known:
            what = f"{merge.merged} was merged into {merge.keeper}, its tombstone says otherwise"
            flaws.append(Flaw("registry", what, "Report this as a defect."))
    advice = "Restore it from a backup; without it undoing makes the faceset anew instead of giving back its bytes."
    for name, digest in sorted(kept_folders(library.registry)):
        folder = place_in_archive(library.folder, name, digest)
        path = folder / "manifest.json"
        if not path.exists() or sha256_of(path) != digest:
            flaws.append(Flaw(str(path), f"missing or changed since {name} was changed by a ruling", advice))
            continue
        flaws += [Flaw(str(folder / file), f"missing or changed since {name} was changed by a ruling", advice)
                  for file in damaged_files(folder)]  # fmt: skip
    return flaws


def _number_flaws(library: Library, identities: list[Identity]) -> list[Flaw]:
    flaws: list[Flaw] = []
    owners = Counter(identity.number for identity in identities if not identity.is_era)
    for number, count in owners.items():
        if count > 1:
            flaws.append(Flaw("registry", f"number {number} has {count} owners", "Report this as a defect."))
    tombstones = {tombstone.name for tombstone in library.registry.tombstones()}
    for identity in identities:
        if identity.live == (identity.name in tombstones):
            flaws.append(Flaw("registry", f"{identity.name} and its tombstone contradict", "Report this as a defect."))
    known = {identity.name for identity in identities if identity.live}
    listed = _listed_names(library)
    if library.folder.is_dir():
        for folder in sorted(library.folder.iterdir()):
            if folder.is_dir() and number_of(folder.name) is not None and folder.name not in known | listed:
                flaws.append(
                    Flaw(
                        str(folder), "unknown to registry and manifest", "Move it away, or adopt it by FACESETS_LEGACY."
                    )
                )
    return flaws


def _listed_names(library: Library) -> set[str]:
    """Of the top-level manifest; none of a broken one, which `_manifest_flaws` reports."""
    try:
        return set(entries_by_name(library.folder))
    except LibraryCorrupt:
        return {folder.name for folder in library.folder.iterdir()}


def _manifest_flaws(library: Library, identities: list[Identity], digests: Mapping[str, str | None]) -> list[Flaw]:
    listed = {name: entry.get("sha256") for name, entry in entries_by_name(library.folder).items()}
    advice = "Materialize top_manifest."
    flaws = []
    for identity in identities:
        wanted = digests[identity.name] if identity.live else None
        if listed.get(identity.name) != wanted:
            state = "is live" if identity.live else "is out of use"
            flaws.append(Flaw("manifest.json", f"{identity.name} {state}, the manifest says otherwise", advice))
    return flaws


def _funnel_flaws(library: Library, published: list[Identity]) -> list[Flaw]:
    """Every exported face of a funnel stands in its faceset's manifest, and the other way round; eras are copies."""
    exported: dict[str, set[tuple[str, str]]] = {}
    listed: dict[str, set[tuple[str, str]]] = {}
    for bucket, name, face_id in library.registry.exported():
        exported.setdefault(bucket, set()).add((name, face_id))
    for identity in published:
        for face in () if identity.is_era else _faces_in(library.folder / identity.name):
            listed.setdefault(face.source.bucket, set()).add((identity.name, face.face_id))
    return [
        Flaw(
            bucket,
            f"the funnel has {len(exported.get(bucket, set()))} exported faces, the facesets hold "
            f"{len(listed.get(bucket, set()))} of this bucket",
            "Materialize swap_ready_facesets of the bucket.",
        )
        for bucket in sorted(exported.keys() | listed.keys())
        if exported.get(bucket, set()) != listed.get(bucket, set())
    ]


def _faces_in(folder: Path) -> Sequence[ExportedFace]:
    """Exported faces of a faceset; none of one whose manifest is broken, which `_faceset_flaws` reports."""
    try:
        manifest = read_faceset(folder)
    except LibraryCorrupt:
        return ()
    return manifest.faces if manifest else ()
