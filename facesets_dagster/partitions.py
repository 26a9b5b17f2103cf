"""The one dynamic partition set: a partition is a source bucket, its key the escaped folder name."""

import dagster as dg

SOURCE_BUCKET = dg.DynamicPartitionsDefinition(name="source_bucket")
