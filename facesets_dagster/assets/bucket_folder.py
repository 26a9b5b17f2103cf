"""The photos on disk: the source of everything."""

import dagster as dg

from facesets_dagster.assets._asset import GROUP
from facesets_dagster.errors import BucketError
from facesets_dagster.partitions import SOURCE_BUCKET
from facesets_dagster.resources.home import HomeResource


@dg.observable_source_asset(
    name="bucket_folder",
    partitions_def=SOURCE_BUCKET,
    group_name=GROUP,
    description=(
        "A source bucket: a folder of photos of mixed people, read-only to the platform. Its data version is a digest "
        "of the paths, sizes and times (last write, last change of status) of its photo files, so that `face_cache` is "
        "stale exactly when they changed."
    ),
)
def bucket_folder(context: dg.OpExecutionContext, home: HomeResource) -> dg.DataVersionsByPartition:
    """Digest of the state of every known bucket folder that is there; one that cannot be read keeps its last."""
    known = set(context.instance.get_dynamic_partitions(str(SOURCE_BUCKET.name)))
    versions, unreadable = dict[str, str](), list[str]()
    for bucket in (bucket for bucket in home.buckets() if bucket in known):
        try:
            versions[bucket] = home.listing(bucket).digest()
        except BucketError as error:
            unreadable.append(str(error))
    if unreadable and not versions:
        raise BucketError("\n".join(unreadable))
    for text in unreadable:
        context.log.error(text)
    return dg.DataVersionsByPartition(versions)
