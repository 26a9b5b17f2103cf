"""Hand-sorted folders as identities of the library: the domain call behind `hand_sorted_facesets`."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import polars as pl

from facesets_dagster.export.curation import ExportParameters
from facesets_dagster.faces.store import CacheTables
from facesets_dagster.identities.gates import Verdict
from facesets_dagster.identities.hand_sorted import HandSorted, assert_people, obeying
from facesets_dagster.identities.identity import Identity
from facesets_dagster.identities.merging import whose
from facesets_dagster.identities.projection import RULED
from facesets_dagster.library.bindings import bindings_of
from facesets_dagster.library.library import Library
from facesets_dagster.library.membership import bucket_faces
from facesets_dagster.photos.bucket_key import HAND_SORTED
from facesets_dagster.publishing.funnel import bucket_record, verdicts_in_place, verdicts_of
from facesets_dagster.publishing.gallery import Gallery, Terms
from facesets_dagster.publishing.hand_sorted_owners import KnownPeople, known_people, owners_of_folders
from facesets_dagster.publishing.publisher import Plan, Update, publish
from facesets_dagster.publishing.run import Run
from facesets_dagster.publishing.staging import standing_terms, terms_in_place
from facesets_dagster.publishing.transaction import BucketRecord, Wanted


@dataclass(frozen=True)
class PeopleInputs:
    """How a folder's person is told from the other people in its photos."""

    first_distance: float
    second_distance: float

    def parameters(self, export: ExportParameters) -> dict[str, dict[str, object]]:
        """As in run config."""
        own = {"first_distance": self.first_distance, "second_distance": self.second_distance}
        return {"hand_sorted_facesets": {**own}, "swap_ready_facesets": export.recorded()}


@dataclass(frozen=True)
class PeopleResult:
    """What came of it."""

    update: Update[dict[str, int]]
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


def publish_people(run: Run, inputs: PeopleInputs) -> PeopleResult:
    """Publishes every folder with a majority; the other folders and the other people in the photos get a reason."""
    library, store = run.library, run.store_of(HAND_SORTED)
    folders, loose = folders_of(store.read())
    faces = bucket_faces(store, library, HAND_SORTED)
    present = faces.filter(pl.col("sha256").is_in(list(set().union(*folders.values()))))
    people = assert_people(
        present, folders, first_distance=inputs.first_distance, second_distance=inputs.second_distance
    )
    update = publish(run, lambda: _plan(run, inputs, people, faces, known_people(library)))
    folder_digest = store.folder_digest()
    if folder_digest is not None:
        library.registry.note_folder(HAND_SORTED, folder_digest)
        library.note_bucket(HAND_SORTED)
    names = {folder: update.names[place] for folder, place in update.notes.items() if place in update.names}
    return PeopleResult(update, people, names, loose)


def _order(people: HandSorted, faces: pl.DataFrame) -> list[str]:
    """Folders with a member in the order of new numbers: most photos first, then by name."""
    photo_of = dict(faces.select("face_id", "sha256").iter_rows())
    sizes = {folder: len({photo_of[face] for face in members}) for folder, members in people.members.items()}
    return sorted((folder for folder, size in sizes.items() if size), key=lambda folder: (-sizes[folder], folder))


def _plan(
    run: Run,
    inputs: PeopleInputs,
    people: HandSorted,
    faces: pl.DataFrame,
    known: KnownPeople,
) -> Plan[dict[str, int]]:
    """Notes: folder -> position in `wanted` of its person."""
    library = run.library
    order = _order(people, faces)
    owner = owners_of_folders(order, people, known, inputs.second_distance)
    person_of = {folder: known.person_of(owner.get(folder)) for folder in order}
    ids = faces["face_id"].to_list()
    bindings = bindings_of(library, HAND_SORTED, run.pack.model_id, run.pack.dim, ids)
    people = obeying(people, bindings, {folder: one.name for folder, one in person_of.items() if one is not None})
    order = [folder for folder in order if people.members[folder]]
    asserted = {face_id for folder in order for face_id in people.members[folder]}
    terms = Terms("hand_sorted", HAND_SORTED, inputs.parameters(run.export), run.export)
    wanted: list[Wanted] = []
    placed: dict[str, int] = {}
    for folder in order:
        if folder in placed:
            continue
        identity = person_of[folder]
        # Several folders are one person where their people were merged.
        folders = [folder] if identity is None else [other for other in order if person_of[other] is identity]
        asserter = {other: owner[other].name for other in folders if other in owner}
        own_terms = terms_in_place(library.folder, identity, run.export) if identity else terms
        if identity is None or identity.name in asserter.values():
            own_terms = standing_terms(library.folder, identity, terms)
        if identity is not None and identity.bucket is not None:
            own_terms = replace(own_terms, bucket=identity.bucket)
        now = {
            face: known.how_joined(asserter.get(other), identity) for other in folders for face in people.members[other]
        }
        kept = _kept(library, people, known, identity, set(asserter.values()), asserted)
        placed.update(dict.fromkeys(folders, len(wanted)))
        wanted.append(Wanted(dict(sorted({**kept, **now}.items())), own_terms, identity, label=folder))
    taken = {identity.name for folder in order if (identity := person_of[folder]) is not None}
    stay, retire = _without_folder(run, known, taken, asserted)
    wanted += stay
    gallery = Gallery(run, faces, terms, list(known.live))

    def records(names: Mapping[int, str]) -> list[BucketRecord]:
        verdicts: dict[str, Verdict] = dict(people.verdicts)
        for place, entry in enumerate(wanted):
            verdicts.update(_verdicts(library, entry, gallery, names.get(place)))
        facesets = {folder: names[place] for folder, place in placed.items() if place in names}
        nearest = {face: (facesets.get(folder), value) for face, (folder, value) in people.nearest.items()}
        rows = faces.filter(pl.col("face_id").is_in(list(verdicts)))
        parameters = inputs.parameters(run.export)
        head = [run.code_version, run.pack.model_id, parameters]
        return [bucket_record(HAND_SORTED, rows, verdicts, nearest, head, parameters["hand_sorted_facesets"])]

    return Plan(wanted, gallery, placed, retire, records=records)


def _kept(
    library: Library,
    people: HandSorted,
    known: KnownPeople,
    identity: Identity | None,
    judges: AbstractSet[str],
    asserted: AbstractSet[str],
) -> dict[str, str]:
    """Members of a person that no folder asserts now: face_id -> how it joined.

    A face of another folder moves there. One that joined through a folder of this person (of `judges`) is judged
    again. One that joined through a bucket or by a ruling, or has lost its photo or folder, stays.
    """
    if identity is None:
        return {}
    places = library.snapshot().places(identity.name)
    members = known.members.get(identity.name, {})
    judged = {face for face in people.verdicts if places.get(face) == HAND_SORTED}
    judged -= {face for face, how in members.items() if how.startswith(RULED)}
    return {
        face: how
        for face, how in members.items()
        if face not in asserted and not (face in judged and whose(how, identity.name) in judges)
    }


def _verdicts(library: Library, entry: Wanted, gallery: Gallery, name: str | None) -> dict[str, Verdict]:
    """Where the members of one person end among the hand-sorted photos."""
    content = gallery.content(entry.members, entry.whose(), entry.terms)
    here = verdicts_of(content, HAND_SORTED, name)
    if entry.identity is not None and not content.faces:  # nothing can be exported now: what is published stands
        stands = verdicts_in_place(library.folder / entry.identity.name, entry.identity.name)
        here.update({face_id: ended for face_id, ended in stands.items() if face_id in here})
    copies = entry.members.keys() - here.keys()
    return {**dict.fromkeys(copies, Verdict("covered", None, None, name)), **here}


def _without_folder(
    run: Run,
    known: KnownPeople,
    taken: AbstractSet[str],
    asserted: AbstractSet[str],
) -> tuple[list[Wanted], list[Identity]]:
    """People of folders that are gone or undecided now: they stay, but for what another folder asserts.

    `taken`: identities with one. The second list: identities without faces now, because their photos lie in another
    person's folder now.
    """
    stay: list[Wanted] = []
    empty: list[Identity] = []
    for name, identity in sorted(known.live.items()):
        if name in taken or identity.bucket != HAND_SORTED:
            continue
        left = {face: how for face, how in known.members.get(name, {}).items() if face not in asserted}
        if left:
            stay.append(Wanted(left, terms_in_place(run.library.folder, identity, run.export), identity))
        else:
            empty.append(identity)
    return stay, empty
