"""Sets that are filled, and the choice of the top: what a consumer's mean is worth, by photos that were held out.

A home is filled through the command line (`labelled` and `eras` as one bucket, default numbers): how many people have
six and more pictures with and without filling, whose pictures they are, what each face's influence is.

Then, on its face table, by labels alone: half of a person's photos make the set, and the mean of its raw embeddings is
compared with the centroid of the good photos of the other half (cosine distance), over `DRAWS` halves. In a burst,
frames of one of the four best photos, turned, shifted, scaled, lighter or darker, are among the photos of the set.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.assets._config import ExportConfig
from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.embedding.thresholds import PackThresholds, thresholds_for
from facesets_dagster.export.curation import ExportParameters, curate
from facesets_dagster.export.rendering import choose
from facesets_dagster.faces.photo_loader import photo_loader
from facesets_dagster.identities.geometry import centroid, cosine_distance, distance_between, normalised
from facesets_dagster.library.faceset_manifest import FacesetManifest, read_faceset
from facesets_dagster.resources.embedder import EmbedderResource
from testing.homes import RealHome, files_below, link_photos
from testing.measurements.labels import labelled_faces, read_labels
from testing.measurements.row import Row
from testing.paths import SHARED

BUCKET = "people"
DRAWS = 20
USABLE, MIN_PHOTOS, MIN_FOR_TOP = 6, 10, 16
FRAMES = 12


def measure_filled(pack: str, models_root: Path, folder: Path | None = None) -> list[Row]:
    """All rows of a pack. `folder`: of a home that is kept, else a temporary one."""
    with tempfile.TemporaryDirectory() as scratch:
        home = RealHome(folder or Path(scratch), pack, models_root)
        photos = home.folder / "buckets" / BUCKET
        if not photos.exists():
            link_photos(photos, files_below(SHARED / "data", "labelled", "eras"))
        home.facesets("init")
        home.facesets("run", BUCKET)
        model = EmbedderResource.of(home.settings)
        numbers = ExportConfig().resolved(thresholds_for(model.pack()))
        faces = home.cached(BUCKET).faces
        whose = labelled_faces(faces, read_labels(SHARED / "data"))
        people = People(faces, whose, thresholds_for(model.pack()))
        return [
            *published_rows(home, faces, whose, numbers),
            *filling_rows(people, numbers),
            *top_rows(people, numbers, None),
            *top_rows(people, numbers, Burst(model.embedder(), photo_loader({BUCKET: photos}, faces, 300_000_000))),
        ]


@dataclass(frozen=True)
class People:
    """Labelled people and their good photos: faces that may count towards a person, without noise of the labels."""

    faces: pl.DataFrame
    whose: dict[str, str]
    pack: PackThresholds

    def with_photos(self, least: int) -> Iterator[pl.DataFrame]:
        """Rows of the face table of each person with so many good photos, by name."""
        good = self.faces.filter(
            (pl.col("face_short") >= self.pack.min_face_short_px)
            & (pl.col("blur") >= self.pack.min_blur)
            & (pl.col("det_score") >= self.pack.min_det_score)
            & pl.col("face_id").is_in(list(self.whose))
        ).with_columns(person=pl.col("face_id").replace_strict(self.whose, default=None))
        for _, rows in sorted(good.partition_by("person", as_dict=True).items()):
            rows = rows.sort("face_id")
            raw = rows["embedding"].to_numpy()
            near = cosine_distance(normalised(raw), centroid(raw)[None])[:, 0] <= self.pack.outlier_distance
            if near.sum() >= least:
                yield rows.filter(pl.Series(near)).drop("person")

    def halves(self, least: int) -> Iterator[tuple[pl.DataFrame, NDArray[np.float32]]]:
        """Photos that make a set, and the centroid (dim,) of those that are held out."""
        for rows in self.with_photos(least):
            rng = np.random.default_rng(0)
            for _ in range(DRAWS):
                order = rng.permutation(len(rows))
                first, held_out = np.sort(order[: (len(rows) + 1) // 2]), order[(len(rows) + 1) // 2 :]
                yield rows[first], centroid(rows["embedding"].to_numpy()[held_out])


@dataclass(frozen=True)
class Burst:
    """Makes frames of one photo, as a camera would in a second."""

    embedder: Embedder
    load_photo: Callable[[str], NDArray[np.uint8]]

    def of(self, row: pl.DataFrame) -> pl.DataFrame:
        """`FRAMES` rows like `row`, each with the embedding of its own frame."""
        import cv2

        rng = np.random.default_rng(int(row["sha256"][0][:8], 16))
        photo, kps = self.load_photo(row["sha256"][0]), row["kps"].to_numpy()[0].astype(np.float64)
        centre, frames = kps.mean(axis=0), []
        for _ in range(FRAMES):
            matrix = cv2.getRotationMatrix2D(tuple(centre), rng.uniform(-6, 6), rng.uniform(0.85, 1.15))
            matrix[:, 2] += rng.uniform(-5, 5, 2)
            frame = cv2.warpAffine(photo, matrix, photo.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
            frame = cv2.convertScaleAbs(frame, alpha=rng.uniform(0.7, 1.3), beta=rng.uniform(-15, 15))
            frame = cv2.GaussianBlur(frame, (0, 0), rng.uniform(0.3, 1.2))
            moved = (kps + rng.normal(0, 0.02 * np.ptp(kps), kps.shape)) @ matrix[:, :2].T + matrix[:, 2]
            frames.append(self.embedder.embed(np.asarray(frame, np.uint8), moved[None].astype(np.float32))[0])
        copies = pl.concat([row] * FRAMES)
        names = [f"{row['face_id'][0]}-{number:02d}" for number in range(FRAMES)]
        return copies.with_columns(
            face_id=pl.Series(names), sha256=pl.Series(names), embedding=pl.Series(np.array(frames, np.float32),
            dtype=row.schema["embedding"]),
        )  # fmt: skip


def published_rows(home: RealHome, faces: pl.DataFrame, whose: dict[str, str], numbers: ExportParameters) -> list[Row]:
    """What the run exported: people with enough pictures, whose pictures they are, influence."""
    folders = [home.settings.library_dir / one.name for one in home.library.registry.identities() if one.live]
    manifests = [manifest for folder in folders if (manifest := read_faceset(folder)) is not None]
    large = faces.filter(pl.col("face_short") >= numbers.fill_floor_px).select("face_id", "sha256")
    person = pl.col("face_id").replace_strict(whose, default=None)
    photos = large.with_columns(person=person).drop_nulls().group_by("person").agg(pl.col("sha256").n_unique())
    wanted = {name for name, count in photos.iter_rows() if count >= USABLE}
    sizes: dict[str, list[tuple[int, int]]] = {}
    wrong = labelled = 0
    for manifest in manifests:
        names = Counter(whose[face.face_id] for face in manifest.faces if face.face_id in whose)
        labelled += names.total()
        wrong += names.total() - max(names.values(), default=0)
        if names:
            strict = sum(not face.filled for face in manifest.faces)
            sizes.setdefault(names.most_common(1)[0][0], []).append((strict, len(manifest.faces)))
    one = {name: found[0] for name, found in sizes.items() if len(found) == 1 and name in wanted}
    strict, full = (sum(pair[kind] >= USABLE for pair in one.values()) / max(len(wanted), 1) for kind in (0, 1))
    note = f"{len(wanted)} people with {USABLE} photos of {numbers.fill_floor_px:g} px; one faceset: {len(one)}"
    crops = home.library.registry.decisions(BUCKET).filter(pl.col("state").str.starts_with("crop_failed"))
    return [
        Row(f"people with one faceset of {USABLE} pictures and more", full, "share", "strict gates only", strict,
            target="0.9", met=full >= 0.9, note=note),
        Row("exported faces of another person than their faceset's", wrong, "faces", target="0", met=not wrong,
            note=f"of {labelled} labelled ones"),
        Row("members without a good crop", len(crops), "faces", note=f"of {labelled} labelled exported ones"),
        *influence_rows(manifests),
    ]  # fmt: skip


def influence_rows(manifests: Sequence[FacesetManifest]) -> list[Row]:
    """Median influence of faces that fill up, against the others of the same sets."""
    mixed = [one for one in manifests if 0 < sum(face.filled for face in one.faces) < len(one.faces)]
    found = {
        filled: [face.influence for one in mixed for face in one.faces if face.filled == filled and face.influence]
        for filled in (True, False)
    }
    if not mixed:
        return []
    most = np.mean([max(one.faces, key=lambda face: face.influence or 0).filled for one in mixed])
    share = np.mean([sum(face.filled for face in one.faces) / len(one.faces) for one in mixed])
    return [
        Row("influence of a filled face", float(np.median(found[True])), "median cos-dist", "of the others",
            float(np.median(found[False])), note=f"{len(mixed)} sets with both; the most influential face is a filled "
            f"one in {most:.0%}, {share:.0%} of their faces are filled"),
    ]  # fmt: skip


def filling_rows(people: People, numbers: ExportParameters) -> list[Row]:
    """Strict, filled and two faces only, where the strict gates leave fewer than the set is filled up to."""
    found: dict[str, list[float]] = {"strict": [], "filled": [], "two": []}
    nobody = nobody_filled = 0
    sizes = []
    for rows, centre in people.halves(MIN_PHOTOS):
        strict, filled = (_set_of(rows, replace(numbers, fill_to=most)) for most in (0, numbers.fill_to))
        if len(strict) >= numbers.fill_to or not len(filled):
            continue
        if not len(strict):
            nobody += 1
            nobody_filled += len(filled) >= USABLE
            continue
        sizes.append((len(strict), len(filled)))
        for name, vectors in (("strict", strict), ("filled", filled), ("two", filled[:2])):
            found[name].append(_away(vectors, centre))
    strict, filled, two = (np.array(found[name]) for name in ("strict", "filled", "two"))
    if not len(strict):
        return [Row("mean of a filled set to held-out photos", None, "cos-dist", note="no set was filled")]
    before, after = np.median(sizes, axis=0)
    note = (
        f"{len(strict)} halves with {before:g} faces before and {after:g} after (median); nearer in "
        f"{np.mean(filled < strict):.0%}; 95 % quantile {np.quantile(strict, 0.95):.4f} before and "
        f"{np.quantile(filled, 0.95):.4f} after"
    )
    alone = (
        f"{nobody} halves have no face that passes the strict gates; {nobody_filled} of them have {USABLE} filled ones"
    )
    return [
        _against("mean of a filled set to held-out photos", filled, "strict", strict, note),
        _against("the same", filled, "its two best faces", two, alone),
    ]


def top_rows(people: People, numbers: ExportParameters, burst: Burst | None) -> list[Row]:
    """The top by variety and by rank; of sets in which every good photo passes the gate, so that there is a choice."""
    numbers = replace(numbers, min_face_short_px=numbers.fill_floor_px, fill_to=0)
    chosen, ranked, frames, scores = [], [], [], []
    for number, (rows, centre) in enumerate(people.halves(MIN_FOR_TOP)):
        if burst is not None:
            best = curate(rows, numbers).candidates["face_id"][number % 4]
            rows = pl.concat([rows, burst.of(rows.filter(pl.col("face_id") == best))])
        both = [_top_of(rows, replace(numbers, variety=weight)) for weight in (numbers.variety, 0)]
        chosen.append(_away(both[0]["embedding"].to_numpy(), centre))
        ranked.append(_away(both[1]["embedding"].to_numpy(), centre))
        frames.append([top["face_id"].str.contains(r"-\d{2}$").sum() for top in both])
        scores.append([top["rank_score"].mean() for top in both])
    if not chosen:
        return [Row("mean of the top to held-out photos", None, "cos-dist", note="nobody has photos enough")]
    with_burst, (score, score_ranked) = np.mean(frames, axis=0), np.mean(scores, axis=0)
    name = f"mean of the top to held-out photos{', a burst among the photos' if burst else ''}"
    gained = np.array(ranked) - np.array(chosen)
    note = f"{len(chosen)} halves; nearer in {np.mean(gained > 1e-9):.0%}, farther in {np.mean(gained < -1e-9):.0%}; "
    note += f"mean {np.mean(chosen):.4f} and {np.mean(ranked):.4f}; mean rank score {score:.2f} and {score_ranked:.2f}"
    note += f"; frames of the burst in it {with_burst[0]:.1f} and {with_burst[1]:.1f}" if burst else ""
    return [_against(name, np.array(chosen), "by rank alone", np.array(ranked), note)]


def _set_of(rows: pl.DataFrame, numbers: ExportParameters) -> NDArray[np.float32]:
    """Raw embeddings (n, dim) of the set that these photos make, every crop being good and none a copy."""
    curated = curate(rows, numbers)
    order, _ = choose(curated, numbers, np.arange(len(curated.candidates)), lambda _: None)
    return curated.candidates["embedding"].to_numpy()[order]


def _top_of(rows: pl.DataFrame, numbers: ExportParameters) -> pl.DataFrame:
    curated = curate(rows, numbers)
    order, _ = choose(curated, numbers, np.arange(len(curated.candidates)), lambda _: None)
    return curated.candidates[order[: numbers.top_n]]


def _away(vectors: NDArray[np.float32], centre: NDArray[np.float32]) -> float:
    """Cosine distance of the raw mean, which a consumer makes, to a centroid."""
    return distance_between(normalised(vectors.astype(np.float64).mean(axis=0)), centre)


def _against(name: str, ours: NDArray[np.float64], peer: str, theirs: NDArray[np.float64], note: str) -> Row:
    value, other = float(np.median(ours)), float(np.median(theirs))
    return Row(name, round(value, 4), "median cos-dist", peer, round(other, 4), round(value / other, 3), note=note,
               target="< 1", met=value < other)  # fmt: skip
