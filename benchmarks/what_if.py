"""What-if: seconds for 10,000 cached faces, and its numbers against those of real runs.

Made-up faces (people as noisy directions, photos of one to four faces) are written as face caches; no photo is read.
Another bucket is published that knows a twentieth of the people, then the large one, which is then asked. The peer is
what one would do without it: coverage and cluster table of a run at each point, which do less (nobody is matched with
the library, nothing is curated).

Then the home is copied for each of five points, the run is really made with its numbers, and its funnel is laid beside
the one that was predicted, face by face: of the made-up faces with pictures that are good without being looked at
(`made_up_runs`), of the labelled photos by `facesets run` as it is.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import polars as pl
import yaml

from benchmarks.made_up_faces import make_up, write_cache
from benchmarks.made_up_runs import publish_made_up, run_config
from facesets_dagster import __version__
from facesets_dagster.analysis.existing_centroids import centroid_table, identities_of
from facesets_dagster.analysis.what_if.bucket import WhatIfInputs
from facesets_dagster.analysis.what_if.points import POINT, Numbers
from facesets_dagster.analysis.what_if.what_if import WhatIf, ask
from facesets_dagster.assets._asset import CODE_VERSION
from facesets_dagster.assets.what_if import WhatIfConfig, default_numbers
from facesets_dagster.embedding.thresholds import thresholds_for
from facesets_dagster.faces.store import FaceStore
from facesets_dagster.identities.coverage import cover
from facesets_dagster.identities.coverage_table import coverage_table
from facesets_dagster.identities.discovery import discover
from facesets_dagster.identities.geometry import normalised
from facesets_dagster.library.membership import bucket_faces
from facesets_dagster.resources.home import HomeResource
from testing.homes import RealHome, files_below, link_photos
from testing.measurements.row import Row
from testing.paths import SHARED

T = TypeVar("T")

BUCKET, OTHER = "all", "other"
FACES = 10_000
FIVE: tuple[dict[str, float], ...] = (
    {"min_faces": 4},
    {"cluster_distance": 0.45},
    {"cover_distance": 0.35, "min_faces": 3},
    {"min_face_short_px": 60.0, "min_blur": 100.0},
    {"cluster_distance": 0.65, "min_det_score": 0.7},
)
BASE = {
    "osrc_clusters": {"min_face_short_px": 40.0},
    "swap_ready_facesets": {"min_face_short_px": 40.0},
}
"""Of the labelled photos: portraits like these are small."""


def measure_what_if(pack: str, models_root: Path) -> list[Row]:
    """Seconds on made-up faces, equality with real runs on made-up and on labelled ones."""
    with tempfile.TemporaryDirectory() as scratch:
        made_up, real = (RealHome(Path(scratch) / name / "home", pack, models_root) for name in ("made up", "real"))
        return [*made_up_rows(made_up), *real_rows(real)]


def made_up_rows(home: RealHome) -> list[Row]:
    """10,000 made-up faces: the single question, the default sweep, the command, five real runs."""
    home.facesets("init")
    pack = home.model()
    made = make_up(FACES, pack.dim, seed=0)
    for bucket, vectors in ((OTHER, made.elsewhere), (BUCKET, made.vectors)):
        (home.folder / "buckets" / bucket).mkdir(parents=True)
        write_cache(_store_of(home)(bucket), vectors, bucket, pack, seed=1)
        publish_made_up(home, bucket, default_numbers(thresholds_for(pack)))
    questions(home, [{"min_faces": 4}], sweep=False)  # compiles what has to be compiled once per machine
    one, single = _seconds(lambda: questions(home, [{"min_faces": 4}], sweep=False))
    many, found = _seconds(lambda: questions(home, [], sweep=True))
    distinct = list(dict.fromkeys(answer.point.numbers for answer in found.answers))
    peer = _Peer(home)
    cost, _ = _seconds(lambda: [peer.tables(numbers) for numbers in distinct])
    one_peer = len(single.answers) * cost / len(distinct)
    command, _ = _seconds(lambda: home.facesets("what-if", BUCKET, "--min-faces", "4"))
    base = found.base.result
    told = (
        f"{FACES} faces, {len(base.people)} identities, {_counts(base.funnel)['exported']} exported at the base point"
    )
    name = "coverage and cluster table per point"
    return [
        Row("what would min_faces 4 admit", round(one, 2), "s", name, round(one_peer, 2), round(one / one_peer, 2),
            note=f"{len(single.answers)} points (the base, the base clustered anew, the question); {told}"),
        Row("default sweep", round(many, 2), "s", name, round(cost, 2), round(many / cost, 2),
            note=f"{len(found.answers)} points, {len(distinct)} distinct"),
        Row("`facesets what-if --min-faces 4`, the whole command", round(command, 2), "s",
            note="with start of Python and Dagster, page and table"),
        *equality(home, "made-up faces", lambda copy, numbers: publish_made_up(copy, BUCKET, numbers)),
    ]  # fmt: skip


def real_rows(home: RealHome) -> list[Row]:
    """The labelled photos, by `facesets run`."""
    link_photos(home.folder / "buckets" / BUCKET, files_below(SHARED / "data", "labelled", "groups"))
    home.facesets("init")
    _run(home, BASE)
    return equality(home, "labelled photos", _real_run)


def equality(home: RealHome, whose: str, run: Callable[[RealHome, Numbers], pl.DataFrame]) -> list[Row]:
    """Every face's end at five points, predicted and really run. `run`: in a copy of the home, gives the funnel."""
    found = questions(home, FIVE, sweep=False)
    faces = equal = unknown = same_counts = 0
    notes = []
    for answer in (one for one in found.answers if one.point.parameter == POINT):
        real, predicted = _in_a_copy(home, answer.point.numbers, run), answer.result.funnel
        alike = real.join(predicted, on=["face_id", "state", "identity"], how="semi", nulls_equal=True)
        others = real.join(alike, on="face_id", how="anti")["face_id"]
        faces, equal, unknown = faces + len(real), equal + len(alike), unknown + len(set(others) - found.rendered)
        same_counts += _counts(real) == _counts(predicted)
        exported = [_counts(funnel).get("exported", 0) for funnel in (predicted, real)]
        notes.append(f"{answer.point.title}: {exported[0]} exported predicted, {exported[1]} really")
    return [
        Row(f"faces that ended as predicted, {whose}", equal / max(faces, 1), "share", target="1",
            met=equal == faces, note=f"state and identity of {equal} of {faces} faces at {len(FIVE)} points"
            + f"; of the others {unknown} had never been rendered" * (equal < faces)),
        Row(f"points with the counts of a real run, {whose}", same_counts, f"of {len(FIVE)}",
            target=f"{len(FIVE)}", met=same_counts == len(FIVE), note="; ".join(notes)),
    ]  # fmt: skip


def questions(home: RealHome, points: Sequence[Mapping[str, float]], *, sweep: bool) -> WhatIf:
    """The domain call, as the asset makes it."""
    pack = home.model()
    thresholds = thresholds_for(pack)
    inputs = WhatIfInputs(
        bucket=BUCKET,
        default=default_numbers(thresholds),
        base={},
        sweeps=WhatIfConfig(sweep=sweep).sweeps(thresholds),
        points=points,
        pack=pack,
        code_version=f"{__version__}/{CODE_VERSION}",
        pictures=HomeResource.of(home.settings).pictures(pack, 300_000_000),
    )
    return ask(inputs, home.library, _store_of(home), holder="what_if", say=lambda _: None)


class _Peer:
    """The steps of a real run up to the cluster table, once per point."""

    def __init__(self, home: RealHome) -> None:
        self._pack, library = home.model(), home.library
        self._faces = bucket_faces(_store_of(home)(BUCKET), library, BUCKET)
        self._identities = identities_of(centroid_table(library, self._pack))
        self._members = library.snapshot().members_of(BUCKET)
        self._own = set(self._members.values())

    def tables(self, numbers: Numbers) -> pl.DataFrame:
        """Coverage and clusters, from the embeddings on."""
        ids, unit = self._faces["face_id"].to_list(), normalised(self._faces["embedding"].to_numpy())
        coverage = cover(unit, ids, BUCKET, self._identities, self._members, {})
        table = coverage_table(
            ids, coverage, cover_distance=numbers.cover_distance, generation=0, model_id=self._pack.model_id
        )
        return discover(self._faces, table, numbers.discovery, "rebuild", self._own)


def _in_a_copy(home: RealHome, numbers: Numbers, run: Callable[[RealHome, Numbers], pl.DataFrame]) -> pl.DataFrame:
    with tempfile.TemporaryDirectory() as scratch:
        copy = RealHome(Path(scratch) / "home", home.pack, home.models_root)
        shutil.copytree(home.folder, copy.folder, symlinks=True)
        return run(copy, numbers)


def _real_run(home: RealHome, numbers: Numbers) -> pl.DataFrame:
    _run(home, run_config(numbers))
    return home.library.registry.decisions(BUCKET)


def _run(home: RealHome, ops: Mapping[str, Mapping[str, float]]) -> None:
    config = home.folder.parent / "config.yaml"
    config.write_text(yaml.safe_dump({"ops": {asset: {"config": dict(values)} for asset, values in ops.items()}}))
    home.facesets("run", BUCKET, "--config", str(config))


def _counts(funnel: pl.DataFrame) -> dict[str, int]:
    return dict(funnel.group_by("state").len().sort("state").iter_rows())


def _seconds(work: Callable[[], T]) -> tuple[float, T]:
    began = time.monotonic()
    result = work()
    return time.monotonic() - began, result


def _store_of(home: RealHome) -> Callable[[str], FaceStore]:
    return HomeResource.of(home.settings).store_of(home.model())
