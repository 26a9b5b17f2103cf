"""Who writes facesets: by name, so that whoever comes after them all can say so without a cycle of imports.

`legacy_library` is before `hand_sorted_facesets`.
"""

PUBLISH_PEOPLE = ("hand_sorted_facesets", "refined_library", "extended_facesets", "swap_ready_facesets")
PUBLISHERS = (*PUBLISH_PEOPLE, "era_facesets", "applied_merges", "undone_merges")
