"""What people decided: the observable source of everything that obeys it."""

import dagster as dg

from facesets_dagster.assets._asset import GROUP
from facesets_dagster.assets._versions import text_version
from facesets_dagster.library.library import Library
from facesets_dagster.partitions import SOURCE_BUCKET
from facesets_dagster.registry.rulings import rulings_by_bucket, unpublished_rulings
from facesets_dagster.resources.home import HomeResource


@dg.observable_source_asset(
    name="rulings",
    partitions_def=SOURCE_BUCKET,
    group_name=GROUP,
    description=(
        "What people decided about faces: names, merges, splits, moves, strangers to ignore. Rows of the registry, "
        "written by `facesets rule`, `facesets label` and the jobs apply_merges and undo_merges. The data version of a "
        "bucket changes when a ruling on one of its faces is made or taken back, so that what obeys it is stale."
    ),
)
def rulings(context: dg.OpExecutionContext, home: HomeResource) -> dg.DataVersionsByPartition:
    """Digest of the rulings in force on faces of each bucket."""
    known = context.instance.get_dynamic_partitions(str(SOURCE_BUCKET.name))
    versions = versions_of_rulings(home.library())
    return dg.DataVersionsByPartition({bucket: versions.get(bucket, NONE) for bucket in known})


NONE = text_version("no ruling").value
"""Data version of a bucket of which no ruling speaks."""


def versions_of_rulings(library: Library) -> dict[str, str]:
    """Bucket -> data version, for buckets of which rulings speak."""
    found = rulings_by_bucket(library.registry)
    return {bucket: text_version(" ".join(ids)).value for bucket, ids in found.items()}


def observe_rulings(instance: dg.DagsterInstance, library: Library) -> None:
    """Says which rulings the buckets are subject to of which rulings wait to be applied.

    Dagster takes down what a step read before the step runs: what starts a run of `applied_rulings` reports this first,
    or it would be marked as out of date by its own run.
    """
    versions = versions_of_rulings(library)
    waiting = {face.bucket for ruling in unpublished_rulings(library.registry) for face in ruling.faces}
    for bucket in sorted(waiting):
        tags = {"dagster/data_version": versions.get(bucket, NONE)}
        instance.report_runless_asset_event(dg.AssetObservation("rulings", partition=bucket, tags=tags))
