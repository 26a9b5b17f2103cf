"""Homes to ask what-if of, and the same homes really run."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import dagster as dg
import numpy as np
import polars as pl

from facesets_dagster import __version__
from facesets_dagster.analysis.what_if.bucket import WhatIfInputs
from facesets_dagster.analysis.what_if.points import EXPORT
from facesets_dagster.analysis.what_if.what_if import WhatIf, ask
from facesets_dagster.assets._asset import CODE_VERSION
from facesets_dagster.assets.what_if import default_numbers
from facesets_dagster.embedding.embedder import Detections, Embedder
from facesets_dagster.embedding.thresholds import ARCFACE
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.settings import load_settings
from testing.fake_home import FakeHome
from testing.fakes import PACK, FakeEmbedder, FakeEmbedderResource, FakeFace, write_looks, write_person, write_photo
from testing.rulings import decide, faces_of, obey

POINTS: list[dict[str, float]] = [
    {"min_faces": 4},
    {"cluster_distance": 0.1, "min_faces": 2},
    {"cover_distance": 0.2, "min_faces": 3},
    {"min_face_short_px": 120.0, "min_blur": 300.0, "min_det_score": 0.5},
    {"min_faces": 2, "min_face_short_px": 40.0, "export_min_face_short_px": 50.0, "outlier_distance": 0.1},
    {"export_fill_to": 0},
    {"min_face_short_px": 40.0, "export_min_face_short_px": 170.0, "export_fill_to": 5, "export_fill_floor_px": 90.0},
]


class Blind(FakeEmbedder):
    """Finds no face in a crop of person 4 that looks beyond 0.5: a crop that fails, whatever is tried."""

    def detect(self, image: np.ndarray) -> Detections:
        found = super().detect(image)
        if image.shape == (512, 512, 3) and len(found) == 1:
            hue, saturation, _ = np.median(cv2.cvtColor(image, cv2.COLOR_BGR2HSV)[200:300, 200:300], axis=(0, 1))
            if hue // 10 == 4 and (saturation - 190) / 50 > 0.5:
                nobody = np.zeros(1, bool)
                return Detections(found.bbox[nobody], found.kps[nobody], found.det_score[nobody])
        return found


class BlindResource(FakeEmbedderResource):
    def embedder(self) -> Embedder:
        return _BLIND


_BLIND = Blind()


def fill(home: FakeHome) -> None:
    """Four people of eight, five, four and nine photos, twins on one photo, small faces."""
    bucket = home.buckets / "a"
    write_person(bucket, 1, 8)
    write_person(bucket, 2, 5)
    write_person(bucket, 3, 4)
    write_person(bucket, 4, 9, first=3)
    write_photo(bucket / "twins.png", [FakeFace(1, 0.1), FakeFace(1, 0.8, x=320)])
    write_photo(bucket / "both.png", [FakeFace(1, 0.3), FakeFace(2, -0.8, x=320, size=95)])
    write_photo(bucket / "small.png", [FakeFace(5, 0.3, size=50), FakeFace(2, -0.4, x=320, size=95)])


def new_bucket(home: FakeHome) -> None:
    home.discovers_alone()  # what-if answers for discovery
    home.begin(_new_bucket)


def _new_bucket(home: FakeHome) -> None:
    fill(home)
    home.materialize("face_cache", bucket="a")


def published_bucket(home: FakeHome) -> None:
    """Facesets of its own, faces without a good crop, and others' identities that have faces here and came later."""
    home.discovers_alone()
    home.embedder = BlindResource()
    home.begin(_published_bucket)


def _published_bucket(home: FakeHome) -> None:
    fill(home)
    write_person(home.buckets / "b", 2, 7, first=9)
    write_person(home.buckets / "b", 7, 7)
    home.run("b")
    home.run("a")
    home.materialize("extended_facesets", bucket="a")
    write_person(home.buckets / "c", 3, 7, first=10)
    home.run("c")


def bucket_with_news(home: FakeHome) -> None:
    """Published, grown by another bucket, then more photos."""
    published_bucket(home)
    write_person(home.buckets / "d", 1, 3, first=13)
    home.run("d")
    home.materialize("extended_facesets", bucket="d")
    write_looks(home.buckets / "a", 1, [-0.97, 0.97])
    write_person(home.buckets / "a", 6, 6)
    home.materialize("face_cache", bucket="a")


def merged_bucket(home: FakeHome) -> None:
    """Published, then one of its facesets merged with another of its own, and one into another bucket's."""
    published_bucket(home)
    write_person(home.buckets / "a", 8, 7)
    write_person(home.buckets / "a", 10, 7)
    home.run("a")
    own = sorted(own_members(home))
    (other,) = (i.name for i in home.library.registry.identities() if i.live and i.bucket == "c")
    for pair in (own[:2], [other, own[2]]):
        home.materialize("applied_rulings", applied_rulings={"merges": [pair], "despite_veto": True})
    assert len(own_members(home)) == len(own) - 2


def ruled_bucket(home: FakeHome) -> None:
    """A published bucket of which rulings took a face, gave one, ignore one, and keep two apart."""
    published_bucket(home)
    first, second = list(own_members(home))[:2]
    mine, others = faces_of(home, first), faces_of(home, second)
    decide(home, lambda ask: ask.not_person({mine[0]: None}, first))
    decide(home, lambda ask: ask.assign({mine[1]: None}, second))
    decide(home, lambda ask: ask.ignore_faces({others[0]: None}, are_faces=True))
    obey(home)
    small = home.library.registry.decisions("a").filter(pl.col("state") == "small_cluster")["face_id"].sort()
    if len(small) > 1:
        decide(home, lambda ask: ask.different({small[0]: None}, {small[1]: None}))


def split_bucket(home: FakeHome) -> None:
    """A person whose looks are two clusters for narrower numbers; the larger one has no face that can be exported."""
    bucket = home.buckets / "a"
    write_looks(bucket, 1, [-0.7, -0.6, -0.5])
    for number, variant in enumerate([0.2, 0.3, 0.4, 0.5]):
        write_photo(bucket / f"small_{number}.png", [FakeFace(1, variant, size=95)], seed=number)
    home.run("a", swap_ready_facesets={"min_face_short_px": 100, "fill_to": 0}, osrc_clusters={"min_faces": 3})


SPLIT: dict[str, float] = {
    "min_faces": 3, "cluster_distance": 0.1, "rematch_distance": 0.0, "export_min_face_short_px": 100.0,
    "export_fill_to": 0,
}  # fmt: skip


def questions(home: FakeHome, *points: dict[str, float], **more: Any) -> WhatIf:
    inputs = WhatIfInputs(
        bucket="a", default=default_numbers(ARCFACE), base=more.get("base", {}), sweeps=more.get("sweeps", {}),
        points=points, pack=PACK, code_version=f"{__version__}/{CODE_VERSION}",
        pictures=HomeResource.of(home.settings).pictures(PACK, 300_000_000),
    )  # fmt: skip
    store_of = HomeResource.of(home.settings).store_of(PACK)
    return ask(inputs, home.library, store_of, holder="test", say=more.get("say", lambda _: None))


def materialize(home: FakeHome, **config: Any) -> tuple[pl.DataFrame, dict[str, Any], dg.AssetCheckEvaluation]:
    result = home.materialize("what_if", bucket="a", **({"what_if": config} if config else {}))
    table = pl.read_parquet(home.settings.cache_dir / "tables" / "what_if" / "a.parquet")
    (check,) = result.get_asset_check_evaluations()
    return table, dict(result.asset_materializations_for_node("what_if")[0].metadata), check


@contextmanager
def copied(home: FakeHome, tmp_path: Path) -> Iterator[FakeHome]:
    """The same home in another folder, gone afterwards."""
    target = tmp_path / "copy"
    shutil.copytree(home.settings.home, target / "home")
    with dg.DagsterInstance.ephemeral() as instance:
        environment = {"FACESETS_HOME": str(target / "home"), "FACESETS_MODELS": str(tmp_path)}
        settings = load_settings(environment, target).model_copy(update={"join_known": home.settings.join_known})
        yield FakeHome(settings, instance, home.embedder)
    shutil.rmtree(target)


def run_config(point: dict[str, float]) -> dict[str, dict[str, float]]:
    """A point as the main job's run config."""
    ops: dict[str, dict[str, float]] = {}
    for name, value in point.items():
        asset = "osrc_uncovered" if name == "cover_distance" else "osrc_clusters"
        ops.setdefault("swap_ready_facesets" if name in EXPORT else asset, {})[EXPORT.get(name, name)] = value
    return ops


def own_members(home: FakeHome) -> dict[str, set[str]]:
    members = home.library.registry.members()
    identities = home.library.registry.identities()
    return {i.name: set(members.get(i.name, {})) for i in identities if i.live and i.bucket == "a" and not i.is_era}


def impossible(home: FakeHome) -> int:
    """Counted from what was published."""
    total = 0
    for name in own_members(home):
        rows = pl.read_parquet(home.settings.library_dir / name / "members.parquet")
        counts = rows.group_by("sha256").len()["len"].to_list()
        total += sum(count * (count - 1) // 2 for count in counts)
    return total
