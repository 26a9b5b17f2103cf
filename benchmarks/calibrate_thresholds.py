"""Thresholds of a pack at the false-match rate that the legacy numbers have on an ArcFace pack.

    python -m benchmarks.calibrate_thresholds --data ../shared/data --reference ../shared/models/buffalo_sc

One labelled face per photo of `labelled/`, all pairs. The rates of the legacy numbers are so small that few or no pairs
lie beyond them; the tail of the different-person pairs is therefore fitted (log10 of the rate, quadratic in the
distance, between rates of 1e-2 and 1e-5) and continued.
"""

import argparse
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.results_file import write_results
from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.embedding.load import load_embedder
from facesets_dagster.embedding.thresholds import ARCFACE
from facesets_dagster.errors import PhotoError
from facesets_dagster.photos.decode import decode_photo
from facesets_dagster.settings import load_settings
from testing.measurements.labels import read_labels
from testing.measurements.row import Row

FIT = (1e-2, 1e-5)
SAME_PHOTO = 0.1
"""Different labels nearer than this are one photo under two names: label noise."""
DISTANCES = ("cover_distance", "cluster_distance", "outlier_distance", "export_outlier_distance")


@dataclass(frozen=True)
class Faces:
    """One face per labelled photo."""

    unit: NDArray[np.float32]
    person: NDArray[np.str_]
    det_score: NDArray[np.float32]


def labelled(data: Path, embedder: Embedder) -> Faces:
    """Embeds the labelled face of every photo of `labelled/`."""
    labels = {path: who for path, who in sorted(read_labels(data).items()) if path.startswith("labelled/")}

    def one(item: tuple[str, str]) -> tuple[NDArray[np.float32], str, float] | None:
        try:
            image = decode_photo((data / item[0]).read_bytes(), max_pixels=300_000_000).image
        except PhotoError:
            return None
        found = embedder.detect(image)
        if not len(found):
            return None
        if image.shape[:2] == (250, 250):
            best = int(np.linalg.norm((found.bbox[:, :2] + found.bbox[:, 2:]) / 2 - 125, axis=1).argmin())
        else:
            best = int((found.bbox[:, 2:] - found.bbox[:, :2]).prod(axis=1).argmax())
        vector = embedder.embed(image, found.kps[best : best + 1])[0]
        return vector / np.linalg.norm(vector), item[1], float(found.det_score[best])

    with ThreadPoolExecutor(2) as pool:
        rows = [row for row in pool.map(one, labels.items()) if row is not None]
    vectors, people, scores = zip(*rows, strict=True)
    return Faces(np.array(vectors), np.array(people), np.array(scores, np.float32))


@dataclass(frozen=True)
class Tail:
    """Distances of pairs, and the fitted rate of different-person pairs."""

    same: NDArray[np.float32]
    different: NDArray[np.float32]
    fit: NDArray[np.float64]

    def rate(self, distance: float) -> float:
        """Expected share of different-person pairs within `distance`."""
        return float(10 ** np.polyval(self.fit, distance))

    def distance(self, rate: float) -> float:
        """Where the share is `rate`."""
        grid = np.linspace(0.05, 1.0, 20_001)
        return float(grid[np.abs(np.polyval(self.fit, grid) - np.log10(rate)).argmin()])


def tail_of(faces: Faces) -> Tail:
    """All pairs of the faces."""
    distance = 1 - faces.unit @ faces.unit.T
    rows, columns = np.triu_indices(len(distance), k=1)
    pair, same = distance[rows, columns], faces.person[rows] == faces.person[columns]
    different = np.sort(pair[~same & (pair > SAME_PHOTO)])
    ranks = np.unique(np.geomspace(FIT[1] * len(different), FIT[0] * len(different), 200).astype(int))
    fit = np.polyfit(different[ranks], np.log10((ranks + 1) / len(different)), 2)
    return Tail(np.sort(pair[same]), different, fit)


def calibrate(data: Path, reference: str, pack: str, models_root: Path) -> list[Row]:
    """The pack's numbers beside the reference's."""
    options = {"models_root": models_root, "providers": ("CPUExecutionProvider",), "det_size": 640, "threads": 1}
    faces = [labelled(data, load_embedder(name, recogniser_batch=16, **options)) for name in (reference, pack)]
    old, new = (tail_of(found) for found in faces)
    rows = [
        Row("same-person pairs", len(new.same), "pairs", Path(reference).name, len(old.same)),
        Row("different-person pairs", len(new.different), "pairs", Path(reference).name, len(old.different)),
    ]
    for name in DISTANCES:
        number = getattr(ARCFACE, name)
        rate, found = old.rate(number), new.distance(old.rate(number))
        seen = int((old.different <= number).sum()), int((new.different <= found).sum())
        kept = float((old.same <= number).mean()), float((new.same <= found).mean())
        note = (
            f"rate {rate:.1e}; different pairs within: {seen[1]} (reference {seen[0]}), "
            f"same pairs within: {kept[1]:.3f} ({kept[0]:.3f})"
        )
        rows.append(Row(name, round(found, 3), "cos-dist", Path(reference).name, number, note=note))
    twins = float((1 - old.same >= ARCFACE.near_duplicate_similarity).mean())
    similarity = float(np.quantile(1 - new.same, 1 - twins))
    rows.append(Row("near_duplicate_similarity", round(similarity, 3), "similarity", Path(reference).name,
                    ARCFACE.near_duplicate_similarity, note=f"share of same-person pairs {twins:.2e}"))  # fmt: skip
    kept_share = float((faces[0].det_score >= ARCFACE.min_det_score).mean())
    score = float(np.quantile(faces[1].det_score, 1 - kept_share))
    rows.append(Row("min_det_score", round(score, 3), "score", Path(reference).name, ARCFACE.min_det_score,
                    note=f"share of labelled faces kept {kept_share:.4f}"))  # fmt: skip
    return rows


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--reference", default="../shared/models/buffalo_sc")
    parser.add_argument("--pack", default="embedded")
    arguments = parser.parse_args()
    rows = calibrate(arguments.data, arguments.reference, arguments.pack, load_settings().models_root)
    write_results(f"thresholds_{Path(arguments.pack).name}", rows)


if __name__ == "__main__":
    main()
