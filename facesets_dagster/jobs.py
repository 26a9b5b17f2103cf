"""The job: the main chain for one bucket, in one process, so that the model is loaded once."""

import dagster as dg

MAIN_CHAIN = (
    "face_cache",
    "existing_centroids",
    "osrc_uncovered",
    "osrc_clusters",
    "swap_ready_facesets",
    "top_manifest",
)

discover_identities = dg.define_asset_job(
    name="discover_identities",
    selection=list(MAIN_CHAIN),
    description=(
        "The main chain for one bucket: faces are read, known people set aside, the rest clustered, published as "
        "numbered face sets and entered into the manifest."
    ),
    executor_def=dg.in_process_executor,
)
