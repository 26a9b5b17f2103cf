"""Which assets publish, and the order of steps that no edge of the graph gives; stated here alone.

An asset that works without another one has no edge from it, and a job that holds both runs them in this order
(`docs/decisions/graph.md`). Assets are named: their modules need not be loaded to say so.
"""

from collections.abc import Mapping, Sequence

OPTIONAL_PUBLISHERS = (
    "extended_facesets",
    "hand_sorted_facesets",
    "legacy_library",
    "refined_library",
    "era_facesets",
    "applied_rulings",
)
PUBLISHERS = ("swap_ready_facesets", *OPTIONAL_PUBLISHERS)
"""Assets that change facesets."""

RUNS_AFTER: Mapping[str, Sequence[str]] = {
    "legacy_library": (),
    "hand_sorted_facesets": ("legacy_library",),
    "existing_centroids": ("legacy_library", "hand_sorted_facesets"),
    "osrc_uncovered": (),
    "extended_facesets": ("legacy_library", "hand_sorted_facesets"),
    "osrc_clusters": ("extended_facesets",),
    "swap_ready_facesets": (),
    "era_facesets": ("swap_ready_facesets",),
    # Known people are extended before discovery, which comes first anyway.
    "top_manifest": [name for name in OPTIONAL_PUBLISHERS if name != "extended_facesets"],
}
"""Asset -> assets that a job which holds them runs before it; `full_pipeline` holds all that are keys here.

Of steps that could begin at the same moment, the one that comes first here begins.
"""
FIRST_TO_LAST = tuple(RUNS_AFTER)

RULING = ("applied_rulings", "top_manifest")
"""What brings the library up to the rulings in force."""


def priority(name: str) -> int:
    """Steps with a higher one begin first: publishers without a place of their own just before `top_manifest`, others
    that are not named last.
    """
    if name in FIRST_TO_LAST:
        return len(FIRST_TO_LAST) - FIRST_TO_LAST.index(name)
    return 1 + priority("top_manifest") if name in PUBLISHERS else 0
