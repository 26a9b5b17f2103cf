"""How many inputs until the people are right: orders of questions against each other, answered by the labels.

    python -m benchmarks.run review

Labelled faces of news portraits, people across decades and group photos, grouped as the platform does and as the
legacy preset does; then a made-up user answers. The faces in the same photos that have no label say how far a
threshold may go, and are in no score.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.identity import CACHE, our_labels
from benchmarks.review_home import Groups, Track, User
from benchmarks.review_workflows import cards_in, merge_page, one_by_one, ours, similar_first, uncertain_first
from facesets_dagster.analysis.photo_limit import limit_of
from facesets_dagster.embedding.thresholds import LEGACY, PackThresholds, thresholds_for
from facesets_dagster.identities.chances import Chances, started
from facesets_dagster.identities.clustering import average_linkage
from testing.measurements.identity_faces import BucketFaces, faces_in, pack_of, read_parts
from testing.measurements.row import Row
from testing.paths import SHARED

PARTS = ("labelled", "eras", "groups")
TARGETS = (0.97, 0.98, 0.99, 0.995)
AIM = 0.99
MOST, LONG, LONGEST = 160, 400, 4_000
"""Inputs of a sitting: what is compared, until the slower orders are there, and until a page by page is."""
USERS = {
    "perfect": (User(),),
    "5% wrong": tuple(User(wrong=0.05, seed=seed) for seed in range(5)),
    "10% wrong": tuple(User(wrong=0.1, seed=seed) for seed in range(3)),
    "20% not sure": (User(unsure=0.2),),
}
_FARTHEST = 1.0

Play = Callable[[Groups, User], Track]


def measure_review(packs: dict[str, str], models_root: Path) -> list[Row]:
    """Name -> pack: every workflow and user, from the pack's numbers and from the legacy preset's."""
    rows: list[Row] = []
    for name, pack in packs.items():
        every = read_parts(SHARED / "data", pack, models_root, CACHE / name, PARTS)
        numbers = thresholds_for(pack_of(pack, models_root))
        faces = every.unique("face_id", maintain_order=True).sort("face_id")
        labelled = faces_in(every.filter(pl.col("person").is_not_null()))
        for start, labels, cut in _starts(labelled, numbers):
            limit = limit_of(faces, cluster_distance=cut, apart=numbers.cluster_distance, farthest=_FARTHEST)
            begin = partial(Groups, labelled, labels, cut)
            rows += _sittings(f"{name}, {start}", begin, numbers, limit)
    return rows


def _starts(faces: BucketFaces, numbers: PackThresholds) -> Iterator[tuple[str, NDArray[np.int64], float]]:
    """What they are called, groups, and the distance of average linkage."""
    yield "legacy preset", average_linkage(faces.unit, LEGACY.cluster_distance), LEGACY.cluster_distance
    yield "pack's numbers", our_labels(faces, numbers), numbers.cluster_distance


def _sittings(name: str, begin: Callable[[], Groups], numbers: PackThresholds, limit: float) -> list[Row]:
    chances = started(numbers.cluster_distance)
    rows = [_start_row(name, begin().score().bcubed_f, limit)]
    for words, users in USERS.items():
        mine = [ours(begin(), user, MOST, chances, limit) for user in users]
        others = {what: play(begin(), users[0]) for what, play in _workflows(words, chances).items()}
        similar = others["similar first"]
        target, met = _target(name, words, mine, similar)
        rows.append(_row(f"{name}, {words}: this platform", mine, similar, target, met))
        rows += [_row(f"{name}, {words}: {what}", [track], similar) for what, track in others.items()]
    return rows


def _workflows(words: str, chances: Chances) -> dict[str, Play]:
    most = LONG if words == "perfect" else MOST
    return {
        "similar first": lambda groups, user: cards_in(similar_first, groups, user, most, chances),
        "uncertain first": lambda groups, user: cards_in(uncertain_first, groups, user, most, chances),
        "merge page": lambda groups, user: merge_page(groups, user, LONGEST),
        "one by one": lambda groups, user: one_by_one(groups, user, LONGEST),
    }


def _start_row(name: str, score: float, limit: float) -> Row:
    return Row(f"{name}: before", round(score, 4), "BCubed F", note=f"photos allow thresholds up to {limit:.3f}")


def _row(name: str, tracks: list[Track], similar: Track, target: str = "", met: bool | None = None) -> Row:
    """The mean over users of one kind; inputs of one who gets there."""
    needed, peer = _to(tracks, AIM), similar.to(AIM)
    least, drop = min(min(track.score) for track in tracks), max(track.drop for track in tracks)
    to = ", ".join(f"{aim:g} {'never' if (one := _to(tracks, aim)) is None else f'{one:g}'}" for aim in TARGETS)
    note = (
        f"inputs to {to}; F at {MOST} {_at(tracks):.4f}, least {least:.4f}; largest drop after a right answer "
        f"{drop:.4f}; wrong answers kept {np.mean([track.wrong for track in tracks]):g}; cut {tracks[0].cut:g}"
    )
    ratio = round(needed / peer, 3) if needed is not None and peer else None
    return Row(name, needed, f"inputs to {AIM:g}", "similar first", peer, ratio, target, met, note)


def _to(tracks: list[Track], aim: float) -> float | None:
    """Mean inputs; None if one of them never gets there."""
    found = [track.to(aim) for track in tracks]
    return None if None in found else round(float(np.mean([one for one in found if one is not None])), 1)


def _at(tracks: list[Track]) -> float:
    return float(np.mean([track.at(MOST) for track in tracks]))


def _target(name: str, words: str, mine: list[Track], similar: Track) -> tuple[str, bool | None]:
    """What was to be reached, and whether it was."""
    if words == "5% wrong":
        never_below = all(min(track.score) >= track.score[0] for track in mine)
        return f">= 0.985 at {MOST}, never below the start", _at(mine) >= 0.985 and never_below
    if words != "perfect":
        return "", None
    steady = max(track.drop for track in mine) <= 0.002
    if "legacy" not in name:
        return "drop <= 0.002", steady
    needed, peer = _to(mine, AIM), similar.to(AIM) or LONG
    few = needed is not None and needed <= min(40, peer / 4)
    return "<= 40 and <= 1/4 of similar first; drop <= 0.002", few and steady
