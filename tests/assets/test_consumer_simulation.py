"""The simulation as an asset: what a consumer makes of the archives, told loudly, and nothing looked at twice."""

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from facesets_dagster.analysis.simulation_verdicts import SIMULATION_COLUMNS, SIMULATION_SCHEMA, Limits
from facesets_dagster.assets.consumer_simulation import ConsumerSimulationConfig
from facesets_dagster.embedding.thresholds import ARCFACE, SFACE
from facesets_dagster.photos.bucket_key import LIBRARY
from testing.eras import FIRST, SECOND, meet, split
from testing.fake_home import FakeHome
from testing.fakes import PACK, FakeFace, draw_photo, png_bytes, write_looks, write_person, write_photo
from testing.sharp_eyes import SharpResource

BOTH = png_bytes(draw_photo([FakeFace(1, 0.0, x=20), FakeFace(2, 0.0, x=300)]))


def two_people(home: FakeHome) -> None:
    write_person(home.buckets / "b", 1, 8)
    write_person(home.buckets / "b", 2, 7)
    home.run("b")


@pytest.fixture
def home(fake_home: FakeHome) -> FakeHome:
    """Two people in a bucket."""
    fake_home.begin(two_people)
    return fake_home


class Simulated:
    """What a run said."""

    def __init__(self, home: FakeHome, **config: Any) -> None:
        ops = {"consumer_simulation": config} if config else {}
        result = home.materialize("consumer_simulation", raise_on_error=False, **ops)
        self.success = result.success
        self.checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
        self.metadata = dict(result.asset_materializations_for_node("consumer_simulation")[0].metadata)
        self.table = pl.read_parquet(home.settings.cache_dir / "tables" / "consumer_simulation" / "all.parquet")
        pages = sorted((home.settings.reports_dir / LIBRARY).glob("*.consumer_simulation.html"))
        self.page = max(pages, key=lambda path: path.stat().st_mtime_ns).read_text()

    def wrong(self, check: str) -> str:
        """What the check complains of; empty if it passes."""
        found = self.checks[check]
        told = found.metadata["wrong"].value if "wrong" in found.metadata else []
        assert found.passed == (not told)
        return " | ".join(told)  # type: ignore[arg-type]


def archive_of(home: FakeHome, name: str, which: str = "") -> Path:
    return home.settings.library_dir / name / f"{name}{which}.fsz"


def put_into(path: Path, file: str, data: bytes) -> None:
    """Replaces or adds an entry, as somebody with a zip program does."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, old in {**entries, file: data}.items():
            archive.writestr(name, old)


def test_every_archive_is_one_person_and_the_right_one(home: FakeHome) -> None:
    before = home.files()
    found = Simulated(home)
    assert found.success
    assert {name: check.passed for name, check in found.checks.items()} == {
        "one_face_per_png": True, "mean_matches_faceset": True,
    }  # fmt: skip
    assert found.table.schema == SIMULATION_SCHEMA
    assert set(SIMULATION_COLUMNS) == set(found.table.columns)
    rows = found.table.select("faceset", "archive", "det_size").rows()
    assert rows == [
        (name, archive, size)
        for name in ("faceset_001", "faceset_002")
        for archive in ("all", "top")
        for size in (640, 320)
    ]
    for row in found.table.iter_rows(named=True):
        faces = json.loads(before[f"{row['faceset']}/manifest.json"])["faces"]
        assert row["pngs"] == row["faces"] == len(faces)
        assert row["mean_distance"] < 0.01
        assert row["margin"] > 0.5
        assert row["nearest_other"] != row["faceset"]
        assert row["largest_face_distance"] > row["mean_distance"]
    assert found.metadata["facesets_that_pass"].value == 2
    assert home.files() == before
    assert home.flaws() == []


def test_an_unchanged_faceset_is_not_looked_at_again(home: FakeHome) -> None:
    first = Simulated(home)
    pngs = first.table.filter(pl.col("archive") == "all")["pngs"].sum()
    assert first.metadata["pictures_looked_at"].value == pngs, "each picture once at each size, top ones not twice"
    cache = {path: path.stat().st_mtime_ns for path in (home.settings.cache_dir / "consumer_simulation").rglob("*.p*")}
    second = Simulated(home)
    assert second.metadata["pictures_looked_at"].value == 0
    assert second.table.equals(first.table)
    assert {path: path.stat().st_mtime_ns for path in cache} == cache


def test_a_faceset_that_grew_has_only_its_new_pictures_looked_at(home: FakeHome) -> None:
    before = Simulated(home).table
    write_looks(home.buckets / "b", 2, [0.99])
    home.run("b")
    after = Simulated(home)
    pictures = {
        entry["sha256"]
        for name in ("faceset_001", "faceset_002")
        for entry in json.loads((home.settings.library_dir / name / "manifest.json").read_text())["faces"]
    }
    grown = len(pictures) - before.filter((pl.col("archive") == "all") & (pl.col("det_size") == 640))["pngs"].sum()
    assert grown == 1
    assert after.metadata["pictures_looked_at"].value == 2
    assert after.success


def test_without_its_record_everything_is_looked_at_again_with_the_same_result(home: FakeHome) -> None:
    first = Simulated(home)
    for path in (home.settings.cache_dir / "consumer_simulation" / PACK.model_id).iterdir():
        path.write_bytes(b"damaged")
    second = Simulated(home)
    assert second.metadata["pictures_looked_at"].value == first.metadata["pictures_looked_at"].value
    assert second.table.equals(first.table)


def test_a_picture_with_two_people_fails_loudly_and_is_shown(home: FakeHome) -> None:
    put_into(archive_of(home, "faceset_001"), "0002.png", BOTH)
    found = Simulated(home)
    assert not found.success, "the check is blocking"
    assert found.wrong("one_face_per_png").count("several faces in 1 picture") == 2
    assert "faceset_001 (all, 640)" in found.wrong("one_face_per_png")
    assert found.wrong("mean_matches_faceset") == ""
    assert "001/0002.png: 2 at 640, 2 at 320" in found.page
    assert found.page.index("faceset_001") < found.page.index("faceset_002"), "the worst first"
    assert "contact_sheet" in found.metadata


def test_a_picture_that_only_the_top_archive_has_wrong_is_shown_as_it_is_there(home: FakeHome) -> None:
    put_into(archive_of(home, "faceset_001", "_top"), "0002.png", BOTH)
    found = Simulated(home)
    assert "faceset_001 (top, 640): several faces in 1 picture" in found.wrong("one_face_per_png")
    assert "faceset_001 (all" not in found.wrong("one_face_per_png")
    assert "001_top/0002.png: 2 at 640, 2 at 320" in found.page
    assert "001/0002.png" not in found.page
    assert "contact_sheet" in found.metadata


def test_both_archives_wrong_with_different_pictures_are_both_shown(home: FakeHome) -> None:
    put_into(archive_of(home, "faceset_001"), "0002.png", png_bytes(draw_photo([])))
    put_into(archive_of(home, "faceset_001", "_top"), "0002.png", BOTH)
    page = Simulated(home).page
    assert page.index("001/0002.png: 0 at 640, 0 at 320") < page.index("001_top/0002.png: 2 at 640, 2 at 320")


def test_somebody_else_in_the_archive_is_found_out_by_the_mean(home: FakeHome) -> None:
    for which in ("", "_top"):
        shutil.copy(archive_of(home, "faceset_002", which), archive_of(home, "faceset_001", which))
    found = Simulated(home)
    assert found.wrong("one_face_per_png") == ""
    assert found.wrong("mean_matches_faceset").count("from the centroid, over 0.1") == 4
    assert not found.success
    row = found.table.filter(pl.col("faceset") == "faceset_001").row(0, named=True)
    assert (row["nearest_other"], row["margin"] < -0.5) == ("faceset_002", True)


def test_a_mean_that_is_nearly_as_near_to_somebody_else_is_told(home: FakeHome) -> None:
    found = Simulated(home, min_margin=1.9)
    assert "from that of faceset_002: a margin of" in found.wrong("mean_matches_faceset")
    assert "under 1.9" in found.wrong("mean_matches_faceset")
    assert not found.success


def test_the_limit_on_the_mean_is_run_config(home: FakeHome) -> None:
    shutil.copy(archive_of(home, "faceset_001"), archive_of(home, "faceset_002"))
    only: dict[str, Any] = {"facesets": ["faceset_002"], "min_margin": -2.0}
    assert Simulated(home, **only).wrong("mean_matches_faceset").count("from the centroid, over 0.1") == 2
    found = Simulated(home, max_mean_distance=2.0, **only)
    assert found.wrong("mean_matches_faceset") == ""
    assert set(found.table["faceset"]) == {"faceset_002"}


@pytest.mark.parametrize(
    ("file", "data", "why"),
    [
        ("0001.png", b"no picture", "1 picture not readable"),
        ("0001.png", png_bytes(draw_photo([])), "no face in 1 picture"),
        ("more/0001.png", BOTH, "1 entry is no .png at the top"),
    ],
)
def test_what_a_consumer_would_stumble_over_is_told(home: FakeHome, file: str, data: bytes, why: str) -> None:
    put_into(archive_of(home, "faceset_001", "_top"), file, data)
    found = Simulated(home)
    assert f"faceset_001 (top, 640): {why}" in found.wrong("one_face_per_png")
    again = Simulated(home)
    assert again.metadata["pictures_looked_at"].value == 0
    assert again.wrong("one_face_per_png") == found.wrong("one_face_per_png")


def test_an_archive_that_does_not_open_is_told(home: FakeHome) -> None:
    archive_of(home, "faceset_001").write_bytes(b"no zip")
    archive_of(home, "faceset_002", "_top").unlink()
    found = Simulated(home)
    told = found.wrong("one_face_per_png")
    assert "faceset_001 (all, 640): the archive cannot be opened (BadZipFile" in told
    assert "faceset_002 (top, 320): the archive cannot be opened (FileNotFoundError" in told
    assert "there is no mean" in found.wrong("mean_matches_faceset")
    assert not found.success


def test_eras_are_simulated_and_their_family_is_nobody_else(fake_home: FakeHome) -> None:
    meet(fake_home)
    split(fake_home, "faceset_001")
    found = Simulated(fake_home)
    assert {FIRST, SECOND} <= set(found.table["faceset"])
    assert found.success
    family = {"faceset_001", FIRST, SECOND}
    assert not set(found.table.filter(pl.col("faceset").is_in(list(family)))["nearest_other"].drop_nulls()) & family


def test_alone_in_the_library_a_person_has_no_margin(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "b", 1, 7)
    fake_home.run("b")
    found = Simulated(fake_home)
    assert found.success
    assert found.table["margin"].null_count() == len(found.table)


def test_an_empty_library_has_nothing_to_simulate(fake_home: FakeHome) -> None:
    found = Simulated(fake_home)
    assert found.success
    assert found.table.is_empty()


def test_a_name_that_is_no_faceset_is_refused(home: FakeHome) -> None:
    result = home.materialize(
        "consumer_simulation", raise_on_error=False, consumer_simulation={"facesets": ["faceset_9"]}
    )
    assert not result.success


def test_small_faces_that_only_320_finds_do_not_get_into_the_archives(
    fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As they did before crops were looked at at 320; publishing again mends those facesets and touches no other."""
    fake_home.embedder = SharpResource()
    write_person(fake_home.buckets / "b", 1, 7)
    write_person(fake_home.buckets / "b", 2, 7)
    small = FakeFace(5, 0.0, x=235, y=100, size=24)
    write_photo(fake_home.buckets / "b" / "two.png", [FakeFace(1, 0.99), small], seed=77)
    with monkeypatch.context() as older:
        for module in ("crop_check", "face_crop"):
            older.setattr(f"facesets_dagster.export.{module}.CONSUMER_DET_SIZES", ())
        older.setattr("facesets_dagster.assets._run.CODE_VERSION", "1")
        fake_home.run("b")
    before, found = fake_home.files(), Simulated(fake_home)
    told = found.wrong("one_face_per_png")
    assert "several faces in 1 picture" in told
    assert "(all, 320)" in told
    assert "(all, 640)" not in told
    mended = set(found.table.filter(pl.col("pictures_wrong").is_not_null())["faceset"])
    assert len(mended) == 1
    fake_home.run("b")
    assert Simulated(fake_home).success
    after = fake_home.files()
    changed = {path.split("/")[0] for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert changed == {*mended, "manifest.json"}
    assert fake_home.flaws() == []
    fake_home.run("b")
    assert fake_home.files() == after


def test_the_limits_are_the_packs_and_have_bounds() -> None:
    assert ConsumerSimulationConfig().resolved(ARCFACE) == Limits(0.1, 0.1)
    assert ConsumerSimulationConfig().resolved(SFACE) == Limits(0.069, 0.069)
    assert ConsumerSimulationConfig(max_mean_distance=0.2, min_margin=0.0).resolved(SFACE) == Limits(0.2, 0.0)
    for field, value in (("max_mean_distance", 0.0), ("max_mean_distance", 2.1), ("min_margin", 3.0)):
        with pytest.raises(ValueError, match=field):
            ConsumerSimulationConfig(**{field: value})


def test_the_checks_stop_what_comes_after() -> None:
    from facesets_dagster.assets.consumer_simulation import consumer_simulation

    assert isinstance(consumer_simulation, dg.AssetsDefinition)
    assert {spec.name: spec.blocking for spec in consumer_simulation.check_specs} == {
        "one_face_per_png": True, "mean_matches_faceset": True,
    }  # fmt: skip
