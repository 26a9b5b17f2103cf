"""Which legacy facesets become identities, with which members, judged against the registry as it is now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.errors import PublishRefused
from facesets_dagster.identities.geometry import centroid
from facesets_dagster.identities.identity import ERA_KINDS, Identity
from facesets_dagster.legacy.claims import Claim, Lost, assign_claims
from facesets_dagster.legacy.library_folder import LegacyFaceset, LegacyLibrary
from facesets_dagster.legacy.match_library import Matched
from facesets_dagster.legacy.matching import Fate
from facesets_dagster.library.faceset_manifest import read_faceset
from facesets_dagster.library.library import Library
from facesets_dagster.library.membership import StoreOf, rows_of_members
from facesets_dagster.library.numbering import faceset_folder
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.publishing.adoption.transaction import Adoption

_MOST_NAMED = 10


@dataclass
class AdoptionPlan:
    """What should become true, made from the library as it is."""

    adoptions: list[Adoption] = field(default_factory=list)
    """What has to be written, people before their eras."""
    states: dict[str, str] = field(default_factory=dict)
    """Faceset -> `adopted`, `changed`, `stands`, `published` (here, by a later run) or `out_of_use`."""
    lost: list[Lost] = field(default_factory=list)


def require_free_names(library: Library, libraries: Sequence[LegacyLibrary]) -> None:
    """Raises `PublishRefused` if a legacy name or number belongs to somebody else here."""
    identities = {identity.name: identity for identity in library.registry.identities()}
    adopted = library.registry.adopted()
    owners = {identity.number: identity for identity in identities.values() if not identity.is_era}
    found: dict[str, list[str]] = {}
    seen: dict[str, Path] = {}
    number_of: dict[int, str] = {}
    for legacy in libraries:
        mine = {name for name, entry in adopted.items() if _is_same(entry.root, legacy.root, libraries)}
        for faceset in legacy.facesets:
            known, owner = identities.get(faceset.name), owners.get(faceset.number)
            if faceset.name in seen:
                found.setdefault(f"{faceset.name} (also in {seen[faceset.name]})", [])
            elif known is not None and faceset.name not in mine:
                found.setdefault(_described(known), []).append(faceset.name)
            elif known is None and owner is not None and owner.name not in mine:
                found.setdefault(_described(owner), []).append(faceset.name)
            if faceset.kind not in ERA_KINDS and number_of.setdefault(faceset.number, faceset.name) != faceset.name:
                found.setdefault(f"number {faceset.number}: {number_of[faceset.number]}", []).append(faceset.name)
            seen.setdefault(faceset.name, legacy.root)
    facesets = [faceset for legacy in libraries for faceset in legacy.facesets]
    folders = [library.folder / faceset_folder(faceset.name, faceset.kind) for faceset in facesets]
    foreign = [str(folder) for folder in folders if _is_foreign(folder)]
    if foreign:
        raise PublishRefused(
            f"The platform's own library holds folders that it did not write: {', '.join(foreign[:_MOST_NAMED])}. They "
            "would stand in the way of the legacy facesets of these names, and are never replaced. Move them away; "
            "nothing was adopted."
        )
    if found:
        named = [f"{who}{': ' + ', '.join(names) if names else ''}" for who, names in list(found.items())[:_MOST_NAMED]]
        more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
        raise PublishRefused(
            f"Names or numbers of the legacy library are taken here: {'; '.join(named)}{more}. A number means one "
            "person for ever, so nothing was adopted. Adopt that library in a new FACESETS_HOME before any bucket is "
            "run there, or rename its facesets."
        )


def make_plan(
    library: Library, libraries: Sequence[LegacyLibrary], matched: Matched, store_of: StoreOf
) -> AdoptionPlan:
    """Facesets that are published here, or out of use, are left as they are."""
    registry = library.registry
    known = {identity.name: identity for identity in registry.identities()}
    digests, adopted = registry.manifest_digests(), registry.adopted()
    places = registry.memberships()
    before: dict[str, dict[str, str]] = {}
    for name, bucket, face_id in places.select("name", "bucket", "face_id").iter_rows():
        before.setdefault(name, {})[face_id] = bucket
    plan = AdoptionPlan()
    everybody = [(legacy, faceset) for legacy in libraries for faceset in legacy.facesets]
    is_open = {
        faceset.name: faceset.name not in known or (known[faceset.name].live and digests[faceset.name] is None)
        for _, faceset in everybody
    }
    fates_of: dict[str, list[Fate]] = {}
    for fate in matched.fates:
        fates_of.setdefault(fate.owner, []).append(fate)
    claims_of = {
        faceset.name: _claims(faceset, fates_of.get(faceset.name, [])) if is_open[faceset.name] else []
        for _, faceset in everybody
    }
    claims = [claim for found in claims_of.values() for claim in found]
    plan.lost = assign_claims(claims, _taken(known, before))
    vectors = {claim.face_id: claim.embedding for claim in claims}
    dropped = {(lost.name, lost.face_id) for lost in plan.lost}
    bucket_of = {fate.face_id: fate.bucket for fate in matched.fates if fate.face_id and fate.bucket}
    for legacy, faceset in everybody:
        name, identity = faceset.name, known.get(faceset.name)
        if not is_open[name]:
            plan.states[name] = "published" if identity and identity.live else "out_of_use"
            continue
        held = before.get(name, {})
        kept = {
            claim.face_id: bucket_of[claim.face_id] for claim in claims_of[name] if (name, claim.face_id) not in dropped
        }
        gone = matched.superseded.get(name, set()) - kept.keys()
        stay = {face: bucket for face, bucket in held.items() if face not in gone}
        members = dict(sorted({**stay, **kept}.items()))
        entry = adopted.get(name)
        same = members == held and entry is not None and (entry.root, entry.entry) == (legacy.root, faceset.entry)
        plan.states[name] = "adopted" if identity is None else "stands" if same else "changed"
        if not same:
            centre = _centroid(library, store_of, identity, members, members == held, vectors)
            plan.adoptions.append(Adoption(legacy.root, faceset, members, centre, identity is None))
    plan.adoptions.sort(key=lambda adoption: (adoption.faceset.kind in ERA_KINDS, adoption.faceset.name))
    return plan


def _is_foreign(folder: Path) -> bool:
    return folder.is_dir() and read_faceset(folder) is None


def _is_same(recorded: Path, root: Path, libraries: Sequence[LegacyLibrary]) -> bool:
    """Whether a faceset that was adopted from `recorded` is the one under `root`: there, or moved there as a whole."""
    return recorded == root or recorded not in {legacy.root for legacy in libraries}


def _described(identity: Identity) -> str:
    founder = bucket_title(identity.bucket) if identity.bucket else "nobody"
    return f"{identity.name} ({identity.label or identity.kind}, founded by {founder})"


def _claims(faceset: LegacyFaceset, fates: Sequence[Fate]) -> list[Claim]:
    family = faceset.parent or faceset.name
    return [
        Claim(faceset.name, family, fate.face_id, fate.embedding)
        for fate in fates
        if fate.face_id is not None and fate.embedding is not None
    ]


def _taken(known: Mapping[str, Identity], members: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """face_id -> family of the live identity that has it; people before eras."""
    taken: dict[str, str] = {}
    for identity in sorted(known.values(), key=lambda identity: (not identity.is_era, identity.name)):
        if identity.live:
            taken.update(dict.fromkeys(members.get(identity.name, {}), identity.family))
    return taken


def _centroid(
    library: Library,
    store_of: StoreOf,
    identity: Identity | None,
    members: Mapping[str, str],
    same_members: bool,
    vectors: Mapping[str, NDArray[np.float32]],
) -> NDArray[np.float32] | None:
    """Of all members; those that are not matched in this run (a disk is away) by the rows that are cached."""
    if same_members and identity is not None:
        return identity.centroid
    found = dict(vectors)
    absent = members.keys() - found.keys()
    rows = rows_of_members(library, store_of, dict.fromkeys(absent)) if absent else None
    if rows is not None:
        kept = rows.filter(pl.col("face_id").is_in(list(absent)))
        found.update(zip(kept["face_id"].to_list(), kept["embedding"].to_numpy(), strict=True))
    chosen = [found[face_id] for face_id in sorted(members) if face_id in found]
    return centroid(np.array(chosen, np.float32)) if chosen else None
