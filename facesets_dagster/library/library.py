"""The library as assets and commands see it: reading, settling, merging the top-level manifest."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from facesets_dagster.errors import LibraryCorrupt
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.lock import library_lock
from facesets_dagster.library.moves import settle
from facesets_dagster.library.numbering import ForeignFaceset, foreign_facesets, read_manifest
from facesets_dagster.library.registry import Registry
from facesets_dagster.library.top_manifest import merge_manifest

Say = Callable[[str], None]


@dataclass(frozen=True)
class Library:
    """A library folder, its registry, and the legacy libraries beside it."""

    folder: Path
    registry: Registry
    legacy_roots: tuple[Path, ...]

    def legacy_facesets(self) -> list[ForeignFaceset]:
        """Facesets of all legacy roots; names and numbers only."""
        return [faceset for root in self.legacy_roots for faceset in foreign_facesets(root)]

    def settle(self, holder: str, say: Say) -> None:
        """Finishes what an interrupted publication owes; takes the lock only if there is something to do."""
        if self.registry.owes_moves():
            with library_lock(self.folder, holder, say=say):
                settle(self.registry, self.folder, say)

    def published_faces(self, names: list[str]) -> dict[str, Path]:
        """face_id -> PNG of the named facesets, in place or retired."""
        pictures: dict[str, Path] = {}
        for name in names:
            for folder in (self.folder / "_retired" / name, self.folder / name):
                for face in self.faceset_manifest(folder).get("faces", []):
                    pictures[face["face_id"]] = folder / face["file"]
        return pictures

    def member_rows(self, names: list[str]) -> pl.DataFrame | None:
        """Rows of `members.parquet` of the named facesets, for members whose cache rows are gone."""
        paths = [self.folder / name / "members.parquet" for name in names]
        frames = [pl.read_parquet(path) for path in paths if path.exists()]
        return pl.concat(frames) if frames else None

    @staticmethod
    def faceset_manifest(folder: Path) -> dict:  # type: ignore[type-arg]
        """A faceset's `manifest.json`, `{}` if there is none."""
        return read_manifest(folder)

    def merge_top_manifest(self, holder: str, say: Say) -> bool:
        """Brings `manifest.json` up to the registry and the facesets' manifests; True if it changed."""
        with library_lock(self.folder, holder, say=say):
            settle(self.registry, self.folder, say)
            entries = [self._entry(identity) for identity in self.registry.identities() if identity.live]
            tombstones = [asdict(tombstone) for tombstone in self.registry.tombstones()]
            return merge_manifest(self.folder, sorted(entries, key=lambda entry: str(entry["name"])), tombstones)

    def _entry(self, identity: Identity) -> dict[str, object]:
        path = self.folder / identity.name / "manifest.json"
        sha256 = self.registry.manifest_sha256(identity.name)
        manifest = self.faceset_manifest(path.parent)
        if not manifest:
            raise LibraryCorrupt(
                f"{path} is missing although {identity.name} is live. Materialize `swap_ready_facesets` of the bucket "
                f"{identity.bucket!r} to publish it again, or restore it from a backup."
            )
        excluded = Counter(str(entry["state"]) for entry in manifest["excluded"])
        return {
            "name": identity.name,
            "number": identity.number,
            "kind": identity.kind,
            "parent": identity.parent,
            "bucket": identity.bucket,
            "label": identity.label,
            "exported": len(manifest["faces"]),
            "input": len(manifest["faces"]) + len(manifest["excluded"]),
            "excluded": dict(sorted(excluded.items())),
            "run_id": manifest["run_id"],
            "model_id": manifest["model"]["model_id"],
            "sha256": sha256,
        }


def canonical_json(value: object) -> str:
    """One text per value: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
