"""People who get a face set out of clusters: founding gates, export gates and filling, applied to labelled faces.

Photos are counted by content. What the platform does beyond it (copies that look alike count once, variety in the
choice, the check of crops) needs the photos and is measured by `systems` and `curation`.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.thresholds import PackThresholds
from facesets_dagster.identities.calibration import half_of
from facesets_dagster.identities.gates import Gate, sift
from facesets_dagster.identities.geometry import centroid, cosine_distance
from testing.measurements.identity_faces import BucketFaces
from testing.measurements.row import Row

EXPORT_PX = 100
PICTURES = 6
"""Of a set that is usable, and photos of people who could have one."""
SEEN_PX = 60
"""Shorter side of the faces by which a person could have one."""


@dataclass
class Sets:
    """Pictures of each set by the person that it is mostly of."""

    pictures: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    exported: list[tuple[int, int]] = field(default_factory=list)
    """(set, person) of every exported labelled face."""


def people_row(name: str, faces: BucketFaces, labels: NDArray[np.int64], pack: PackThresholds, half: int) -> Row:
    """How many of a half's people with six and more photos of 60 px faces have exactly one set, and a usable one."""
    sets, truth = sets_of(faces, labels, pack), faces.of_half(half)
    photo, size = faces.frame["sha256"].to_numpy().astype(str), faces.frame["face_short"].to_numpy()
    able = [
        person
        for person in np.unique(truth[truth >= 0]).tolist()
        if len(set(photo[(truth == person) & (size >= SEEN_PX)])) >= PICTURES
    ]
    counts = [len(sets.pictures.get(person, [])) for person in able]
    usable = sum(len(sets.pictures.get(person, [])) == 1 and sets.pictures[person][0] >= PICTURES for person in able)
    known = [(number, person) for number, person in sets.exported if half_of(faces.names[person]) == half]
    one = counts.count(1)
    share = one / max(len(able), 1)
    note = (
        f"of {len(able)}: exactly one {one}, several {sum(count > 1 for count in counts)}, none {counts.count(0)}, "
        f"one with {PICTURES} pictures and more {usable}; pairwise precision of {len(known)} exported labelled faces "
        f"{_precision(known):.4f}"
    )
    return Row(f"{name}: people with exactly one set", round(share, 4), "share", target=">= 0.95", met=share >= 0.95,
               note=note)  # fmt: skip


def _precision(known: list[tuple[int, int]]) -> float:
    both, sets = Counter(known), Counter(number for number, _ in known)
    right = sum(count * (count - 1) // 2 for count in both.values())
    together = sum(count * (count - 1) // 2 for count in sets.values())
    return right / together if together else 1.0


def sets_of(faces: BucketFaces, labels: NDArray[np.int64], pack: PackThresholds) -> Sets:
    """The sets that clusters (n,) come to."""
    frame, ids = faces.frame, faces.frame["face_id"].to_list()
    least = {"face_short": pack.min_face_short_px, "blur": pack.min_blur, "det_score": pack.min_det_score}
    gates = [Gate(name, value) for name, value in least.items()]
    columns = {gate.name: frame[gate.name].to_numpy() for gate in gates}
    photo, found = frame["sha256"].to_numpy().astype(str), Sets()
    for number in range(int(labels.max(initial=-1)) + 1):
        rows = np.flatnonzero(labels == number)
        if len(rows) < PICTURES:
            break  # ordered by size
        kept, _ = sift(
            rows, ids, faces.unit, columns, gates, outlier_distance=pack.outlier_distance, outlier_min_size=4
        )
        if len(set(photo[kept])) < PICTURES:
            continue
        chosen = _exported(faces, kept, pack)
        people = Counter(person for person in faces.people[kept].tolist() if person >= 0)
        if people:
            found.pictures[people.most_common(1)[0][0]].append(len(set(photo[chosen])))
            found.exported += [(number, int(faces.people[row])) for row in chosen if faces.people[row] >= 0]
    return found


def _exported(faces: BucketFaces, kept: NDArray[np.int64], pack: PackThresholds) -> list[int]:
    """Rows that pass the export gates, then the next best down to the floor until `fill_to`."""
    size = faces.frame["face_short"].to_numpy()
    near = cosine_distance(faces.unit[kept], centroid(faces.unit[kept])[None])[:, 0] <= pack.export_outlier_distance
    order = kept[near][np.argsort(-size[kept[near]], kind="stable")].tolist()
    chosen: list[int] = []
    for row in order:
        if size[row] < EXPORT_PX and (len(chosen) >= pack.fill_to or size[row] < pack.fill_floor_px):
            break
        twin = chosen and (faces.unit[chosen] @ faces.unit[row]).max() >= pack.near_duplicate_similarity
        if not twin:
            chosen.append(row)
    return chosen
