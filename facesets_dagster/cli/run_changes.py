"""Facesets that a bucket's run changed beside the bucket's own, in lines for the summary of `facesets run`."""

from collections.abc import Mapping
from typing import Any

_OTHERS = {
    "hand_sorted_facesets": {"founded": "founded by hand-sorted folders", "changed": "changed by hand-sorted folders"},
    "era_facesets": {
        "founded": "founded as an era",
        "changed": "changed as an era",
        "revived": "found again as an era",
        "retired": "no longer an era",
    },
}
"""Asset -> key of its metadata that lists facesets -> what became of them."""
_MAX_NAMES = 10


def hints(metadata: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Why the bucket has no faceset of its own, who waits to join whom, and the commands for them."""
    sets = metadata.get("swap_ready_facesets", {})
    why, waits = sets.get("why_no_faceset"), sets.get("waiting_to_join_hint")
    return [*([f"no faceset of its own: {why}"] if why else []), *([str(waits)] if waits else [])]


def system_changes(metadata: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """`10 faces joined faceset_007 (Anna)`; empty if no other asset changed a faceset."""
    lines = [str(line) for line in metadata.get("extended_facesets", {}).get("joined") or []]
    for asset, words in _OTHERS.items():
        for key, what in words.items():
            names = sorted(metadata.get(asset, {}).get(key) or [])
            if names:
                more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
                lines.append(f"{', '.join(names[:_MAX_NAMES])}{more} {what}")
    return lines
