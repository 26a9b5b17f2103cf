"""What people decided: the observable source of everything that obeys it."""

from collections.abc import Collection

import dagster as dg

from facesets_dagster.assets._asset import GROUP
from facesets_dagster.assets._versions import text_version
from facesets_dagster.library.library import Library
from facesets_dagster.partitions import SOURCE_BUCKET
from facesets_dagster.registry.rulings import rulings_by_bucket
from facesets_dagster.resources.home import HomeResource

KEY = dg.AssetKey("rulings")
NONE = text_version("no ruling").value
"""Data version of a bucket of which no ruling speaks."""


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


def versions_of_rulings(library: Library, ids: Collection[str] | None = None) -> dict[str, str]:
    """Bucket -> data version, for buckets of which rulings speak: those in force, or these."""
    found = rulings_by_bucket(library.registry, ids)
    return {bucket: text_version(" ".join(some)).value for bucket, some in found.items()}


def observe_rulings(instance: dg.DagsterInstance, library: Library, ids: Collection[str] | None = None) -> list[str]:
    """Reports which rulings the buckets are subject to, those in force or these, where it is not what was reported
    last; gives these buckets.

    One bucket is reported the first time in any case: where nothing was reported when a step ran, Dagster (1.13) takes
    whatever comes later for what the step read.
    """
    versions = versions_of_rulings(library, ids)
    kind, tag = dg.DagsterEventType.ASSET_OBSERVATION, "dagster/data_version"
    last = instance.event_log_storage.get_latest_tags_by_partition(KEY, kind, [tag])
    changed = [
        bucket
        for bucket in sorted({*versions, *last})
        if versions.get(bucket, NONE) != last.get(bucket, {}).get(tag, NONE)
    ]
    if not (last or changed):
        changed = sorted(instance.get_dynamic_partitions(str(SOURCE_BUCKET.name)))[:1]
    for bucket in changed:
        tags = {tag: versions.get(bucket, NONE)}
        instance.report_runless_asset_event(dg.AssetObservation(KEY, partition=bucket, tags=tags))
    return changed


def observe_obeyed(context: dg.AssetExecutionContext, library: Library, ids: Collection[str]) -> None:
    """Reports that the library obeys these rulings now, as what the step of `context` depended on.

    Dagster takes down what a step read before the step runs, and a step of `applied_rulings` may write rulings itself,
    whatever started it: so this is taken down anew. A ruling that was written meanwhile is reported after it, and the
    step's result is out of date then.
    """
    observe_rulings(context.instance, library, ids)
    step = context.get_step_execution_context()
    step.wipe_input_asset_version_info(KEY)
    step.maybe_fetch_and_get_input_asset_version_info(KEY)
    observe_rulings(context.instance, library)
