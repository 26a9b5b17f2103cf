"""Numbers of the home's pack from faces: the domain call behind `pack_calibration`. The library is not touched.

From a folder with a sub-folder for each person, by the errors of the whole clustering (`identities.calibration`); or
from the home's own photos, where two faces of one photo are two people, which can only show that a number is too loose.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.embedding.thresholds import PackThresholds
from facesets_dagster.errors import BucketError, SettingsError
from facesets_dagster.identities.calibration import BOUND, GROUP, MARGIN, Calibration, KnownFaces, calibrate
from facesets_dagster.identities.geometry import lengths, normalised
from facesets_dagster.identities.joining import JoinRule
from facesets_dagster.identities.label_noise import without_noise
from facesets_dagster.identities.same_photo import Distances, Looseness, PhotoFaces, looseness
from facesets_dagster.identities.strangers import COPIES
from facesets_dagster.wording import counted

Say = Callable[[str], None]

LEAST_PEOPLE = 10
"""People with `GROUP` photos and more that a calibration needs."""
LEAST_PHOTOS = 50
"""Photos that show two people, for a calibration without folders of people."""


def folder_of_people(folder: Path) -> Path:
    """The folder, checked. Raises `BucketError` if it is no folder or has no folders in it."""
    if not folder.is_dir():
        raise BucketError(
            f"{folder} is not a folder. Expected one with a sub-folder of photos for each person, e.g. "
            f"{folder / 'Anna'}. Nothing was measured."
        )
    if not any(entry.is_dir() and not entry.name.startswith(".") for entry in folder.iterdir()):
        raise BucketError(
            f"{folder} has no folders in it. Expected a sub-folder of photos for each person, at least "
            f"{LEAST_PEOPLE} of them with {GROUP} photos and more. Nothing was measured."
        )
    return folder


@dataclass(frozen=True)
class Labelled:
    """Faces of a folder, those of its people known."""

    faces: KnownFaces
    photos: int
    digest: str
    """Of the photos' contents and the people's names."""
    left_out: list[str]
    """What was not used, in sentences."""


def label_faces(faces: pl.DataFrame, files: pl.DataFrame, min_px: float) -> Labelled:
    """The faces (face table) of a folder's photos (file table), one of each photo known as its folder's person.

    Of a photo with several faces, the one nearest to the mean of the folder's photos with one face, else the largest.
    Faces below `min_px` are left out, and so are those of photos that lie in two people's folders. Raises
    `SettingsError` if there are too few people.
    """
    owners: dict[str, set[str]] = {}
    for path, sha256 in files.drop_nulls("sha256").select("path", "sha256").sort("path").iter_rows():
        folder, slash, _ = path.partition("/")
        if slash:
            owners.setdefault(sha256, set()).add(folder)
    large = faces.filter((pl.col("face_short") >= min_px) & pl.col("sha256").is_in(list(owners))).sort("face_id")
    raw = large["embedding"].to_numpy() if len(large) else np.zeros((0, 1), np.float32)
    unit = normalised(raw)
    person_of = {sha256: next(iter(names)) for sha256, names in owners.items() if len(names) == 1}
    chosen = _chosen(large, unit, person_of)
    twice = sorted(" and ".join(sorted(names)) for names in owners.values() if len(names) > 1)
    chosen, copies = _without_copies(chosen, unit)
    names = sorted(set(chosen.values()))
    number = {name: place for place, name in enumerate(names)}
    people = np.array([number.get(chosen.get(row, ""), -1) for row in range(len(large))], np.int64)
    left_out = [f"one photo in the folders of {pair}" for pair in twice] + [
        f"one face in the photos of {pair}" for pair in copies
    ]
    _require_people(people, names)
    text = "\n".join(f"{sha256} {'|'.join(sorted(names))}" for sha256, names in sorted(owners.items()))
    digest = hashlib.sha256(text.encode()).hexdigest()
    known, noise = without_noise(KnownFaces(unit, lengths(raw), people, names))
    paths = large["path"].to_list()
    left_out += [f"{paths[row]}: looks like {name}" for row, name in noise]
    return Labelled(known, len(owners), digest, left_out)


def _chosen(faces: pl.DataFrame, unit: NDArray[np.float32], person_of: dict[str, str]) -> dict[int, str]:
    """Row -> person: one face of each photo."""
    rows_of: dict[str, list[int]] = {}
    for row, sha256 in enumerate(faces["sha256"].to_list()):
        if sha256 in person_of:
            rows_of.setdefault(sha256, []).append(row)
    alone: dict[str, list[int]] = {}
    for sha256, rows in rows_of.items():
        if len(rows) == 1:
            alone.setdefault(person_of[sha256], []).append(rows[0])
    means = {name: unit[rows].mean(axis=0) for name, rows in alone.items()}
    sizes, chosen = faces["face_short"].to_numpy(), {}
    for sha256, rows in rows_of.items():
        name = person_of[sha256]
        fit = unit[rows] @ means[name] if name in means else sizes[rows]
        chosen[rows[int(fit.argmax())]] = name
    return chosen


def _without_copies(chosen: dict[int, str], unit: NDArray[np.float32]) -> tuple[dict[int, str], list[str]]:
    """Without the faces that two people's folders both hold, and whose they are."""
    rows = sorted(chosen)
    if not rows:
        return chosen, []
    names = np.array([chosen[row] for row in rows])
    near = unit[rows] @ unit[rows].T >= 1 - COPIES
    first, second = np.nonzero(near & (names[:, None] != names[None]))
    both = {rows[place] for place in first.tolist()}
    pairs = sorted({" and ".join(sorted((str(names[a]), str(names[b])))) for a, b in zip(first, second, strict=True)})
    return {row: name for row, name in chosen.items() if row not in both}, pairs


def _require_people(people: NDArray[np.int64], names: list[str]) -> None:
    counts = np.bincount(people[people >= 0], minlength=len(names))
    if (counts >= GROUP).sum() >= LEAST_PEOPLE:
        return
    order = np.argsort(-counts, kind="stable")[:5]
    most = ", ".join(f"{names[place]} {counts[place]}" for place in order.tolist()) or "none"
    raise SettingsError(
        f"{counted(int((counts >= GROUP).sum()), 'person', 'people')} with {GROUP} and more photos with a face found, "
        f"{LEAST_PEOPLE} are needed to measure a pack's numbers (some hundred for good ones). Photos by folder: "
        f"{most}. Put more people into the folder, a sub-folder for each. Nothing was changed."
    )


def measure_folder(labelled: Labelled, say: Say) -> tuple[dict[str, float], Calibration]:
    """The numbers that the folder's people give, and what they rest on."""
    known = int((labelled.faces.people >= 0).sum())
    say(
        f"{counted(known, 'face')} of {counted(len(labelled.faces.names), 'person', 'people')} among "
        f"{counted(len(labelled.faces.unit), 'face')}"
    )
    found = calibrate(labelled.faces, say)
    return found.numbers, found


def evidence_of(found: Calibration) -> dict[str, object]:
    """What is kept beside the numbers."""
    return {
        "bound": BOUND,
        "margin": MARGIN,
        "scores": {**vars(found.scores), "bcubed_f": found.scores.bcubed_f},
        "other_half": [
            {"numbers": one.numbers, **vars(one.scores), "bcubed_f": one.scores.bcubed_f} for one in found.crossed
        ],
        "pairs_of_strangers": found.strangers.pairs,
        "nearest_strangers": found.strangers.nearest,
        "curves": {
            curve.name: {
                "values": curve.values,
                "wrong_pairs": [round(one.wrong_merges, 6) for one in curve.scores],
                "bcubed_f": [round(one.bcubed_f, 5) for one in curve.scores],
                "loosest": curve.loosest,
                "crowd": curve.crowd,
                "chosen": curve.chosen,
            }
            for curve in found.curves
        },
    }


def distances_of(pack: PackThresholds) -> Distances:
    """What a pack's numbers group faces by."""
    limits = (pack.join_two_faces, pack.join_face_and_group, pack.join_two_groups)
    return Distances(pack.cluster_distance, JoinRule(*limits, pack.join_quality_gain) if max(limits) > 0 else None)


def photo_faces(faces: pl.DataFrame, pack: PackThresholds) -> PhotoFaces:
    """Faces of a face table by photo."""
    raw = faces["embedding"].to_numpy() if len(faces) else np.zeros((0, 1), np.float32)
    photos = np.unique(faces["sha256"].to_numpy().astype(str), return_inverse=True)[1].astype(np.int64)
    return PhotoFaces(
        normalised(raw), lengths(raw) / (pack.good_norm or 1.0), photos, faces["bbox"].to_numpy().reshape(-1, 4)
    )


@dataclass(frozen=True)
class OwnPhotos:
    """What the home's photos say of its numbers."""

    looseness: Looseness
    faces: int
    digest: str


def measure_home(tables: Iterable[pl.DataFrame], pack: PackThresholds) -> OwnPhotos:
    """The distances of the pack against the photos of all buckets (face tables). Raises `SettingsError` if too few."""
    some = [table.filter(pl.col("face_short") >= pack.min_clustered_px) for table in tables]
    faces = pl.concat(some).unique("face_id").sort("face_id") if some else pl.DataFrame()
    if not len(faces):
        raise SettingsError(
            "No photos of this home were read yet, so there is nothing to measure. Run `facesets run` first, or give a "
            "folder with a sub-folder for each person: `facesets calibrate FOLDER`."
        )
    by_photo, distances = photo_faces(faces, pack), distances_of(pack)
    found = looseness(by_photo, by_photo.groups(distances), distances, pack.cover_distance)
    if found.photos < LEAST_PHOTOS:
        raise SettingsError(
            f"{counted(found.photos, 'photo')} of this home with two people found, {LEAST_PHOTOS} are needed to say "
            "anything of the numbers without labels. Give a folder with a sub-folder for each person: "
            "`facesets calibrate FOLDER`. Nothing was changed."
        )
    digest = hashlib.sha256("\n".join(faces["face_id"].to_list()).encode()).hexdigest()
    return OwnPhotos(found, len(faces), digest)
