"""The library as assets and commands see it: reading, settling, merging the top-level manifest."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from facesets_dagster.errors import LibraryCorrupt
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.lock import library_lock
from facesets_dagster.library.moves import settle
from facesets_dagster.library.numbering import ForeignFaceset, foreign_facesets, read_manifest
from facesets_dagster.library.top_manifest import entries_by_name, merge_manifest
from facesets_dagster.publishing.staging import place_of
from facesets_dagster.registry.merges import merge_records
from facesets_dagster.registry.registry import Adopted, Registry

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
            for folder in (self.folder / "_retired" / name, self.folder / "_thin" / name, self.folder / name):
                for face in self.faceset_manifest(folder).get("faces", []):
                    pictures[face["face_id"]] = folder / face["file"]
        return pictures

    def member_rows(self, names: list[str]) -> pl.DataFrame | None:
        """Rows of `members.parquet` of the named facesets, for members whose cache rows are gone."""
        paths = [self.folder / part / name / "members.parquet" for name in names for part in ("", "_thin")]
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
            live = [identity for identity in self.registry.identities() if identity.live]
            adopted, digests = self.registry.adopted(), self.registry.manifest_digests()
            listed = entries_by_name(self.folder)
            entries: dict[bool, list[dict[str, object]]] = {False: [], True: []}
            for identity in sorted(live, key=lambda identity: identity.name):
                sha256 = digests[identity.name]
                if sha256 is None and identity.name in adopted:
                    entry = _adopted_entry(identity, adopted[identity.name])
                else:
                    entry = self._entry(identity, sha256, listed.get(identity.name, {}))
                entries[identity.kind == "thin_era"].append(entry)
            tombstones = [asdict(tombstone) for tombstone in self.registry.tombstones()]
            kept = {name: record.entry for name, record in merge_records(self.registry).items() if record.entry}
            return merge_manifest(self.folder, entries[False], entries[True], tombstones, kept)

    def _entry(self, identity: Identity, sha256: str | None, listed: Mapping[str, object]) -> dict[str, object]:
        """`listed`: the entry that stands there; with the same digest its counts are still true."""
        path = self.folder / place_of(identity.name, identity.kind) / "manifest.json"
        if not path.exists():
            raise LibraryCorrupt(
                f"{path} is missing although {identity.name} is live. Materialize `swap_ready_facesets` of the bucket "
                f"{identity.bucket!r} to publish it again, or restore it from a backup."
            )
        if sha256 is not None and listed.get("sha256") == sha256 and all(key in listed for key in _COUNTED):
            counted = {key: listed[key] for key in _COUNTED}
        else:
            counted = _counted(self.faceset_manifest(path.parent))
        return {
            "name": identity.name,
            "number": identity.number,
            "kind": "era" if identity.is_era else identity.kind,
            "parent": identity.parent,
            "bucket": identity.bucket,
            "label": identity.label,
            **counted,
            "sha256": sha256,
        }


_COUNTED = ("exported", "input", "excluded", "run_id", "model_id")
"""What an entry takes from the faceset's own manifest."""


def _counted(manifest: Mapping[str, Any]) -> dict[str, object]:
    excluded = Counter(str(entry["state"]) for entry in manifest["excluded"])
    values = (
        len(manifest["faces"]),
        len(manifest["faces"]) + len(manifest["excluded"]),
        dict(sorted(excluded.items())),
        manifest["run_id"],
        manifest["model"]["model_id"],
    )
    return dict(zip(_COUNTED, values, strict=True))


def _adopted_entry(identity: Identity, adopted: Adopted) -> dict[str, object]:
    """Of a legacy faceset that was never published here: its own keys are kept, ours stand beside them."""
    ours = {
        "name": identity.name,
        "number": identity.number,
        "kind": "era" if identity.is_era else identity.kind,
        "parent": identity.parent,
        "bucket": identity.bucket,
        "label": identity.label,
        "legacy_root": str(adopted.root),
        "sha256": None,
    }
    blank: dict[str, object] = {
        "exported": None,
        "input": None,
        "excluded": {},
        "run_id": None,
        "model_id": identity.model_id,
    }
    return {**blank, **adopted.entry, **ours}
