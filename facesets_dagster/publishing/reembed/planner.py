"""The plan of a publication that brings a library to another model: the same people, made of the new model's faces."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import sqlalchemy as sa

from facesets_dagster.export.folder import FacesetContent
from facesets_dagster.identities.identity import Identity
from facesets_dagster.identities.merging import Rows
from facesets_dagster.identities.reanchoring import Reanchored
from facesets_dagster.identities.rulings import Ruling, RulingFace
from facesets_dagster.library.archive import Archive
from facesets_dagster.library.faceset_manifest import read_faceset
from facesets_dagster.library.numbering import faceset_folder
from facesets_dagster.photos.bucket_key import LIBRARY
from facesets_dagster.publishing.gallery import Gallery, Terms
from facesets_dagster.publishing.publisher import Plan
from facesets_dagster.publishing.reembed import carrying
from facesets_dagster.publishing.reembed.pictures import FromPictures
from facesets_dagster.publishing.reembed.seen_anew import NewCaches, SeenAnew, see_anew
from facesets_dagster.publishing.rulings.subjects import ruling_faces
from facesets_dagster.publishing.run import Run
from facesets_dagster.publishing.staging import terms_in_place
from facesets_dagster.publishing.transaction import Wanted
from facesets_dagster.registry import ruled
from facesets_dagster.registry.carried_over import CarriedOver, FaceRows, read_face_rows, write_carried_over
from facesets_dagster.registry.reanchored_rulings import write_reanchored
from facesets_dagster.registry.rulings import all_rulings


@dataclass(frozen=True)
class PackNumbers:
    """Numbers of the new pack, which take the place of the old one's in facesets that stand; sizes and counts stay."""

    outlier_distance: float
    """Of exports."""
    near_duplicate_similarity: float
    session_similarity: float
    eras: Mapping[str, float]
    """Field of the numbers of eras -> number."""


@dataclass(frozen=True)
class Switched:
    """What became of a library."""

    seen: SeenAnew
    hollow: tuple[Identity, ...]
    """Identities of which nothing can be exported with the new model: they go out of use."""
    rulings: tuple[tuple[Ruling, Reanchored], ...]
    """Every ruling and what becomes of it."""

    def dormant(self) -> list[Ruling]:
        """Rulings that sleep from now on."""
        return [one for one, after in self.rulings if one.state == "in_force" and after.state == "dormant"]


class ReembedPlanner:
    """Makes the plan from the library as it stands, and the second cache."""

    def __init__(
        self,
        run: Run,
        caches: NewCaches,
        old_model: str,
        from_pictures: FromPictures,
        numbers: PackNumbers,
        cover_distance: float,
        at_commit: Callable[[], None],
    ) -> None:
        """`at_commit`: called at the end of the transaction."""
        self._run, self._library, self._caches, self._old_model = run, run.library, caches, old_model
        self._from_pictures, self._numbers = from_pictures, numbers
        self._cover_distance, self._at_commit = cover_distance, at_commit

    def plan(self) -> Plan[Switched]:
        """Every live faceset is made again; nobody else changes."""
        registry, known = self._library.registry, self._library.registry.identities()
        old, rulings = read_face_rows(registry), all_rulings(registry, of_all_models=True)
        everybody = {(row["bucket"], row["face_id"]) for row in (*old.members, *old.unruled_members)}
        seen = see_anew(self._library, self._old_model, self._caches, everybody, rulings, self._from_pictures)
        members = carrying.carried_members(old.members, seen)
        rows = carrying.rows_by_name(members)
        gallery = self._gallery(seen, rows)
        digests = registry.manifest_digests()
        published = [one for one in known if one.live and digests[one.name] is not None]
        wanted = {one.name: self._wanted(one, rows.get(one.name, {})) for one in published}
        contents = {name: gallery.content(one.members, name, one.terms) for name, one in wanted.items()}
        hollow = [one for one in published if not contents[one.name].faces]
        without = {one.name for one in hollow}
        hollow += [one for one in published if one.parent in without and one.name not in without]
        stay = {name: content for name, content in contents.items() if name not in {one.name for one in hollow}}
        decisions = carrying.carried_decisions(
            old.decisions, seen, {one.name: stay[one.name] for one in published if one.name in stay and not one.is_era},
            {one.name for one in hollow},
        )  # fmt: skip
        unruled = carrying.carried_members(old.unruled_members, seen)
        carried, after = self._carried(old, FaceRows(members, unruled, decisions), seen, stay, rulings)
        archive = Archive(self._library.folder, {}, frozenset(), ruled.kept_folders(registry), ())
        notes = Switched(seen, tuple(hollow), tuple(zip(rulings, after, strict=True)))
        return Plan(
            [wanted[name] for name in stay], gallery, notes, hollow,
            archive=archive, also=self._statements(carried, after, archive),
        )  # fmt: skip

    def _statements(
        self, carried: CarriedOver, rulings: list[Reanchored], archive: Archive
    ) -> Callable[[sa.Connection], None]:
        def also(connection: sa.Connection) -> None:
            write_carried_over(connection, carried)
            write_reanchored(connection, rulings, carried.model_id)
            ruled.write_kept(connection, (), archive.forget)
            self._at_commit()

        return also

    def _carried(
        self,
        old: FaceRows,
        faces: FaceRows,
        seen: SeenAnew,
        contents: Mapping[str, FacesetContent],
        rulings: tuple[Ruling, ...],
    ) -> tuple[CarriedOver, list[Reanchored]]:
        registry, vectors = self._library.registry, carrying.Vectors.of(seen.rows)
        rows, base = carrying.rows_by_name(faces.members), carrying.rows_by_name(faces.unruled_members)
        known = registry.identities()
        others = [one for one in known if one.name not in contents]
        centroids = {one.name: vectors.centroid(rows.get(one.name, {})) for one in others}
        anchors = {name: vectors.centroid(rows.get(name, {})) for name in registry.anchors()}
        records = carrying.carried_records(
            ruled.stood_before(registry), carrying.rows_by_name(old.unruled_members), base, seen, vectors
        )
        kept = {name: content.centroid() for name, content in contents.items()}
        kept |= {one.name: middle for one in others if one.live and (middle := centroids[one.name]) is not None}
        after = carrying.carried_rulings(
            rulings,
            carrying.NewModel(
                self._run.pack.model_id,
                seen.renamed,
                _as_seen(seen),
                rows.keys() | base.keys(),
                {one.name: kept[one.name] for one in known if one.name in kept and not one.is_era},
                self._digests(contents, known),
                self._cover_distance,
            ),
        )
        found = {name: anchor for name, anchor in anchors.items() if anchor is not None}
        return CarriedOver(self._run.pack.model_id, faces, centroids, found, records), after

    def _wanted(self, identity: Identity, rows: Rows) -> Wanted:
        terms = terms_in_place(self._library.folder, identity, self._run.export)
        new = self._numbers
        export = replace(
            terms.export,
            outlier_distance=new.outlier_distance,
            near_duplicate_similarity=new.near_duplicate_similarity,
            session_similarity=new.session_similarity,
        )
        parameters = {**terms.parameters, "swap_ready_facesets": export.recorded()}
        if "era_facesets" in parameters:
            parameters["era_facesets"] = {**parameters["era_facesets"], **new.eras}
        members = {face: how for face, (_, how) in rows.items()}
        return Wanted(members, Terms(terms.kind, terms.bucket, parameters, export), identity, parent=identity.parent)

    def _digests(self, contents: Mapping[str, FacesetContent], known: list[Identity]) -> dict[str, str]:
        found = {}
        for identity in known:
            if identity.name in contents:
                manifest = read_faceset(self._library.folder / faceset_folder(identity.name, identity.kind))
                if manifest is not None:
                    found[manifest.content_digest] = contents[identity.name].digest()
        return found

    def _gallery(self, seen: SeenAnew, rows: Mapping[str, Rows]) -> Gallery:
        return Gallery(
            self._run,
            seen.rows,
            Terms("discovered", LIBRARY, {}, self._run.export),
            (),
            find_rows=lambda _: None,
            places=lambda name: {face: bucket for face, (bucket, _) in rows.get(name, {}).items()},
            pictures=seen.pictures,
        )


def _as_seen(seen: SeenAnew) -> dict[str, RulingFace]:
    """face_id of the old model -> the same face by the new one."""
    once = seen.rows.unique("face_id", keep="first", maintain_order=True)
    by_id = {face.face_id: face for face in ruling_faces(once, "face")}
    return {old: by_id[new] for old, new in seen.renamed.items() if new in by_id}
