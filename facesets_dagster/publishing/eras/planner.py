"""The eras of the library as they should be, from registry, caches and dates: the plan behind `publish_eras`."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from facesets_dagster.errors import SettingsError
from facesets_dagster.export.curation import ExportParameters
from facesets_dagster.faces.photo_dates import date_contents
from facesets_dagster.faces.schema import face_schema, require_one_model
from facesets_dagster.identities.eras import DatedFaces, EraNumbers
from facesets_dagster.identities.geometry import normalised
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.faceset_manifest import read_faceset
from facesets_dagster.library.membership import rows_of_members
from facesets_dagster.library.model import require_model
from facesets_dagster.library.numbering import faceset_folder
from facesets_dagster.photos.bucket_key import LIBRARY
from facesets_dagster.photos.dates import PhotoDate
from facesets_dagster.publishing.eras.families import ExistingEra, Family, PlannedEra, plan_family
from facesets_dagster.publishing.gallery import Gallery, Terms
from facesets_dagster.publishing.publisher import Plan
from facesets_dagster.publishing.run import Run
from facesets_dagster.publishing.transaction import Wanted

ALL = "*"
"""In `split`: every identity that is not an era."""
_ASSET = "era_facesets"
_EXPORT = "swap_ready_facesets"


@dataclass(frozen=True)
class EraInputs:
    """Which identities are split, and by which numbers."""

    split: tuple[str, ...]
    """Identities that are split now; `ALL` means every one. Others only get later photos slotted into their eras."""
    numbers: EraNumbers
    cache_dir: Path
    today: date


@dataclass(frozen=True)
class DatedRows:
    """The families' members and when their photos were taken."""

    rows: pl.DataFrame
    """Face table of the members, and of the other faces of their photos."""
    dates: Mapping[str, PhotoDate]
    """Content digest -> date."""

    def of(self, members: AbstractSet[str]) -> DatedFaces:
        """The members that are known."""
        rows = self.rows.filter(pl.col("face_id").is_in(list(members))).sort("face_id")
        years = [self.dates[sha256].year for sha256 in rows["sha256"]]
        return DatedFaces(
            tuple(rows["face_id"]),
            normalised(rows["embedding"].to_numpy().reshape(len(rows), -1)),
            np.array([np.nan if year is None else year for year in years], np.float64),
        )


@dataclass(frozen=True)
class EraNotes:
    """What the report says of a plan."""

    families: list[Family]
    """Identities that have eras or are split now, by name."""
    orphans: list[str]
    """Live eras of a parent that is out of use."""
    before: Mapping[str, Mapping[str, str]]
    """Era -> its members as they were."""
    faces: DatedRows


class EraPlanner:
    """Makes the plan, again if the library moved on."""

    def __init__(self, run: Run, inputs: EraInputs) -> None:
        self._run, self._inputs, self._library = run, inputs, run.library
        self._gallery: Gallery | None = None

    def plan(self) -> Plan[EraNotes]:
        """From the library as it is now."""
        registry = self._library.registry
        identities = registry.identities()
        parents = {identity.name: identity for identity in identities if identity.live and not identity.is_era}
        chosen = self._chosen(parents)
        existing, adopted = self._eras(identities, chosen)
        concerned = sorted((chosen | existing.keys()) & parents.keys())
        require_model([identity for identity in identities if identity.live], self._run.pack)
        members = {name: set(faces) - adopted for name, faces in registry.members(concerned).items()}
        found = self._load(
            {
                face: bucket
                for name in concerned
                for face, bucket in self._library.snapshot().places(name).items()
                if face in members.get(name, set())
            }
        )
        names = [*concerned, *(era.identity.name for name in concerned for era in existing.get(name, []))]
        terms = Terms("thin_era", LIBRARY, {}, self._run.export)
        # One for all plans of this publication: a crop is made once.
        self._gallery = gallery = self._gallery or Gallery(self._run, found.rows, terms, names)
        taken = {identity.name for identity in identities}
        families = [
            self._family(
                parents[name],
                found.of(members.get(name, set())),
                members.get(name, set()),
                existing.get(name, []),
                taken,
                name in chosen,
                gallery,
            )
            for name in concerned
        ]
        orphans = [era.identity for parent in sorted(existing.keys() - parents.keys()) for era in existing[parent]]
        orphans = [identity for identity in orphans if identity.live]
        emptied = [identity for family in families for identity in family.emptied]
        wanted = [self._wanted(family.parent, era) for family in families for era in family.eras]
        before = registry.members([identity.name for identity in identities if identity.is_era])
        notes = EraNotes(families, sorted(identity.name for identity in orphans), before, found)
        return Plan(wanted, gallery, notes, retire=sorted([*orphans, *emptied], key=lambda identity: identity.name))

    def _chosen(self, parents: Mapping[str, Identity]) -> set[str]:
        """Raises `SettingsError` for a name that cannot be split."""
        wanted = set(self._inputs.split)
        unknown = sorted(wanted - parents.keys() - {ALL})
        if unknown:
            raise SettingsError(
                f"`split` of era_facesets names {', '.join(unknown)}, expected live identities that are no eras, or "
                f"`{ALL}` for all of them. `facesets status` lists those that exist. Nothing was changed."
            )
        return set(parents) if ALL in wanted else wanted

    def _eras(
        self, identities: list[Identity], chosen: AbstractSet[str]
    ) -> tuple[dict[str, list[ExistingEra]], set[str]]:
        """Parent -> eras that were seeded here, and the members of live eras that came from elsewhere.

        Eras that went out of use because parent or faces were gone count; merged or forgotten ones do not.
        """
        registry = self._library.registry
        anchors, eras = registry.anchors(), [identity for identity in identities if identity.is_era]
        members = registry.members([era.name for era in eras])
        gone = {tombstone.name for tombstone in registry.tombstones() if tombstone.reason != "vanished"}
        found: dict[str, list[ExistingEra]] = {}
        adopted: set[str] = set()
        for era in eras:
            if era.name in anchors and era.name not in gone:
                numbers = self._inputs.numbers if era.family in chosen else self._recorded(era)
                existing = ExistingEra(era, anchors[era.name], numbers, members.get(era.name, {}))
                found.setdefault(era.family, []).append(existing)
            elif era.live:
                adopted |= members.get(era.name, {}).keys()
        return found, adopted

    def _recorded(self, era: Identity) -> EraNumbers:
        """What the era was made with, by its manifest; the run's numbers where there is none any more."""
        place = faceset_folder(era.name, era.kind) if era.live else f"_retired/{era.name}"
        manifest = read_faceset(self._library.folder / place)
        return (manifest.numbers(_ASSET, EraNumbers) if manifest else None) or self._inputs.numbers

    def _load(self, face_ids: Mapping[str, str]) -> DatedRows:
        """Rows and dates of these members."""
        run, inputs = self._run, self._inputs
        found = rows_of_members(self._library, run.store_of, face_ids) if face_ids else None
        rows = pl.DataFrame(schema=face_schema(run.pack.dim)) if found is None else found
        require_one_model(rows, run.pack.model_id, "the members of an identity")
        dates = date_contents(
            rows.filter(pl.col("face_id").is_in(list(face_ids))),
            run.store_of,
            run.folders,
            inputs.cache_dir,
            max_pixels=run.max_pixels,
            today=inputs.today,
            say=run.say,
        )
        return DatedRows(rows, dates)

    def _family(
        self,
        parent: Identity,
        faces: DatedFaces,
        members: set[str],
        existing: list[ExistingEra],
        taken: set[str],
        split: bool,
        gallery: Gallery,
    ) -> Family:
        terms = Terms("thin_era", LIBRARY, {}, self._export_of(parent))
        return plan_family(
            parent,
            faces,
            members - set(faces.face_ids),
            existing,
            taken,
            lambda found: len(gallery.content(found, parent.name, terms).faces),
            split=self._inputs.numbers if split else None,
        )

    def _export_of(self, parent: Identity) -> ExportParameters:
        """An era is exported with its parent's numbers."""
        manifest = read_faceset(self._library.folder / parent.name)
        return (manifest.numbers(_EXPORT, ExportParameters) if manifest else None) or self._run.export

    def _wanted(self, parent: Identity, era: PlannedEra) -> Wanted:
        export, anchor = self._export_of(parent), era.anchor
        span = {"year": anchor.year, "first_year": anchor.first_year, "last_year": anchor.last_year}
        parameters = {_ASSET: {**asdict(era.numbers), **span}, _EXPORT: export.recorded()}
        terms = Terms(era.kind, parent.bucket or LIBRARY, parameters, export)
        # No label of its own: the registry gives an era its parent's.
        return Wanted(era.members, terms, era.identity, era.name, parent.number, parent.name, None, anchor)
