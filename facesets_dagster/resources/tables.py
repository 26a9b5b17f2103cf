"""The IO manager for the small tables between assets: Parquet files under `cache/tables/`, one per partition.

`face_cache` does not use it: it is incremental and owns its storage (`faces.store`).
"""

from pathlib import Path

import dagster as dg
import polars as pl
from pydantic import Field

from facesets_dagster.files.writing import remove_leftovers, write_parquet


class TableIOManager(dg.ConfigurableIOManager):
    """Keeps Polars frames as Parquet, replaced atomically."""

    folder: str = Field(description="Where the tables are kept.")

    def handle_output(self, context: dg.OutputContext, obj: pl.DataFrame) -> None:
        """Writes the frame of this asset and partition."""
        remove_leftovers(self._path(context).parent)
        write_parquet(self._path(context), obj, {"schema_version": "1"})

    def load_input(self, context: dg.InputContext) -> pl.DataFrame:
        """Reads the frame of the upstream asset and partition."""
        path = self._path(context)
        if not path.exists():
            raise dg.Failure(
                f"{path.name} of the asset {context.asset_key.to_user_string()} is not there. Materialize that asset "
                "for this partition first, or run the job discover_identities.",
                allow_retries=False,
            )
        return pl.read_parquet(path)

    def _path(self, context: dg.InputContext | dg.OutputContext) -> Path:
        partition = context.asset_partition_key if context.has_asset_partitions else "all"
        return Path(self.folder).joinpath(*context.asset_key.path, f"{partition}.parquet")
