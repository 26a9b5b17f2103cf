"""The library itself: what publishes leads to it, what reads it comes after it."""

import dagster as dg

from facesets_dagster.assets._asset import GROUP, OWNERS

OPTIONAL_PUBLISHERS = (
    "extended_facesets",
    "hand_sorted_facesets",
    "legacy_library",
    "refined_library",
    "era_facesets",
    "applied_rulings",
)
PUBLISHERS = ("swap_ready_facesets", *OPTIONAL_PUBLISHERS)
"""Assets that change facesets, by name: their modules need not be loaded to say so."""

library = dg.AssetSpec(
    "library",
    deps=PUBLISHERS,
    group_name=GROUP,
    owners=OWNERS,
    kinds={"png", "sqlite"},
    description=(
        "The face sets on disk, `facesets_swap_ready/`, and the registry of their identities. Seven assets change it, "
        "each change as a whole or not at all; its data version counts the changes. It is never materialized by "
        "itself, and it may be empty: no asset that reads it needs all of the seven."
    ),
)
