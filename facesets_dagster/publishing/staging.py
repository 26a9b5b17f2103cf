"""One faceset staged for installation, unless what is in place holds the same."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from facesets_dagster.errors import LibraryCorrupt
from facesets_dagster.export.curation import ExportParameters
from facesets_dagster.export.folder import FacesetContent, write_faceset
from facesets_dagster.files.writing import link_folder, sha256_of
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.archive import Archive, damaged_files
from facesets_dagster.library.faceset_manifest import MANIFEST, read_faceset
from facesets_dagster.library.moves import STAGING, Move
from facesets_dagster.library.numbering import faceset_folder
from facesets_dagster.library.withheld import KEPT_WHOLE
from facesets_dagster.publishing.gallery import Terms
from facesets_dagster.publishing.run import RunStamp

Fate = Literal["founded", "changed", "kept", "revived"]


@dataclass(frozen=True)
class Staged:
    """What becomes of a faceset."""

    fate: Fate
    move: Move | None = None
    """None if it is kept."""


def stage(
    library_dir: Path,
    staging: str,
    name: str,
    identity: Identity | None,
    content: FacesetContent,
    stamp: RunStamp,
    archive: Archive | None = None,
) -> Staged:
    """Writes the faceset's folder below `.staging/<staging>/`, unless what is in place holds the same.

    It is kept too if nothing can be exported now: nothing is unpublished for that.
    `identity`: None for a new one; `archive`: where folders are that are given out again if they hold the same.
    """
    place = faceset_folder(name, content.kind)
    current = read_faceset(library_dir / place)
    if identity is not None and current is not None and current.content_digest == content.digest():
        return Staged("kept")
    staged = library_dir / STAGING / staging / place
    archived = archive.give_out(name, content, identity.live, staged) if archive and identity else None
    if identity is not None and archived is None and not content.faces and not content.withheld:
        return Staged("kept")
    # A folder that the platform did not write is never replaced, not even by an identity of that name.
    if (library_dir / place / MANIFEST).exists() and (identity is None or current is None):
        raise LibraryCorrupt(f"{library_dir / place} exists although it was never founded here. Move it away.")
    digest = (
        archived
        or _as_it_was(library_dir, name, content, staged)
        or write_faceset(
            staged,
            name,
            content,
            run_id=stamp.run_id,
            created_at=stamp.created_at,
            code_version=stamp.code_version,
        )
    )
    fate: Fate = "founded" if identity is None else "changed" if identity.live else "revived"
    return Staged(fate, Move(staging, "install", place, digest))


def _as_it_was(library_dir: Path, name: str, content: FacesetContent, staged: Path) -> str | None:
    """Stages the folder that was kept while faces of it were withheld; None where it does not hold this content."""
    kept = library_dir / KEPT_WHOLE / name
    manifest = read_faceset(kept)
    if manifest is None or manifest.content_digest != content.digest() or damaged_files(kept):
        return None
    link_folder(kept, staged)
    return sha256_of(staged / MANIFEST)


def standing_terms(library_dir: Path, identity: Identity | None, terms: Terms) -> Terms:
    """An identity that exists keeps its kind, and the numbers of other assets that had a hand in it."""
    if identity is None:
        return terms
    manifest = read_faceset(library_dir / faceset_folder(identity.name, identity.kind))
    known = manifest.parameters if manifest else {}
    return replace(terms, kind=identity.kind, parameters={**known, **terms.parameters})


def terms_in_place(library_dir: Path, identity: Identity, export: ExportParameters) -> Terms:
    """What a faceset that stands was made under; `export` where its manifest records no numbers of an export."""
    return terms_of_folder(library_dir / faceset_folder(identity.name, identity.kind), identity, export)


def terms_of_folder(folder: Path, identity: Identity, export: ExportParameters) -> Terms:
    """The same of a folder that lies elsewhere."""
    manifest = read_faceset(folder)
    parameters = manifest.parameters if manifest else {}
    own = (manifest.numbers("swap_ready_facesets", ExportParameters) if manifest else None) or export
    return Terms(identity.kind, identity.bucket or "", {**parameters, "swap_ready_facesets": own.recorded()}, own)


def faces_in_place(library_dir: Path, name: str, kind: str) -> set[str]:
    """face_ids that the faceset in place exports."""
    manifest = read_faceset(library_dir / faceset_folder(name, kind))
    return {face.face_id for face in manifest.faces} if manifest else set()
