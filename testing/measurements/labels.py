"""Labelled photos against what the platform made of them."""

from pathlib import Path

import numpy as np
import polars as pl


def read_labels(data: Path) -> dict[str, str]:
    """Path of a photo (as in LABELS.tsv) -> person."""
    rows = (line.split("\t") for line in (data / "LABELS.tsv").read_text(encoding="utf-8").splitlines()[1:])
    return {row[0]: row[1] for row in rows if len(row) > 2}


def read_periods(data: Path) -> dict[str, str]:
    """Path of a photo -> its period (`2002-2003`), where the labels give one."""
    rows = (line.split("\t") for line in (data / "LABELS.tsv").read_text(encoding="utf-8").splitlines()[1:])
    return {row[0]: row[3] for row in rows if len(row) > 3 and row[3]}


def labelled_faces(faces: pl.DataFrame, labels: dict[str, str]) -> dict[str, str]:
    """face_id -> person: of each labelled photo the central face in 250 x 250 files, else the largest."""
    found: dict[str, str] = {}
    for (path,), group in faces.sort("face_id").group_by("path", maintain_order=True):
        aliases = group["aliases"][0].to_list()
        person = next((labels[name] for name in (str(path), *aliases) if name in labels), None)
        if person is None:
            continue
        boxes = group["bbox"].to_numpy()
        width, height = group["photo_width"][0], group["photo_height"][0]
        if (width, height) == (250, 250):
            centre = (boxes[:, :2] + boxes[:, 2:]) / 2 - 125
            chosen = int(np.linalg.norm(centre, axis=1).argmin())
        else:
            chosen = int((boxes[:, 2:] - boxes[:, :2]).prod(axis=1).argmax())
        found[group["face_id"][chosen]] = person
    return found


def pair_scores(group_of: dict[str, object], person_of: dict[str, str]) -> tuple[float, float, int]:
    """Pairwise precision and recall over labelled faces, and the number of pairs put together.

    `group_of`: face_id -> group, for faces that are in one.
    """
    faces = [face for face in person_of if face in group_of]
    together = _pairs(np.array([str(group_of[face]) for face in faces]))
    right = _pairs(np.array([f"{group_of[face]}|{person_of[face]}" for face in faces]))
    possible = _pairs(np.array(list(person_of.values())))
    return right / max(together, 1), right / max(possible, 1), together


def _pairs(values: np.ndarray) -> int:
    counts = np.unique(values, return_counts=True)[1] if len(values) else np.zeros(0, int)
    return int((counts * (counts - 1) // 2).sum())
