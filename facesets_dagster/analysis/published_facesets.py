"""Live facesets of the library as analyses need them: manifests read and checked against the registry's digests.

Thin eras cover no faces and are left out unless the caller wants them. Adopted legacy facesets that were never
published here cannot be read, because their files lie in the other library: they are named beside the others.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import ModelPack
from facesets_dagster.errors import LibraryCorrupt, SettingsError
from facesets_dagster.files.parsing import parse_json
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.adopted import lies_elsewhere
from facesets_dagster.library.faceset_manifest import ExportedFace, FacesetManifest, parse_faceset
from facesets_dagster.library.library import Library
from facesets_dagster.library.model import require_model
from facesets_dagster.library.numbering import faceset_folder

_MEND = (
    "Restore the folder from a backup, or materialize swap_ready_facesets of its bucket; `facesets verify` lists all."
)


@dataclass(frozen=True)
class PublishedFaceset:
    """A faceset in place, with its manifest."""

    identity: Identity
    folder: Path
    manifest_sha256: str
    manifest: FacesetManifest

    @property
    def name(self) -> str:
        """`faceset_020`."""
        return self.identity.name

    @property
    def faces(self) -> tuple[ExportedFace, ...]:
        """In rank order; at least one."""
        return self.manifest.faces

    def without_filled(self) -> "PublishedFaceset | None":
        """With the faces only that pass every export gate, which come first; None where there is none."""
        faces = tuple(face for face in self.faces if not face.filled)
        return replace(self, manifest=replace(self.manifest, faces=faces)) if faces else None

    def embedding(self) -> NDArray[np.float32]:
        """Raw mean (dim,) of the faces' embeddings, as the library's npz has it where they are all that it exports."""
        vectors = self._vectors("embeddings")
        if len(vectors) == len(self.faces):
            return self._vectors("embedding")
        return np.asarray(vectors[: len(self.faces)].astype(np.float64).mean(axis=0), np.float32)

    def embeddings(self) -> NDArray[np.float32]:
        """Raw embeddings (n, dim) of the faces in rank order."""
        return self._vectors("embeddings")[: len(self.faces)]

    def _vectors(self, key: str) -> NDArray[np.float32]:
        path = self.folder / f"{self.name}.npz"
        if _sha256(_read(path)) != self.manifest.files.get(path.name):
            raise LibraryCorrupt(f"{path} changed since it was published. {_MEND}")
        with np.load(path, allow_pickle=False) as vectors:
            return np.asarray(vectors[key], np.float32)

    def picture(self, face: ExportedFace) -> bytes:
        """The PNG of a face."""
        data = _read(self.folder / face.file)
        if _sha256(data) != face.sha256:
            raise LibraryCorrupt(f"{self.folder / face.file} changed since it was published. {_MEND}")
        return data


@dataclass(frozen=True)
class Published:
    """What there is to export, simulate or measure, and what there is not."""

    facesets: list[PublishedFaceset]
    """By name."""
    not_published_here: dict[str, Path]
    """Adopted legacy faceset -> the library that its files lie in; none where facesets were named."""
    known: tuple[Identity, ...]
    """All facesets that can be named."""
    withheld: dict[str, tuple[str, ...]]
    """Facesets of which `consent.yaml` withholds every face -> its rules; none of them is in `facesets`."""


def published_facesets(
    library: Library, pack: ModelPack, names: Sequence[str] = (), *, thin: bool = False
) -> Published:
    """Live facesets by name; all, or these; `thin`: thin eras too. Raises `SettingsError` for a name that is none.

    The caller holds the library's lock: registry and folders agree only while no run publishes.
    """
    live = {identity.name: identity for identity in library.registry.identities() if identity.live}
    found = {name: identity for name, identity in sorted(live.items()) if thin or identity.kind != "thin_era"}
    digests = library.registry.manifest_digests()
    elsewhere = {name for name, identity in found.items() if lies_elsewhere(identity, digests.get(name))}
    for name in names:
        if name not in found or name in elsewhere:
            raise SettingsError(
                f"{name!r} {_why_not(live.get(name), elsewhere)}. Expected names as `facesets status` lists them, e.g. "
                "faceset_001."
            )
    here = {name: identity for name, identity in found.items() if name not in elsewhere}
    chosen = [identity for name, identity in here.items() if not names or name in names]
    require_model(chosen, pack)
    adopted = library.registry.adopted()
    read = [_read_faceset(library.folder, identity, digests.get(identity.name)) for identity in chosen]
    withheld = {faceset.name: faceset.manifest.withheld for faceset in read if not faceset.faces}
    return Published(
        [faceset for faceset in read if faceset.name not in withheld],
        {} if names else {name: adopted[name].root for name in sorted(elsewhere)},
        tuple(here.values()),
        withheld,
    )


def _why_not(live: Identity | None, elsewhere: Collection[str]) -> str:
    if live is None:
        return "is no live faceset"
    if live.name in elsewhere:
        return "was adopted and never published here"
    return f"is a thin era and not exported; name its person, {live.parent}"


def _read_faceset(library_dir: Path, identity: Identity, wanted: str | None) -> PublishedFaceset:
    folder = library_dir / faceset_folder(identity.name, identity.kind)
    data = _read(folder / "manifest.json")
    if _sha256(data) != wanted:
        raise LibraryCorrupt(f"{folder / 'manifest.json'} differs from the digest in the registry. {_MEND}")
    return PublishedFaceset(identity, folder, _sha256(data), parse_faceset(folder, parse_json(data)))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise LibraryCorrupt(f"{path} is missing although its faceset is live. {_MEND}") from error


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
