"""The IO manager for the small tables between assets: Parquet files under `cache/tables/`, one per partition.

`face_cache` does not use it: it is incremental and owns its storage (`faces.store`).
"""

import json
from pathlib import Path

import dagster as dg
import polars as pl
from pydantic import Field

from facesets_dagster.errors import PublishRefused
from facesets_dagster.files.records import numbers_of
from facesets_dagster.files.states import Kept, state_of
from facesets_dagster.files.writing import remove_leftovers, write_parquet
from facesets_dagster.identities.cluster_table import ClusterTable, DiscoveryParameters
from facesets_dagster.photos.bucket_key import file_name

_PARAMETERS = "parameters"
"""Key of the metadata of a cluster table: the numbers that it was made with, JSON."""


_KEPT = Kept[pl.DataFrame]()
"""Tables without partitions (`existing_centroids`): one for all buckets of a home, and large."""


class TableIOManager(dg.ConfigurableIOManager):
    """Keeps Polars frames as Parquet, replaced atomically."""

    folder: str = Field(description="Where the tables are kept.")

    def handle_output(self, context: dg.OutputContext, obj: pl.DataFrame | ClusterTable) -> None:
        """Writes the frame of this asset and partition."""
        path = self._path(context)
        if _KEPT.get(path) is obj:
            return
        remove_leftovers(path.parent)
        if isinstance(obj, ClusterTable):
            numbers = {_PARAMETERS: json.dumps(obj.identity_parameters())}
            write_parquet(path, obj.frame, {"schema_version": "1", **numbers})
            return
        write_parquet(path, obj, {"schema_version": "1"}, smaller=context.has_asset_partitions)
        if not context.has_asset_partitions:
            _KEPT.put(path, state_of(path), obj)

    def load_input(self, context: dg.InputContext) -> pl.DataFrame | ClusterTable:
        """Reads the frame of the upstream asset and partition."""
        path = self._path(context)
        if not path.exists():
            raise dg.Failure(
                f"{path.name} of the asset {context.asset_key.to_user_string()} is not there. Materialize that asset "
                "for this partition first, or run the job discover_identities.",
                allow_retries=False,
            )
        if context.dagster_type.typing_type is not ClusterTable:
            kept = _KEPT.get(path)
            return pl.read_parquet(path) if kept is None else kept
        try:
            return read_clusters(path)
        except PublishRefused as error:
            raise dg.Failure(str(error), allow_retries=False) from error

    def _path(self, context: dg.InputContext | dg.OutputContext) -> Path:
        partition = file_name(context.asset_partition_key) if context.has_asset_partitions else "all"
        return Path(self.folder).joinpath(*context.asset_key.path, f"{partition}.parquet")


def read_clusters(path: Path) -> ClusterTable:
    """A cluster table with its numbers. Raises `PublishRefused` for one that does not carry them."""
    found = json.loads(pl.read_parquet_metadata(path).get(_PARAMETERS, "{}"))
    try:
        parameters, cover_distance = numbers_of(DiscoveryParameters, found), float(found["cover_distance"])
    except (KeyError, ValueError) as error:
        raise PublishRefused(
            f"{path} does not carry the numbers that it was made with ({error}): an earlier release wrote it, or "
            "something else did. Materialize osrc_clusters of this bucket again. Nothing was published."
        ) from error
    return ClusterTable(pl.read_parquet(path), parameters, cover_distance)
