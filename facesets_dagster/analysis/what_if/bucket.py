"""A bucket and the library as a what-if finds them, read once, and rehearsals of runs over them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import polars as pl

from facesets_dagster.analysis.existing_centroids import centroid_table, identities_of
from facesets_dagster.analysis.what_if.points import Numbers
from facesets_dagster.analysis.what_if.rehearsal import Rehearsal, Rehearsed, Standing
from facesets_dagster.embedding.embedder import ModelPack
from facesets_dagster.export.curation import ExportParameters
from facesets_dagster.faces.face_pictures import PictureSource
from facesets_dagster.files.records import numbers_of, required
from facesets_dagster.identities.cluster_table import DiscoveryParameters
from facesets_dagster.identities.coverage import cover
from facesets_dagster.identities.discovery import mode_of
from facesets_dagster.identities.gates import Verdict
from facesets_dagster.identities.geometry import normalised
from facesets_dagster.identities.identity import Identity
from facesets_dagster.identities.sweep import ClusterSweep
from facesets_dagster.library.bindings import bindings_of
from facesets_dagster.library.faceset_manifest import read_faceset
from facesets_dagster.library.library import Library
from facesets_dagster.library.marks import marks_of
from facesets_dagster.library.membership import StoreOf, judged_faces, rows_of_members
from facesets_dagster.library.model import require_model
from facesets_dagster.library.next_number import next_number
from facesets_dagster.library.numbering import faceset_folder
from facesets_dagster.publishing.funnel import inputs_digest, inputs_head, verdicts_in_place
from facesets_dagster.publishing.member_rows import MemberRows
from facesets_dagster.publishing.proposal import proposal_of, units_of
from facesets_dagster.registry.registry import BucketRun
from facesets_dagster.registry.snapshot import Snapshot

UNCHANGED = "unchanged"
"""Mode of a run with the inputs of the last one."""


@dataclass(frozen=True)
class WhatIfInputs:
    """What the asset hands over."""

    bucket: str
    default: Numbers
    """For a bucket without a run."""
    base: Mapping[str, float]
    """Numbers of the base point that are not those of the last run."""
    sweeps: Mapping[str, Sequence[float]]
    """Parameter -> values."""
    points: Sequence[Mapping[str, float]]
    pack: ModelPack
    pictures: PictureSource
    code_version: str


class KnownBucket:
    """The bucket and the library as they are, and rehearsals over them."""

    def __init__(self, inputs: WhatIfInputs, library: Library, store_of: StoreOf, faces: pl.DataFrame) -> None:
        self._inputs, self._library = inputs, library
        registry = library.snapshot()
        self.generation = registry.generation
        members = registry.members_of(inputs.bucket)
        self.rows = judged_faces(faces, members)
        ids, pack = self.rows["face_id"].to_list(), inputs.pack
        self._bindings = bindings_of(library, inputs.bucket, pack.model_id, pack.dim, ids)
        self.decisions = library.registry.decisions(inputs.bucket)
        self.standing = _standing(inputs.bucket, library, registry, self.decisions)
        self._run = library.registry.bucket_run(inputs.bucket)
        self.last = self._last_numbers()
        identities = identities_of(centroid_table(library, inputs.pack))
        require_model(identities, inputs.pack)
        copies = registry.copies(inputs.bucket, ids)
        unit = normalised(self.rows["embedding"].to_numpy()) if ids else np.zeros((0, inputs.pack.dim), np.float32)
        self._coverage = cover(unit, ids, inputs.bucket, identities, members, copies, self._bindings)
        self._photo_of = dict(self.rows.select("face_id", "sha256").iter_rows())
        self._unit = units_of(self.rows)
        self._rehearsal = Rehearsal(
            self.standing,
            MemberRows(faces, lambda wanted: rows_of_members(library, store_of, wanted)),
            inputs.pictures,
        )

    def prepare(self, largest_cluster_distance: float) -> None:
        """Before the first rehearsal: how far the linkage has to go."""
        self._sweep = ClusterSweep(
            self.rows,
            self._coverage,
            own={identity.name for identity in self.standing.own()},
            pinned=self.standing.registry.ruled_members(self._inputs.bucket),
            generation=self.generation,
            model_id=self._inputs.pack.model_id,
            largest_cluster_distance=largest_cluster_distance,
            pictures=self._inputs.pictures.of(self.rows),
            bindings=self._bindings,
        )

    def mode(self, numbers: Numbers) -> str:
        """What a run with these numbers would do with the identities that are there."""
        if self._run is None:
            return mode_of(None, numbers.identity_parameters())
        mode = mode_of(self._run.identity_parameters, numbers.identity_parameters())
        if mode == "grow" and self._run.inputs_digest == self._digest(numbers) and self._all_in_place():
            return UNCHANGED
        return mode

    def rehearse(self, numbers: Numbers, mode: str) -> Rehearsed:
        """A run with these numbers."""
        if mode == UNCHANGED:
            return self._rehearsal.as_it_stands(self.decisions)
        clusters = self._sweep.clusters_at(numbers.cover_distance, numbers.discovery, mode)
        proposal = proposal_of(
            self._inputs.bucket,
            clusters,
            min_faces=numbers.discovery.min_faces,
            rematch_distance=numbers.discovery.rematch_distance,
            photo_of=self._photo_of,
            unit=self._unit,
            bindings=self._bindings,
        )
        coverage = self._sweep.coverage_at(numbers.cover_distance)
        return self._rehearsal.publish(proposal, coverage, self.rows, numbers.cover_distance, numbers.export)

    def rendered(self) -> frozenset[str]:
        """Faces that a run has exported or refused."""
        decided = self.decisions.filter(pl.col("state") == "exported")["face_id"]
        return frozenset({*decided, *self.standing.refused})

    def _last_numbers(self) -> Numbers:
        """Those of the last run; of the default what no run says."""
        default = self._inputs.default
        if self._run is None:
            return default
        numbers = _recorded(self._run.identity_parameters, default)
        exports = [*self._exports_in_place(self._run), default.export]
        candidates = [replace(numbers, export=export) for export in exports]
        same = (one for one in candidates if self._digest(one) == self._run.inputs_digest)
        return next(same, candidates[0])

    def _exports_in_place(self, run: BucketRun) -> list[ExportParameters]:
        """Numbers of exports that the bucket's facesets record, those of the last run first."""
        found: list[tuple[bool, ExportParameters]] = []
        for identity in self.standing.own():
            folder = self._library.folder / faceset_folder(identity.name, identity.kind)
            manifest = read_faceset(folder)
            export = manifest.numbers("swap_ready_facesets", ExportParameters) if manifest else None
            if manifest is not None and export is not None:
                found.append((manifest.run_id != run.run_id, export))
        return list(dict.fromkeys(export for _, export in sorted(found, key=lambda pair: pair[0])))

    def _digest(self, numbers: Numbers) -> str:
        code_version, model_id = self._inputs.code_version, self._inputs.pack.model_id
        parameters = numbers.identity_parameters()
        return inputs_digest(self.rows, inputs_head(code_version, model_id, parameters, numbers.export, self._bindings))

    def _all_in_place(self) -> bool:
        folder = self._library.folder
        return all((folder / identity.name / "manifest.json").exists() for identity in self.standing.own())


def _recorded(parameters: Mapping[str, object], default: Numbers) -> Numbers:
    """The numbers of a run that the registry keeps; of the default what it does not say."""
    found = {name: value for name, value in parameters.items() if isinstance(value, int | float)}
    everything = {
        **{field.name: getattr(default.discovery, field.name) for field in required(DiscoveryParameters)},
        **found,
    }
    discovery = numbers_of(DiscoveryParameters, everything)
    return replace(default, cover_distance=found.get("cover_distance", default.cover_distance), discovery=discovery)


def _standing(bucket: str, library: Library, registry: Snapshot, decisions: pl.DataFrame) -> Standing:
    folder = library.folder
    own = [identity.name for identity in registry.own(bucket, retired=True)]
    registry.members(own)  # one query for all of them
    others = {place for name in own for place in registry.places(name).values()} - {bucket}
    funnels = [library.registry.decisions(other) for other in sorted(others)]

    @cache
    def in_place(name: str, kind: str) -> Mapping[str, Verdict]:
        return verdicts_in_place(folder / faceset_folder(name, kind), name)

    def ended(identity: Identity) -> Mapping[str, Verdict]:
        return in_place(identity.name, identity.kind)

    return Standing(
        bucket=bucket,
        registry=registry,
        next_number=next_number(library),
        refused={face_id: verdict for frame in [*funnels, decisions] for face_id, verdict in _refused(frame)},
        in_place=ended,
        marks=marks_of(library),
    )


def _refused(decisions: pl.DataFrame) -> list[tuple[str, Verdict]]:
    """Faces whose crop failed or would be cut off, and how."""
    rows = decisions.filter(pl.col("state").str.starts_with("crop_failed:") | (pl.col("state") == "cut_off"))
    found = rows.select("face_id", "state", "value", "threshold").iter_rows()
    return [(face_id, Verdict(state, value, threshold)) for face_id, state, value, threshold in found]
