"""The library's table of contents brought up to the registry: the domain call behind `top_manifest`.

Every publisher ends with it; the form of the file is `library.top_manifest`.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from pathlib import Path

from facesets_dagster.errors import LibraryCorrupt
from facesets_dagster.files.states import state_of
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.adopted import lies_elsewhere
from facesets_dagster.library.consent import policy_of
from facesets_dagster.library.faceset_manifest import read_faceset
from facesets_dagster.library.library import Library
from facesets_dagster.library.numbering import faceset_folder
from facesets_dagster.library.top_manifest import (
    CONSENT,
    LATER_KEYS,
    entries_by_name,
    merge_manifest,
    read_top_manifest,
)
from facesets_dagster.photos.bucket_key import LIBRARY, bucket_title
from facesets_dagster.registry.registry import Adopted, Listed
from facesets_dagster.registry.ruled import stood_before
from facesets_dagster.registry.snapshot import Snapshot


def merge_top_manifest(library: Library, holder: str, say: Callable[[str], None]) -> bool:
    """Brings `manifest.json` up to the registry and the facesets' manifests; True if it changed.

    Only what changed in the registry since the last time is looked at, if the file is as it was left then.
    """
    path = library.folder / "manifest.json"
    if _is_up_to_date(library, path):
        return False
    with library.held(holder, say):
        known, listed = library.snapshot(), library.registry.listed()
        names = None
        if listed is not None and listed.file == state_of(path):
            names = known.names_changed_since(listed.state)
        policy = policy_of(library.folder)
        digest = policy.digest if policy else None
        stale = names is None or names or read_top_manifest(library.folder).others.get(CONSENT) != digest
        changed = _merge(library, known, names, digest) if stale else False
        file = state_of(path)
        if file is not None and listed != Listed(known.state, file):
            library.registry.note_listed(Listed(known.state, file))
        return changed


def _is_up_to_date(library: Library, path: Path) -> bool:
    """Whether file, registry and policy are as they were left, as after a publisher of the same run."""
    file, policy = state_of(path), policy_of(library.folder)
    if file is None or library.registry.listed() != Listed(library.snapshot().state, file):
        return False
    return read_top_manifest(library.folder).others.get(CONSENT) == (policy.digest if policy else None)


def _merge(library: Library, known: Snapshot, names: Collection[str] | None, policy: str | None) -> bool:
    """`names`: of the identities and tombstones that may have changed; None for all. `policy`: its digest."""
    identities = known.identities() if names is None else known.named(names).values()
    live = sorted((identity for identity in identities if identity.live), key=lambda identity: identity.name)
    digests = known.digests(identity.name for identity in live)
    adopted = library.registry.adopted(names)
    standing = entries_by_name(library.folder)
    entries: dict[bool, list[dict[str, object]]] = {False: [], True: []}
    for identity in live:
        sha256 = digests[identity.name]
        if lies_elsewhere(identity, sha256):
            entry = _adopted_entry(identity, adopted[identity.name])
        else:
            entry = _entry(library.folder, identity, sha256, standing.get(identity.name, {}))
        entries[identity.kind == "thin_era"].append(entry)
    tombstones = [asdict(tombstone) for tombstone in library.registry.tombstones(names)]
    kept = {name: record.entry for name, record in stood_before(library.registry, names).items() if record.entry}
    return merge_manifest(library.folder, entries[False], entries[True], tombstones, kept, policy=policy)


def _entry(
    library_dir: Path, identity: Identity, sha256: str | None, listed: Mapping[str, object]
) -> dict[str, object]:
    """`listed`: the entry that stands there; with the same digest its counts are still true."""
    path = library_dir / faceset_folder(identity.name, identity.kind) / "manifest.json"
    if not path.exists():
        raise LibraryCorrupt(
            f"{path} is missing although {identity.name} is live. Materialize `swap_ready_facesets` of the bucket "
            f"{bucket_title(identity.bucket or LIBRARY)!r} to publish it again, or restore it from a backup."
        )
    if sha256 is not None and listed.get("sha256") == sha256 and all(key in listed for key in _COUNTED):
        counted = {key: listed[key] for key in (*_COUNTED, *sorted(LATER_KEYS)) if key in listed}
    else:
        counted = _counted(path.parent)
    return {**_named(identity), **counted, "sha256": sha256}


def _named(identity: Identity) -> dict[str, object]:
    """What every entry begins with."""
    return {
        "name": identity.name,
        "number": identity.number,
        "kind": "era" if identity.is_era else identity.kind,
        "parent": identity.parent,
        "bucket": identity.bucket,
        "label": identity.label,
    }


_COUNTED = ("exported", "input", "excluded", "run_id", "model_id")
"""What an entry takes from the faceset's own manifest."""


def _counted(folder: Path) -> dict[str, object]:
    manifest = read_faceset(folder)
    if manifest is None:
        raise LibraryCorrupt(f"{folder} is another program's although its name is a live faceset's. Move it away.")
    return {
        "exported": len(manifest.faces),
        "filled": sum(face.filled for face in manifest.faces),
        "input": len(manifest.faces) + len(manifest.excluded),
        "excluded": dict(sorted(Counter(entry.state for entry in manifest.excluded).items())),
        "run_id": manifest.run_id,
        "model_id": manifest.model.model_id,
        **({"withheld": list(manifest.withheld)} if manifest.withheld else {}),
    }


def _adopted_entry(identity: Identity, adopted: Adopted) -> dict[str, object]:
    """Of a legacy faceset that was never published here: its own keys are kept, ours stand beside them."""
    blank: dict[str, object] = {"exported": None, "input": None, "excluded": {}, "run_id": None}
    blank["model_id"] = identity.model_id
    return {**blank, **adopted.entry, **_named(identity), "legacy_root": str(adopted.root), "sha256": None}
