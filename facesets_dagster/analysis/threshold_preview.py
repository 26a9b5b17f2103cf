"""What another distance for clusters would change in the face sets: a rehearsal of each bucket's run, added up."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from facesets_dagster.analysis.what_if.rehearsal import Rehearsed
from facesets_dagster.analysis.what_if.what_if import WhatIf

Rehearse = Callable[[str], WhatIf]
"""Bucket -> the base point and the one with the other distance, nothing else."""


@dataclass(frozen=True)
class ThresholdPreview:
    """Of the buckets that were rehearsed."""

    buckets: int
    """That were rehearsed: the largest ones, as many as the time allowed."""
    of: int
    """That ever ran."""
    facesets_before: int
    facesets_after: int
    faces_in: tuple[str, ...]
    """face_ids that nobody's face set has now and somebody's would."""
    faces_out: tuple[str, ...]
    people_change: int
    """Face sets in use with other members, new ones and those that would go included."""


def preview_threshold(buckets: Iterable[str], rehearse: Rehearse, seconds: float) -> ThresholdPreview:
    """Rehearses one bucket after the other, `seconds` at most, but one at least."""
    every, began = list(buckets), time.monotonic()
    done = before = after = changed = 0
    held, would = set[str](), set[str]()
    for bucket in every:
        if done and time.monotonic() - began > seconds:
            break
        answers = rehearse(bucket).answers
        now, then = answers[0].result, answers[-1].result
        done, before, after = done + 1, before + len(now.people), after + len(then.people)
        changed += _changed(now, then)
        held |= _faces(now)
        would |= _faces(then)
    return ThresholdPreview(
        done, len(every), before, after, tuple(sorted(would - held)), tuple(sorted(held - would)), changed
    )


def _faces(result: Rehearsed) -> set[str]:
    return {face for person in result.people.values() for face in person.members}


def _changed(now: Rehearsed, then: Rehearsed) -> int:
    names = now.people.keys() | then.people.keys()
    members = [
        [set(side.people[name].members) if name in side.people else None for side in (now, then)] for name in names
    ]
    return sum(first != second for first, second in members)
