"""The library itself: what publishes leads to it, what reads it comes after it."""

import dagster as dg

from facesets_dagster.assets._asset import GROUP, OWNERS
from facesets_dagster.assets._order import PUBLISHERS

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
