"""Real runs over made-up faces: the assets' tables, the real publication; only pictures are replaced by tiny ones.

There is no photo to cut a crop out of, so a crop is an 8 x 8 picture with the right lineage, and every one is good.
"""

from collections.abc import Mapping
from dataclasses import replace
from unittest.mock import patch

import dagster as dg
import numpy as np
import polars as pl

from facesets_dagster import __version__
from facesets_dagster.analysis.what_if.points import EXPORT, Numbers
from facesets_dagster.assets._asset import CODE_VERSION
from facesets_dagster.definitions import build_defs
from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.export.crop import crop_plans
from facesets_dagster.export.curation import ExportParameters
from facesets_dagster.export.face_crop import lineage
from facesets_dagster.export.png import encode_png
from facesets_dagster.partitions import SOURCE_BUCKET
from facesets_dagster.publishing.run import Run
from facesets_dagster.publishing.swap_ready_facesets import PublishInputs, publish_bucket, settle_bucket
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.resources.tables import read_clusters
from testing.homes import RealHome

_TABLES = ("existing_centroids", "osrc_uncovered", "osrc_clusters")


def publish_made_up(home: RealHome, bucket: str, numbers: Numbers) -> pl.DataFrame:
    """The funnel of a run of a bucket whose faces are cached. `numbers`: everything that decides on it."""
    _tables(home, bucket, numbers)
    resource = HomeResource.of(home.settings)
    tables = home.settings.cache_dir / "tables"
    pack = home.model()
    run = Run(
        library=resource.library(),
        store_of=resource.store_of(pack),
        embedder=_no_model,
        pack=pack,
        folders={bucket: home.folder / "buckets" / bucket},
        max_pixels=1,
        pictures=resource.pictures(pack, 1),
        export=replace(numbers.export, crop_px=8),
        run_id="made up",
        code_version=f"{__version__}/{CODE_VERSION}",
        say=lambda _: None,
    )
    inputs = PublishInputs(
        bucket,
        pl.read_parquet(tables / "osrc_uncovered" / f"{bucket}.parquet"),
        read_clusters(tables / "osrc_clusters" / f"{bucket}.parquet"),
    )
    with patch("facesets_dagster.export.rendering.face_crop", _crop):
        result = publish_bucket(run, inputs)
        settle_bucket(run, inputs, inputs.coverage)
        return result.funnel


def run_config(numbers: Numbers) -> dict[str, dict[str, float]]:
    """The numbers as run config: asset -> its fields."""
    flat = numbers.flat()
    clusters = {name: value for name, value in flat.items() if name not in EXPORT and name != "cover_distance"}
    exports = {theirs: flat[name] for name, theirs in EXPORT.items()}
    uncovered = {"cover_distance": numbers.cover_distance}
    return {"osrc_uncovered": uncovered, "osrc_clusters": clusters, "swap_ready_facesets": exports}


def _tables(home: RealHome, bucket: str, numbers: Numbers) -> None:
    config = {name: {"config": dict(values)} for name, values in run_config(numbers).items() if name in _TABLES}
    job = dg.define_asset_job("tables", selection=list(_TABLES), executor_def=dg.in_process_executor)
    repository = dg.Definitions.merge(build_defs(home.settings), dg.Definitions(jobs=[job])).get_repository_def()
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(str(SOURCE_BUCKET.name), [bucket])
        repository.get_job("tables").execute_in_process(
            run_config={"ops": config, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            instance=instance,
            partition_key=bucket,
        )


def _crop(row: Mapping[str, object], person: object, parameters: ExportParameters, *_: object) -> bytes:
    plan = next(iter(crop_plans(parameters.crop_padding, "reflect")))
    return encode_png(np.zeros((8, 8, 3), np.uint8), lineage(row, parameters, plan))


def _no_model() -> Embedder:
    raise AssertionError("Made-up faces have no photo that a model could look at.")
