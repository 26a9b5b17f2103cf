"""Proof of use: the archives of the sample and of the labelled photos as a consumer sees them; when a mean is settled.

Simulation: homes are filled through the command line and every `.fsz` is opened as roop-unleashed does. The share that
passed before crops were looked at at detector size 320 stands in `BEFORE`, measured on the same photos.

Completeness: of people with many labelled photos, k faces predict how far the mean moves when the rest is added. The k
are drawn at random (fixed seed), because that is what is promised; where all k are of one period of the person's life
and the rest is of another, the promise does not hold, and by how much it fails is told too.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.analysis.consumer_simulation import SimulationInputs, simulate_facesets
from facesets_dagster.analysis.simulation_verdicts import Judged, judge
from facesets_dagster.assets.consumer_simulation import ConsumerSimulationConfig
from facesets_dagster.embedding.packs import EMBEDDED
from facesets_dagster.embedding.thresholds import thresholds_for
from facesets_dagster.export.look_store import LookStore
from facesets_dagster.identities.completeness import expected_movement, noise_of
from facesets_dagster.identities.geometry import centroid, cosine_distance, normalised
from facesets_dagster.resources.embedder import EmbedderResource
from testing.homes import RealHome, files_below, link_photos
from testing.measurements.row import Row
from testing.paths import SHARED

BUCKET, ERAS = "all", "eras"
SMALL_PORTRAITS = """\
ops:
  osrc_clusters: {config: {min_face_short_px: 40}}
  swap_ready_facesets: {config: {min_face_short_px: 40}}
"""
BEFORE = {"gates 40 px": "71 of 83", "default gates": "43 of 45", "sample": "7 of 8"}
"""Facesets that passed with the former crop check, which looked at 640 only."""
MIN_PHOTOS = 15
FIRST = (5, 8, 12)
DRAWS = 20


def measure_simulation(pack: str, models_root: Path) -> list[Row]:
    """All three homes, and the labelled people with many photos."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, config in (("gates 40 px", SMALL_PORTRAITS), ("default gates", "ops: {}\n")):
            home = RealHome(Path(scratch) / name / "home", pack, models_root)
            link_photos(home.folder / "buckets" / BUCKET, files_below(SHARED / "data", "labelled", "groups"))
            home.facesets("init")
            path = home.folder.with_suffix(".yaml")
            path.write_text(config)
            home.facesets("run", BUCKET, "--config", str(path))
            rows += simulation_rows(home, name)
            if name == "gates 40 px":
                link_photos(home.folder / "buckets" / ERAS, files_below(SHARED / "data", "eras"))
                home.facesets("run", ERAS, "--config", str(path))
                rows += completeness_rows(home)
        home = RealHome(Path(scratch) / "sample" / "home", EMBEDDED, models_root)
        home.facesets("sample", str(home.folder / "buckets"))
        home.facesets("run")
        return [*rows, *simulation_rows(home, "sample")]


def simulation_rows(home: RealHome, name: str) -> list[Row]:
    """Share that passes, distances and margins of a home."""
    embedder = EmbedderResource.of(home.settings)
    pack = embedder.pack()
    limits = ConsumerSimulationConfig().resolved(thresholds_for(pack))
    inputs = SimulationInputs((), pack, embedder.worker_count(), "benchmark")
    store = LookStore(home.settings.cache_dir, pack.model_id, pack.dim)
    simulation = simulate_facesets(inputs, home.library, embedder.embedder, store, say=lambda _: None)
    rows = judge(simulation, limits)
    wrong = {row.faceset: row.pictures_wrong or row.mean_wrong or "" for row in rows if not row.passed}
    facesets = len(simulation.facesets)
    told = [f"{facesets - len(wrong)} of {facesets}; before crops were looked at at 320: {BEFORE[name]}"]
    told += [f"{faceset}: {why}" for faceset, why in list(wrong.items())[:5]]
    return [
        Row(f"{name}: facesets that pass", 1 - len(wrong) / max(facesets, 1), "share", target="1",
            met=bool(facesets) and not wrong, note="; ".join(told)),
        _quantiles(f"{name}: mean to centroid, all faces", rows, "mean_distance", "all", limits.max_mean_distance),
        _quantiles(f"{name}: mean to centroid, top faces", rows, "mean_distance", "top", limits.max_mean_distance),
        _quantiles(f"{name}: margin to the nearest other", rows, "margin", "all", limits.min_margin),
    ]  # fmt: skip


def completeness_rows(home: RealHome) -> list[Row]:
    """Predicted movement of the mean of k faces against the real one when the rest is added."""
    people = [faces for faces, _ in labelled_people(home)]
    rows = []
    for k in FIRST:
        rng = np.random.default_rng(k)
        ratios, inside = [], []
        for faces in people:
            for _ in range(DRAWS):
                order = rng.permutation(len(faces))
                ratio, within = _predicted_to_real(faces[order], k)
                ratios.append(ratio)
                inside.append(within)
        low, middle, high = np.quantile(ratios, [0.1, 0.5, 0.9])
        rows.append(
            Row(f"mean of {k} faces: predicted movement by the real one", round(float(middle), 2), "median ratio",
                target="0.67 to 1.5", met=bool(1 / 1.5 < middle < 1.5),
                note=f"{len(people)} people with {MIN_PHOTOS} photos and more, {DRAWS} draws each: 10 % {low:.2f}, "
                f"90 % {high:.2f}; within a factor of 2: {np.mean([0.5 < r < 2 for r in ratios]):.0%}; "
                f"the real one in the range told: {np.mean(inside):.0%}")
        )  # fmt: skip
    return [*rows, other_period_row(home)]


def other_period_row(home: RealHome) -> Row:
    """The first faces of one period only, the rest with the other period: what the estimate cannot know."""
    ratios = []
    for faces, periods in labelled_people(home):
        for period in np.unique(periods[periods != ""]):
            own = periods == period
            if own.sum() >= FIRST[0] and (~own).sum() >= FIRST[0]:
                order = np.concatenate([np.flatnonzero(own), np.flatnonzero(~own)])
                ratios.append(_predicted_to_real(faces[order], int(own.sum()))[0])
    name = "mean of one period: predicted movement by the real one when another is added"
    if not ratios:
        return Row(name, None, "median ratio", note="nobody has two periods with enough photos")
    note = f"{len(ratios)} periods; least {min(ratios):.2f}, most {max(ratios):.2f}; below 1: it moves more than told"
    return Row(name, round(float(np.median(ratios)), 2), "median ratio", note=note)


def labelled_people(home: RealHome) -> list[tuple[NDArray[np.float64], NDArray[np.str_]]]:
    """Raw embeddings (n, dim) of each person with `MIN_PHOTOS` photos and more, and their periods where known (n,).

    Of each photo its largest face.

    Faces farther than the outlier distance from the rest are noise of the labels, and left out as an export does.
    """
    folders = [home.cached(bucket).faces.filter(pl.col("path").str.starts_with("groups/").not_())
               for bucket in (BUCKET, ERAS)]  # fmt: skip
    faces = pl.concat(folders).with_columns(
        person=pl.col("path").str.split("/").list.get(1),
        period=pl.when(pl.col("bucket") == ERAS).then(pl.col("path").str.extract(r"/([^/]+?)__[^/]*$")),
    )
    largest = faces.sort("face_short", descending=True).unique("sha256", keep="first", maintain_order=True)
    limit = thresholds_for(home.model()).export_outlier_distance
    found = []
    for _, rows in sorted(largest.sort("face_id").partition_by("person", as_dict=True).items()):
        raw = rows["embedding"].to_numpy().astype(np.float64)
        near = cosine_distance(normalised(raw), centroid(raw)[None])[:, 0] <= limit
        if near.sum() >= MIN_PHOTOS:
            found.append((raw[near], rows["period"].fill_null("").to_numpy().astype(np.str_)[near]))
    return found


def _predicted_to_real(faces: NDArray[np.float64], k: int) -> tuple[float, bool]:
    """Ratio, and whether the real movement lies in the range that was told."""
    noise, rest = noise_of(faces[:k]), len(faces) - k
    first, everybody = faces[:k].mean(axis=0), faces.mean(axis=0)
    real = float(1 - first @ everybody / np.linalg.norm(first) / np.linalg.norm(everybody))
    low, high = expected_movement(noise.low, k, rest), expected_movement(noise.high, k, rest)
    return expected_movement(noise.value, k, rest) / real, low <= real <= high


def _quantiles(name: str, rows: Sequence[Judged], column: str, archive: str, limit: float) -> Row:
    values = [getattr(row, column) for row in rows if row.archive == archive]
    known = np.array([value for value in values if value is not None])
    if not len(known):
        return Row(name, None, "cos-dist", note="nothing to measure")
    low, middle, high = np.quantile(known, [0.05, 0.5, 0.95])
    least, most = known.min(), known.max()
    note = f"least {least:.4f}, 5 % {low:.4f}, 95 % {high:.4f}, most {most:.4f}; limit {limit:g}"
    return Row(name, round(float(middle), 4), "median cos-dist", note=note)
