"""Hand-sorted folders as identities of the library: the domain call behind `hand_sorted_facesets`."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import polars as pl

from facesets_dagster.embedding.embedder import Embedder, ModelPack
from facesets_dagster.export.curation import ExportParameters
from facesets_dagster.faces.store import CacheTables
from facesets_dagster.identities.gates import Verdict
from facesets_dagster.identities.hand_sorted import HandSorted, assert_people
from facesets_dagster.identities.identity import Identity
from facesets_dagster.identities.matching import match_by_overlap
from facesets_dagster.library.commit import BucketRecord
from facesets_dagster.library.funnel import bucket_record
from facesets_dagster.library.gallery import Gallery, Terms
from facesets_dagster.library.library import Library
from facesets_dagster.library.membership import StoreOf, bucket_faces, rows_of_members
from facesets_dagster.library.publishing import now_in_seconds
from facesets_dagster.library.staging import RunStamp, standing_terms
from facesets_dagster.library.updating import Plan, Update, Wanted, update_library, verdicts_of
from facesets_dagster.photos.bucket_key import HAND_SORTED, LEGACY


@dataclass(frozen=True)
class PeopleInputs:
    """What the asset hands over."""

    first_distance: float
    second_distance: float
    export: ExportParameters
    pack: ModelPack
    folders: Mapping[str, Path]
    """Bucket -> where its photos lie, `HAND_SORTED` among them."""
    max_pixels: int
    run_id: str
    code_version: str

    def parameters(self) -> dict[str, dict[str, object]]:
        """As in run config."""
        own = {"first_distance": self.first_distance, "second_distance": self.second_distance}
        return {"hand_sorted_facesets": {**own}, "swap_ready_facesets": asdict(self.export)}


@dataclass(frozen=True)
class PeopleResult:
    """What came of it."""

    update: Update
    people: HandSorted
    names: dict[str, str]
    """Folder -> faceset."""
    loose: list[str]
    """Photos that lie in no folder."""


def folders_of(tables: CacheTables) -> tuple[dict[str, set[str]], list[str]]:
    """Folder -> contents in it (at any depth), and the photos that lie beside the folders."""
    folders: dict[str, set[str]] = {}
    loose: list[str] = []
    for path, sha256 in tables.files.drop_nulls("sha256").select("path", "sha256").sort("path").iter_rows():
        folder, slash, _ = path.partition("/")
        if slash:
            folders.setdefault(folder, set()).add(sha256)
        else:
            loose.append(path)
    return folders, loose


def publish_people(
    inputs: PeopleInputs,
    library: Library,
    store_of: StoreOf,
    embedder: Callable[[], Embedder],
    *,
    say: Callable[[str], None],
) -> PeopleResult:
    """Publishes every folder with a majority; the others, and everybody else in the photos, get their reason."""
    tables = store_of(HAND_SORTED).read()
    folders, loose = folders_of(tables)
    faces = bucket_faces(store_of(HAND_SORTED), library, HAND_SORTED)
    present = faces.filter(pl.col("sha256").is_in(list(set().union(*folders.values()))))
    people = assert_people(
        present, folders, first_distance=inputs.first_distance, second_distance=inputs.second_distance
    )

    def make_plan() -> Plan:
        known = {identity.name: identity for identity in library.registry.identities() if _is_ours(identity)}
        return _plan(inputs, library, store_of, embedder, people, faces, known, say)

    update = update_library(
        library,
        make_plan,
        RunStamp(inputs.run_id, inputs.pack.model_id, inputs.code_version, now_in_seconds()),
        allowed=lambda plan: {wanted.identity.name for wanted in plan.wanted if wanted.identity},
        say=say,
    )
    folder_digest = store_of(HAND_SORTED).folder_digest()
    if folder_digest is not None:
        library.registry.note_folder(HAND_SORTED, folder_digest)
    order = _order(people, faces)
    return PeopleResult(update, people, {order[place]: name for place, name in update.names.items()}, loose)


def _is_ours(identity: Identity) -> bool:
    """Whom a folder may assert again: people of folders, and adopted legacy ones, who keep name, number and kind."""
    return identity.live and not identity.is_era and identity.bucket in (HAND_SORTED, LEGACY)


def _order(people: HandSorted, faces: pl.DataFrame) -> list[str]:
    """Folders with a member in the order of new numbers: most photos first, then by name."""
    photo_of = dict(faces.select("face_id", "sha256").iter_rows())
    sizes = {folder: len({photo_of[face] for face in members}) for folder, members in people.members.items()}
    return sorted((folder for folder, size in sizes.items() if size), key=lambda folder: (-sizes[folder], folder))


def _plan(
    inputs: PeopleInputs,
    library: Library,
    store_of: StoreOf,
    embedder: Callable[[], Embedder],
    people: HandSorted,
    faces: pl.DataFrame,
    known: Mapping[str, Identity],
    say: Callable[[str], None],
) -> Plan:
    order, members = _order(people, faces), library.registry.members(list(known))
    asserted = {face_id for folder in order for face_id in people.members[folder]}
    owner = _owners(order, people, known, members)
    terms = Terms("hand_sorted", HAND_SORTED, inputs.parameters(), inputs.export)
    wanted = []
    for folder in order:
        identity = owner.get(folder)
        before = members.get(identity.name, {}) if identity else {}
        # Faces that joined from buckets, or whose photo is gone, stay; what another folder asserts now does not.
        kept = {face: how for face, how in before.items() if face not in asserted and face not in people.verdicts}
        now = dict.fromkeys(people.members[folder], "hand_sorted")
        own_terms = standing_terms(library.folder, identity, terms)
        if identity is not None and identity.bucket is not None:
            own_terms = replace(own_terms, bucket=identity.bucket)
        wanted.append(Wanted(dict(sorted({**kept, **now}.items())), own_terms, identity, label=folder))
    gallery = Gallery(
        faces,
        lambda face_ids: rows_of_members(library, store_of, face_ids),
        embedder,
        inputs.folders,
        max_pixels=inputs.max_pixels,
        terms=terms,
        model={"pack": inputs.pack.name, "model_id": inputs.pack.model_id, "det_size": inputs.pack.det_size},
        published=library.published_faces(list(known)),
        say=say,
    )

    def records(names: Mapping[int, str], gallery: Gallery) -> list[BucketRecord]:
        verdicts: dict[str, Verdict] = dict(people.verdicts)
        for place, entry in enumerate(wanted):
            content = gallery.content(entry.members, entry.terms)
            verdicts.update(verdicts_of(content.excluded, entry.members, names.get(place)))
        facesets = {order[place]: name for place, name in names.items()}
        nearest = {face: (facesets.get(folder), value) for face, (folder, value) in people.nearest.items()}
        rows = faces.filter(pl.col("face_id").is_in(list(verdicts)))
        head = [inputs.code_version, inputs.pack.model_id, inputs.parameters()]
        return [bucket_record(HAND_SORTED, rows, verdicts, nearest, head, inputs.parameters()["hand_sorted_facesets"])]

    return Plan(wanted, gallery, records=records)


def _owners(
    order: list[str], people: HandSorted, known: Mapping[str, Identity], members: Mapping[str, Mapping[str, str]]
) -> dict[str, Identity]:
    """Folder -> the identity that it asserted before: the one with most of its faces, else the one of its name."""
    by_number = {identity.number: identity for identity in known.values()}
    clusters = {place: set(people.members[folder]) for place, folder in enumerate(order)}
    sets = {number: set(members.get(identity.name, {})) for number, identity in by_number.items()}
    owner = {order[place]: by_number[number] for place, number in match_by_overlap(clusters, sets).items()}
    free = {
        identity.label: identity
        for identity in known.values()
        if identity.label
        and identity.bucket == HAND_SORTED  # an adopted person of that name may be somebody else
        and identity.name not in {taken.name for taken in owner.values()}
    }
    return {**{folder: free[folder] for folder in order if folder in free and folder not in owner}, **owner}
