"""The run that an asset hands to the domain, made of the resources."""

from collections.abc import Mapping
from pathlib import Path

from dagster import AssetExecutionContext, AssetKey

from facesets_dagster import __version__
from facesets_dagster.assets._asset import CODE_VERSION
from facesets_dagster.assets._config import ExportConfig, PhotoConfig
from facesets_dagster.assets._consent import ages_of
from facesets_dagster.assets._forgetting import finish_pending
from facesets_dagster.library.consent import policy_of
from facesets_dagster.library.library import Library
from facesets_dagster.publishing.run import Run
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource


def run_of(
    context: AssetExecutionContext,
    home: HomeResource,
    embedder: EmbedderResource,
    config: PhotoConfig,
    *,
    export: ExportConfig | None = None,
    library: Library | None = None,
    folders: Mapping[str, Path] | None = None,
) -> Run:
    """What the domain needs of this run.

    `export`: how faces are exported, the pack's numbers without it; `library`: another one than the home's; `folders`:
    further buckets.
    """
    policy_of(Path(home.library_dir))  # one that cannot be used stops the run before anything is written
    finish_pending(home, embedder, context.instance, context.run.run_id, context.log.info)
    pack, every = embedder.pack(), {**home.folders(), **(folders or {})}
    return Run(
        library=library or home.library(),
        store_of=home.store_of(pack),
        embedder=embedder.embedder,
        pack=pack,
        folders=every,
        max_pixels=config.max_pixels,
        pictures=home.pictures(pack, config.max_pixels, every),
        export=(export or ExportConfig()).resolved(embedder.thresholds()),
        run_id=context.run.run_id,
        code_version=f"{__version__}/{CODE_VERSION}",
        say=context.log.info,
        cover_distance=embedder.thresholds().cover_distance,
        ages=ages_of(home, embedder, every, config.max_pixels),
    )


def runs_too(context: AssetExecutionContext, asset: str) -> bool:
    """Whether this run materializes that asset as well."""
    return AssetKey(asset) in context.job_def.asset_layer.executable_asset_keys
