"""Who is who: the platform's clusters and people against rivals on the same embeddings.

    python -m benchmarks.run identity

Rivals are measured at their published threshold, and at the one that is best on half of the people in that very bucket;
every figure is of the other half. The platform uses its shipped numbers.
"""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.clustering_peers import NotInstalled
from benchmarks.identity_rivals import RIVALS, Rival
from facesets_dagster.embedding.thresholds import PackThresholds, thresholds_for
from facesets_dagster.identities.clustering import average_linkage
from facesets_dagster.identities.joining import JoinRule, People, join_pieces, not_joined
from facesets_dagster.identities.scores import Scores, score_groups
from facesets_dagster.identities.small_faces import join_last
from testing.hard_faces import hard_faces
from testing.measurements.identity_faces import BUCKETS, BucketFaces, bucket_of, pack_of, read_parts
from testing.measurements.identity_people import people_row
from testing.measurements.row import Row
from testing.paths import REPOSITORY, SHARED

TUNING, REPORTING = 0, 1
CACHE = REPOSITORY / "data" / "benchmark_identity"
"""Kept between calls: reading the photos takes some minutes for each pack."""
COSTS = (20_000, 100_000)


def measure_identity(packs: dict[str, str], models_root: Path) -> list[Row]:
    """Name -> pack: all buckets and rivals, the ablation, people, and the cost of the second stage."""
    rows: list[Row] = []
    for name, pack in packs.items():
        parts = read_parts(SHARED / "data", pack, models_root, CACHE / name)
        numbers = thresholds_for(pack_of(pack, models_root))
        for bucket in BUCKETS:
            faces = bucket_of(parts, bucket)
            rows += _bucket(f"{name}, {bucket}", faces, numbers)
    return [*rows, *_cost()]


def _bucket(name: str, faces: BucketFaces, numbers: PackThresholds) -> list[Row]:
    truth = faces.of_half(REPORTING)
    labels = our_labels(faces, numbers)
    ours = score_groups(labels, truth)
    rivals = [row for rival in RIVALS for row in _rival(name, rival, faces, ours)]
    best = max((row.value for row in rivals if row.value is not None), default=0.0)
    mine = Row(
        f"{name}: this platform",
        round(ours.bcubed_f, 4),
        "BCubed F",
        "best rival",
        best,
        round(ours.bcubed_f / best, 4),
        "ahead of every rival",
        ours.bcubed_f >= best,
        f"{_words(ours)}; {impossible(faces, labels)} impossible pairs",
    )
    return [mine, *rivals, *_ablation(name, faces, numbers), people_row(name, faces, labels, numbers, REPORTING)]


def _rival(name: str, rival: Rival, faces: BucketFaces, ours: Scores) -> list[Row]:
    def row(how: str, threshold: float, found: Scores) -> Row:
        return Row(
            f"{name}: {rival.name}, {how}", round(found.bcubed_f, 4), "BCubed F", "this platform",
            round(ours.bcubed_f, 4), round(found.bcubed_f / ours.bcubed_f, 4),
            note=f"at {threshold:g}; {_words(found)}",
        )  # fmt: skip

    try:
        run = rival.prepare(faces.unit)
    except NotInstalled as error:
        return [Row(f"{name}: {rival.name}", None, "BCubed F", note=str(error))]
    tuning, truth = faces.of_half(TUNING), faces.of_half(REPORTING)
    tried = {threshold: np.asarray(run(threshold), np.int64) for threshold in (*rival.thresholds, rival.published)}
    best = max(tried, key=lambda threshold: score_groups(tried[threshold], tuning).bcubed_f)
    return [
        row("published", rival.published, score_groups(tried[rival.published], truth)),
        row("best", best, score_groups(tried[best], truth)),
    ]


def _words(found: Scores) -> str:
    return (
        f"P {found.bcubed_precision:.4f}, R {found.bcubed_recall:.4f}; pairs P {found.pair_precision:.4f}, "
        f"R {found.pair_recall:.4f}"
    )


def our_labels(faces: BucketFaces, numbers: PackThresholds) -> NDArray[np.int64]:
    """The clusters (n,) of a first run with these numbers."""
    linked = faces.frame["face_short"].to_numpy() >= numbers.min_clustered_px
    joined = not_joined(average_linkage(faces.unit[linked], numbers.cluster_distance))
    rule = JoinRule(
        numbers.join_two_faces, numbers.join_face_and_group, numbers.join_two_groups, numbers.join_quality_gain
    )
    if rule.two_groups:
        quality = faces.norms[linked] / numbers.good_norm
        joined = join_pieces(faces.unit[linked], quality, joined.labels, rule)
    nobody = People.nobody(faces.unit.shape[1])
    return join_last(joined, linked, faces.unit, nobody, numbers.join_face_and_group).labels


def impossible(faces: BucketFaces, labels: NDArray[np.int64]) -> int:
    """Pairs of faces of one photo in one cluster."""
    photo = np.unique(faces.frame["sha256"].to_numpy().astype(str), return_inverse=True)[1]
    counts = np.unique(np.stack([photo, labels], axis=1), axis=0, return_counts=True)[1]
    return int((counts * (counts - 1) // 2).sum())


def _ablation(name: str, faces: BucketFaces, numbers: PackThresholds) -> list[Row]:
    """Each part of the second stage taken away."""
    one = numbers.join_face_and_group
    without: dict[str, PackThresholds] = {
        "no second stage": replace(numbers, join_two_faces=0, join_face_and_group=0, join_two_groups=0),
        "one limit for all sizes": replace(numbers, join_two_faces=one, join_two_groups=one),
        "quality not used": replace(numbers, join_quality_gain=0),
        "tiny faces linked": replace(numbers, min_clustered_px=0),
    }
    truth, rows = faces.of_half(REPORTING), []
    for part, changed in without.items():
        found = score_groups(our_labels(faces, changed), truth)
        rows.append(Row(f"{name}: ablation, {part}", round(found.bcubed_f, 4), "BCubed F", note=_words(found)))
    return rows


def _cost() -> list[Row]:
    """Both stages against the first alone, one after the other in one process on made-up crowds."""
    rows = []
    rule = JoinRule(0.61, 0.57, 0.54, 0.3)
    average_linkage(hard_faces(4_000)[0], 0.63)  # compiles
    for count in COSTS:
        unit = hard_faces(count)[0]
        started = time.perf_counter()
        labels = average_linkage(unit, 0.63)
        plain = time.perf_counter() - started
        join_pieces(unit, np.ones(count), labels, rule)
        both = time.perf_counter() - started
        rows.append(
            Row(
                f"both stages, {count:,} faces",
                round(both, 2),
                "s",
                "average linkage",
                round(plain, 2),
                round(both / plain, 3),
                "<= 1.3",
                both <= 1.3 * plain,
            )
        )
    return rows
