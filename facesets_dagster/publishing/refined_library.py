"""A fresh library from all faces of all buckets at once: the domain call behind `refined_library`.

Numbers follow size, so it is for libraries that have no numbers yet: every later run would renumber what was handed
out. A library with numbers is refused; the very same inputs again change nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import polars as pl

from facesets_dagster.errors import PublishRefused
from facesets_dagster.export.curation import ExportParameters
from facesets_dagster.faces.schema import require_one_model
from facesets_dagster.identities.bindings import united
from facesets_dagster.identities.gates import Verdict
from facesets_dagster.identities.geometry import nearest, normalised
from facesets_dagster.identities.refining import Refined, RefineParameters, refine
from facesets_dagster.library.bindings import bindings_of
from facesets_dagster.library.library import Library
from facesets_dagster.library.membership import bucket_faces
from facesets_dagster.library.next_number import numbers_in_folders
from facesets_dagster.photos.bucket_key import REFINED, bucket_title
from facesets_dagster.publishing.funnel import bucket_record, inputs_digest, verdicts_of
from facesets_dagster.publishing.gallery import Gallery, Terms
from facesets_dagster.publishing.publisher import Plan, Update, publish
from facesets_dagster.publishing.rulings.taking_over import as_of_here
from facesets_dagster.publishing.rulings.writing import enter
from facesets_dagster.publishing.run import Run
from facesets_dagster.publishing.top_manifest import merge_top_manifest
from facesets_dagster.publishing.transaction import BucketRecord, Wanted
from facesets_dagster.registry.rulings import rulings_in_force


@dataclass(frozen=True)
class RefineInputs:
    """Which buckets make the library, and by which numbers."""

    parameters: RefineParameters
    buckets: Sequence[str]
    max_faces: int
    """More are refused: the linkage holds a matrix of all pairs."""

    def by_asset(self, export: ExportParameters) -> dict[str, dict[str, object]]:
        """As in run config."""
        return {"refined_library": asdict(self.parameters), "swap_ready_facesets": export.recorded()}

    def head(self, run: Run) -> list[object]:
        """What is equal between runs with the same numbers, model and code."""
        return [run.code_version, run.pack.model_id, self.by_asset(run.export)]


@dataclass(frozen=True)
class RefineResult:
    """What came of it."""

    update: Update[None] | None
    """None if the library is the result of these very inputs already."""
    refined: Refined | None
    faces: int
    buckets: dict[str, int]
    """Bucket -> faces."""


def refined_identities(library: Library) -> list[str]:
    """Live identities that a refinement founded, by number."""
    founded = [one for one in library.registry.identities() if one.live and one.bucket == REFINED and not one.is_era]
    return [one.name for one in sorted(founded, key=lambda one: one.number)]


def photos_in_order(library: Library, names: Sequence[str]) -> tuple[list[int], list[int]]:
    """Distinct photos of the members as these identities were founded, and all numbers of the refinement, in order.

    Numbers of those that were merged since count.
    """
    counts = []
    for name in names:
        rows = pl.read_parquet(library.folder / name / "members.parquet", columns=["sha256", "joined_by"])
        counts.append(rows.filter(pl.col("joined_by") == "refined")["sha256"].n_unique())
    everyone = [one for one in library.registry.identities() if one.bucket == REFINED and not one.is_era]
    return counts, sorted(one.number for one in everyone)


def refine_library(run: Run, inputs: RefineInputs, before: Library | None = None) -> RefineResult:
    """Founds the people of all buckets, most photos first. Raises `PublishRefused` for a library with numbers.

    `before`: the library beside which this one begins; its rulings in force are those of this one too.
    """
    library = run.library
    library.finish_moves(run.holder, run.say)
    faces = {bucket: _present(bucket_faces(run.store_of(bucket), library, bucket)) for bucket in inputs.buckets}
    for bucket, table in faces.items():
        require_one_model(table, run.pack.model_id, f"the face cache of {bucket_title(bucket)}")
    counts = {bucket: len(table) for bucket, table in faces.items()}
    if _is_done(run, inputs, faces):
        merge_top_manifest(library, run.holder, run.say)  # in case a run died before it did
        return RefineResult(None, None, sum(counts.values()), counts)
    require_fresh(library)
    every = pl.concat(faces.values()) if faces else None
    if every is None or every.is_empty():
        raise PublishRefused("There is no face to refine. Materialize face_cache of your buckets first.")
    distinct = every.unique("face_id", keep="first", maintain_order=True)
    if len(distinct) > inputs.max_faces:
        raise PublishRefused(
            f"{len(distinct)} faces are more than max_faces ({inputs.max_faces}). Memory grows with the faces and "
            "their near pairs (1,000,000 faces: about 8 GB): raise max_faces where there is that much, or run "
            "discover_identities bucket by bucket."
        )
    if before is not None:
        enter(library, as_of_here(library, rulings_in_force(before.registry)))
    said = united(
        bindings_of(library, bucket, run.pack.model_id, run.pack.dim, table["face_id"].to_list())
        for bucket, table in faces.items()
    )
    refined = refine(distinct, inputs.parameters, run.pictures.of(distinct), said)
    run.say(f"{len(distinct)} faces: {refined.raw_clusters} raw clusters, {len(refined.people)} people")

    def make_plan() -> Plan[None]:
        require_fresh(library)
        return _plan(run, inputs, refined, distinct, faces)

    return RefineResult(publish(run, make_plan), refined, len(distinct), counts)


def require_fresh(library: Library) -> None:
    """Raises `PublishRefused` if any number was ever given in this library or in a legacy one beside it."""
    numbers = library.registry.used_numbers() | numbers_in_folders(library)
    if numbers:
        raise PublishRefused(
            f"The library {library.folder} has {len(numbers)} numbers already (up to {max(numbers)}). Refining gives "
            "numbers by size, which would make all existing names wrong, so nothing was done. Give "
            "`new_library` a name to start another library beside this one; new photos go through full_pipeline."
        )


def _present(faces: pl.DataFrame) -> pl.DataFrame:
    return faces.filter(~pl.col("source_missing"))


def _is_done(run: Run, inputs: RefineInputs, faces: Mapping[str, pl.DataFrame]) -> bool:
    library = run.library
    live = [identity for identity in library.registry.identities() if identity.live]
    if not live or any(identity.bucket != REFINED for identity in live):
        return False
    runs = {bucket: library.registry.bucket_run(bucket) for bucket in faces}
    digests = {bucket: inputs_digest(table, inputs.head(run)) for bucket, table in faces.items()}
    return all(run is not None and run.inputs_digest == digests[bucket] for bucket, run in runs.items())


def _plan(
    run: Run, inputs: RefineInputs, refined: Refined, distinct: pl.DataFrame, faces: Mapping[str, pl.DataFrame]
) -> Plan[None]:
    terms = Terms("auto", REFINED, inputs.by_asset(run.export), run.export)
    wanted = [Wanted(dict.fromkeys(members, "refined"), terms) for members in refined.people]
    gallery = Gallery(run, distinct, terms, [])
    first_bucket = dict(distinct.select("face_id", "bucket").iter_rows())

    def records(names: Mapping[int, str]) -> list[BucketRecord]:
        verdicts, near = dict(refined.verdicts), _nearest(distinct, wanted, names, gallery)
        for place, entry in enumerate(wanted):
            content = gallery.content(entry.members, None, entry.terms)
            for bucket in faces:
                verdicts.update(verdicts_of(content, bucket, names.get(place)))
        found = []
        for bucket, table in faces.items():
            here = {
                face_id: _of_copy(verdicts[face_id], near.get(face_id), inputs.parameters.merge_distance)
                if first_bucket[face_id] != bucket
                else verdicts[face_id]
                for face_id in table["face_id"]
            }
            parameters = inputs.by_asset(run.export)["refined_library"]
            found.append(bucket_record(bucket, table, here, near, inputs.head(run), parameters))
        return found

    return Plan(wanted, gallery, None, records=records)


def _of_copy(verdict: Verdict, near: tuple[str | None, float] | None, distance: float) -> Verdict:
    """The same bytes lie in an earlier bucket, whose face is the member: here it is covered by that identity."""
    if verdict.identity is None or near is None:
        return verdict
    return Verdict("covered", near[1], distance, verdict.identity)


def _nearest(
    distinct: pl.DataFrame, wanted: Sequence[Wanted], names: Mapping[int, str], gallery: Gallery
) -> dict[str, tuple[str | None, float]]:
    """face_id -> nearest of the new identities, and the distance."""
    if not names:
        return {}
    places = sorted(names)
    centroids = np.array(
        [gallery.content(wanted[place].members, None, wanted[place].terms).centroid() for place in places], np.float32
    )
    index, distance = nearest(normalised(distinct["embedding"].to_numpy()), centroids)
    return {
        face_id: (names[places[best]], float(value))
        for face_id, best, value in zip(distinct["face_id"], index.tolist(), distance.tolist(), strict=True)
    }
