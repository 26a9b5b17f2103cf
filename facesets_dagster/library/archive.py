"""Folders of facesets as they were before a merge, byte for byte, so that undoing it can give them out again.

    _retired/_merged/<name>/<first 16 of the manifest's sha256>/    a whole faceset folder

They are staged as hard links before the commit that needs them and moved like any other folder (`library.moves`), and
dropped when nobody of that name takes part in a merge any more. Housekeeping leaves them alone.
"""

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

from facesets_dagster.errors import LibraryCorrupt
from facesets_dagster.export.folder import FacesetContent
from facesets_dagster.files.writing import link_folder, sha256_of
from facesets_dagster.library.faceset_manifest import FacesetManifest, read_faceset
from facesets_dagster.library.moves import RETIRED
from facesets_dagster.library.withheld import centroid_in

MERGED = Path(RETIRED, "_merged")
_DIGITS = 16


class Archive:
    """What one merge or undo keeps, gives out and drops. Lives for one publication."""

    def __init__(
        self,
        library_dir: Path,
        keep: Mapping[str, str],
        away: AbstractSet[str],
        forget: Collection[tuple[str, str]],
        unpublish: Collection[str],
    ) -> None:
        """`keep`: name -> place of the folders to keep; `away`: of these, whose folder is in the archive only from now
        on; `forget`: (name, digest of the manifest) of those that nobody needs any more; `unpublish`: places of
        facesets that had no folder before they were merged.
        """
        self._dir, self._keep, self._away = library_dir, dict(keep), frozenset(away)
        self.forget = frozenset(forget)
        self._unpublish = sorted(unpublish)
        self.dropped = [*(_place(name, digest) for name, digest in sorted(forget)), *self._unpublish]
        """Places of folders that go."""
        self.kept: list[tuple[str, str]] = []
        """Place in the library and digest of the manifest of each folder that `keep` staged."""
        self.digests: set[tuple[str, str]] = set()
        """(name, digest of the manifest) of the folders that are kept."""
        self.given_out: dict[str, Path] = {}
        """Name -> archived folder whose bytes were staged again."""

    def names(self) -> set[str]:
        """Everybody whose folders share bytes with what is kept or dropped, or go."""
        return {*self._keep, *(name for name, _ in self.forget), *(Path(place).name for place in self._unpublish)}

    def keep(self, staging: Path) -> set[str]:
        """Stages the folders that are to be kept; gives the names of those that leave their place."""
        self.kept, self.digests, self.given_out = [], set(), {}
        for name, place in sorted(self._keep.items()):
            manifest = self._dir / place / "manifest.json"
            if not manifest.exists():
                continue  # a legacy faceset that was never published here
            digest = sha256_of(manifest)
            target = _place(name, digest)
            self.digests.add((name, digest))
            if not _holds(self._dir / target, digest):
                link_folder(self._dir / place, staging / target)
                self.kept.append((target, digest))
        return set(self._away)

    def give_out(self, name: str, content: FacesetContent, live: bool, target: Path) -> str | None:
        """Stages the archived folder that holds this content and gives the digest of its manifest; None without one.

        A faceset that comes back while none of its faces can be exported gets the folder that it had last.
        """
        versions = [folder for folder in versions_of(self._dir, name) if not damaged_files(folder)]
        same = [folder for folder in versions if _read(folder).content_digest == content.digest()]
        last = versions and not live and not content.faces and not content.withheld
        found = same[0] if same else versions[-1] if last else None
        if found is None:
            return None
        link_folder(found, target)
        self.given_out[name] = found
        return sha256_of(found / "manifest.json")


def versions_of(library_dir: Path, name: str) -> list[Path]:
    """Archived folders of a name, oldest first. One whose manifest is not what its own name says is none."""
    manifests = (library_dir / MERGED / name).glob("*/manifest.json")
    folders = [path.parent for path in manifests if sha256_of(path)[:_DIGITS] == path.parent.name]
    return sorted(folders, key=lambda folder: (_read(folder).created_at, folder.name))


def place_in_archive(library_dir: Path, name: str, digest: str) -> Path:
    """Where the folder of this name and digest of its manifest lies."""
    return library_dir / _place(name, digest)


def damaged_files(folder: Path) -> list[str]:
    """Files of a faceset folder that differ from its manifest, or are not there."""
    return [
        name
        for name, digest in sorted(_read(folder).digests().items())
        if not (folder / name).exists() or sha256_of(folder / name) != digest
    ]


def row_of_folder(folder: Path, name: str) -> dict[str, object]:
    """What the registry records of a faceset that is given out again."""
    manifest = _read(folder)
    centroid = centroid_in(manifest)
    known = {} if centroid is None else {"centroid": centroid.tobytes()}
    return {"run_id": manifest.run_id, "model_id": manifest.model.model_id, **known}


def pictures_of(library_dir: Path, names: Iterable[str]) -> dict[str, Path]:
    """face_id -> PNG in the archived folders of these names."""
    pictures: dict[str, Path] = {}
    for folder in (folder for name in names for folder in versions_of(library_dir, name)):
        pictures.update({face.face_id: folder / face.file for face in _read(folder).faces})
    return pictures


def _read(folder: Path) -> FacesetManifest:
    """The manifest of an archived folder, whose name says that its bytes are those that were archived."""
    manifest = read_faceset(folder)
    if manifest is None:
        raise LibraryCorrupt(
            f"{folder} holds no manifest of this platform although it was archived by a merge. Restore it from a "
            "backup; `facesets verify` lists what else is damaged. Nothing was changed."
        )
    return manifest


def _place(name: str, digest: str) -> str:
    return str(MERGED / name / digest[:_DIGITS])


def _holds(folder: Path, digest: str) -> bool:
    manifest = folder / "manifest.json"
    return manifest.exists() and sha256_of(manifest) == digest
