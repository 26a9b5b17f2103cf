"""What the two jobs of merging hand over to the domain."""

from facesets_dagster import __version__
from facesets_dagster.assets._shape import CODE_VERSION
from facesets_dagster.assets.swap_ready_facesets import SwapReadyFacesetsConfig
from facesets_dagster.publishing.merges.planner import MergeInputs
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource


def merge_inputs(home: HomeResource, embedder: EmbedderResource, run_id: str, max_pixels: int) -> MergeInputs:
    """The pack, where photos lie, and numbers for legacy facesets that were never exported here."""
    return MergeInputs(
        export=SwapReadyFacesetsConfig().resolved(embedder.thresholds()),
        pack=embedder.pack(),
        folders=home.folders(),
        max_pixels=max_pixels,
        run_id=run_id,
        code_version=f"{__version__}/{CODE_VERSION}",
    )
