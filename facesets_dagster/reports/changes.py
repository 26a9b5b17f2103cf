"""What a run changed, in words."""

from facesets_dagster.publishing.outcome import Outcome
from facesets_dagster.wording import counted


def changes_in_words(outcome: Outcome, exported: dict[str, int]) -> list[str]:
    """One line per faceset that a run founded, changed, revived or retired."""
    groups = [
        ("founded", outcome.founded),
        ("changed", outcome.changed),
        ("found again, own number given back", outcome.revived),
        ("no longer found, moved to `_retired/`", outcome.retired),
    ]
    return [
        f"{name}: {word}" + (f", {counted(exported[name], 'face')} exported" if name in exported else "")
        for word, names in groups
        for name in sorted(names)
    ]
