"""Facesets that a bucket's run changed beside the bucket's own, in lines for the summary of `facesets run`."""

from collections.abc import Mapping
from typing import Any

_OTHERS = {
    "hand_sorted_facesets": {"founded": "founded by hand-sorted folders", "changed": "changed by hand-sorted folders"},
    "extended_facesets": {"extended": "got more faces"},
    "era_facesets": {
        "founded": "founded as an era",
        "changed": "changed as an era",
        "revived": "found again as an era",
        "retired": "no longer an era",
    },
}
"""Asset -> key of its metadata that lists facesets -> what became of them."""
_MAX_NAMES = 10


def system_changes(metadata: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """`faceset_001, faceset_004 got more faces (5 joined)`; empty if no other asset changed a faceset."""
    lines = []
    for asset, words in _OTHERS.items():
        for key, what in words.items():
            names = sorted(metadata.get(asset, {}).get(key) or [])
            if names:
                more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
                joined = f" ({metadata[asset]['joined']} joined)" if key == "extended" else ""
                lines.append(f"{', '.join(names[:_MAX_NAMES])}{more} {what}{joined}")
    return lines
