"""The one dynamic partition set: a partition is a source bucket, its key the escaped folder name."""

from collections.abc import Sequence

import dagster as dg

SOURCE_BUCKET = dg.DynamicPartitionsDefinition(name="source_bucket")
_AT_ONCE = 1_000
"""Keys in a statement: SQLite takes 32,766 values (dagster-io/dagster#16260)."""


def add_partitions(instance: dg.DagsterInstance, buckets: Sequence[str]) -> None:
    """Makes partitions of these buckets; those that are there stay."""
    for start in range(0, len(buckets), _AT_ONCE):
        instance.add_dynamic_partitions(str(SOURCE_BUCKET.name), buckets[start : start + _AT_ONCE])


def without_partition(instance: dg.DagsterInstance, buckets: Sequence[str]) -> list[str]:
    """Those of these buckets that are no partition yet."""
    return [bucket for bucket in buckets if not instance.has_dynamic_partition(str(SOURCE_BUCKET.name), bucket)]
