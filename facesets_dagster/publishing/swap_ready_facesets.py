"""From the tables of a bucket to its publication: the domain call behind `swap_ready_facesets`."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.errors import PublishRefused
from facesets_dagster.export.curation import ExportParameters
from facesets_dagster.faces.schema import require_one_model
from facesets_dagster.identities.gates import Verdict
from facesets_dagster.identities.geometry import normalised
from facesets_dagster.library.membership import (
    bucket_faces,
    members_of_bucket,
    own_names,
)
from facesets_dagster.publishing.bucket_publisher import Publisher
from facesets_dagster.publishing.funnel import inputs_digest
from facesets_dagster.publishing.gallery import Terms
from facesets_dagster.publishing.outcome import Outcome, Publication
from facesets_dagster.publishing.resolution import Proposal
from facesets_dagster.publishing.run import Run
from facesets_dagster.publishing.top_manifest import merge_top_manifest
from facesets_dagster.wording import counted


@dataclass(frozen=True)
class PublishInputs:
    """A bucket and its tables."""

    bucket: str
    coverage: pl.DataFrame
    clusters: pl.DataFrame

    def identity_parameters(self) -> dict[str, object]:
        """The numbers that decided who is who, as the cluster table carries them; {} for a bucket without faces."""
        if self.clusters.is_empty():
            return {}
        found = json.loads(self.clusters["parameters"][0])
        if not isinstance(found, dict):
            raise PublishRefused(f"The cluster table of {self.bucket} carries no parameters. Materialize it again.")
        return found

    def parameters_by_asset(self, export: ExportParameters) -> dict[str, dict[str, object]]:
        """As in run config: names like `outlier_distance` mean another thing in each asset."""
        identity = self.identity_parameters()
        clusters = {key: value for key, value in identity.items() if key != "cover_distance"}
        uncovered = {key: value for key, value in identity.items() if key == "cover_distance"}
        return {"osrc_uncovered": uncovered, "osrc_clusters": clusters, "swap_ready_facesets": asdict(export)}


@dataclass(frozen=True)
class PublishResult:
    """What came of it."""

    outcome: Outcome
    funnel: pl.DataFrame
    exported: dict[str, int]
    """Faceset that this bucket founded -> faces of this bucket that it exports."""
    library_dir: Path


def publish_bucket(run: Run, inputs: PublishInputs) -> PublishResult:
    """Publishes a bucket, or finds that nothing changed, and says which."""
    library = run.library
    library.settle(run.holder, run.say)
    store = run.store_of(inputs.bucket)
    faces = bucket_faces(store, library, inputs.bucket)
    _require_consistent(run, inputs, faces)
    parameters = inputs.identity_parameters()
    request = _request(run, inputs, faces, parameters)
    publisher = Publisher(library.registry, library.folder, library.legacy_roots, run.say)
    terms = Terms("discovered", inputs.bucket, inputs.parameters_by_asset(run.export), run.export)
    gallery = run.gallery(faces, terms, own_names(library, inputs.bucket, retired=True))
    outcome = publisher.publish(request, gallery)
    merge_top_manifest(library, run.holder, run.say)
    folder_digest = store.folder_digest()
    if folder_digest is not None:
        library.registry.note_folder(inputs.bucket, folder_digest)
    funnel = library.registry.decisions(inputs.bucket)
    own = own_names(library, inputs.bucket, retired=False)
    mine = funnel.filter((pl.col("state") == "exported") & pl.col("identity").is_in(own))
    exported = dict(mine.group_by("identity").len().sort("identity").iter_rows())
    run.say(f"{inputs.bucket}: {_summary(outcome)}")
    return PublishResult(outcome, funnel, exported, library.folder)


def _require_consistent(run: Run, inputs: PublishInputs, faces: pl.DataFrame) -> None:
    library = run.library
    for frame, what in ((faces, "face cache"), (inputs.coverage, "coverage"), (inputs.clusters, "cluster table")):
        require_one_model(frame, run.pack.model_id, f"the {what} of {inputs.bucket}")
    ids = inputs.coverage["face_id"].to_list()
    live = {*own_names(library, inputs.bucket, retired=False), *members_of_bucket(library, inputs.bucket).values()}
    referred = inputs.clusters.filter(pl.col("state").is_in(["member", "joining"]))["identity"].to_list()
    unknown = set(ids) - set(faces["face_id"])
    if ids != inputs.clusters["face_id"].to_list() or unknown or set(referred) - live:
        raise PublishRefused(
            f"The tables of {inputs.bucket} do not belong together: they were made from different states of the cache "
            "or the library. Nothing was published. Materialize osrc_uncovered and osrc_clusters again, or run the "
            "job discover_identities."
        )


def _request(run: Run, inputs: PublishInputs, faces: pl.DataFrame, parameters: dict[str, object]) -> Publication:
    rows = faces.filter(pl.col("face_id").is_in(inputs.coverage["face_id"].to_list()))
    return Publication(
        proposal=proposal_of(
            inputs.bucket,
            inputs.clusters,
            min_faces=int(str(parameters.get("min_faces", 1))),
            rematch_distance=float(str(parameters.get("rematch_distance", 0))),
            photo_of=dict(rows.select("face_id", "sha256").iter_rows()),
            unit=units_of(rows),
        ),
        inputs_digest=inputs_digest(rows, [run.code_version, run.pack.model_id, parameters, asdict(run.export)]),
        identity_parameters=parameters,
        model_id=run.pack.model_id,
        coverage=inputs.coverage,
        flags=rows.select("face_id", "source_missing", "truncated"),
        run_id=run.run_id,
        code_version=run.code_version,
    )


def units_of(rows: pl.DataFrame) -> dict[str, NDArray[np.float32]]:
    """face_id -> unit embedding (dim,) of rows of the face table."""
    ids = rows["face_id"].to_list()
    return dict(zip(ids, normalised(rows["embedding"].to_numpy()), strict=True)) if ids else {}


def proposal_of(
    bucket: str,
    table: pl.DataFrame,
    *,
    min_faces: int,
    rematch_distance: float,
    photo_of: Mapping[str, str],
    unit: Mapping[str, NDArray[np.float32]],
) -> Proposal:
    """What a cluster table proposes. `photo_of`: face_id -> content digest; `unit`: face_id -> (dim,)."""
    survivors = table.filter(pl.col("state").is_in(["candidate", "small_cluster"]))
    clusters: dict[int, set[str]] = {}
    for label, face_id in survivors.select("cluster", "face_id").iter_rows():
        clusters.setdefault(label, set()).add(face_id)
    return Proposal(
        bucket=bucket,
        mode=table["mode"][0] if len(table) else "grow",
        min_faces=min_faces,
        rematch_distance=rematch_distance,
        verdicts=_verdicts(table),
        clusters=clusters,
        photo_of=photo_of,
        unit=unit,
    )


def _verdicts(clusters: pl.DataFrame) -> dict[str, Verdict]:
    columns = ("face_id", "state", "value", "threshold", "identity")
    return {row[0]: Verdict(*row[1:]) for row in clusters.select(columns).iter_rows()}


def _summary(outcome: Outcome) -> str:
    if outcome.unchanged:
        return f"nothing changed, {counted(len(outcome.kept), 'faceset stands', 'facesets stand')}"
    parts = [("founded", outcome.founded), ("changed", outcome.changed), ("kept", outcome.kept)]
    parts += [("retired", outcome.retired), ("revived", outcome.revived)]
    return ", ".join(f"{len(names)} {word}" for word, names in parts if names) or "no faceset"
