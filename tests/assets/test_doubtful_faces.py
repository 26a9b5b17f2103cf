"""Questions about a library: what they are, what they would change, and the page with the faces."""

from html import unescape

import polars as pl

from facesets_dagster.photos.bucket_key import LIBRARY
from testing.fake_home import FakeHome
from testing.fakes import FakeFace, write_looks, write_photo

NUMBERS = {"margin": 0.1, "cover_distance": 0.3}


def table_of(home: FakeHome) -> pl.DataFrame:
    return pl.read_parquet(home.settings.cache_dir / "tables" / "doubtful_faces" / "all.parquet")


def test_what_is_near_its_threshold_is_asked_about_most_change_first(fake_home: FakeHome) -> None:
    write_looks(fake_home.buckets / "a", 1, [-1.0, -0.95, -0.9, -0.85])
    write_looks(fake_home.buckets / "a", 2, [-0.1, 0.0, 0.1])
    write_photo(fake_home.buckets / "a" / "mirror.png", [FakeFace(2, 0.02), FakeFace(2, 0.05, x=300)], seed=9)
    write_looks(fake_home.buckets / "b", 1, [0.1, 0.15, 0.2])
    strict = {"osrc_uncovered": {"cover_distance": 0.05}, "osrc_clusters": {"cluster_distance": 0.1, "min_faces": 3}}
    for bucket in ("a", "b"):
        fake_home.run(bucket, **strict)
    result = fake_home.materialize("doubtful_faces", doubtful_faces=NUMBERS)
    assert result.success
    table = table_of(fake_home)
    assert table["rank"].to_list() == list(range(1, len(table) + 1))
    assert table["change"].is_sorted(descending=True)
    kinds = dict(table.group_by("kind").len().iter_rows())
    assert kinds["same_photo"] == 1
    assert kinds["near_people"] == 1
    pair = table.row(by_predicate=pl.col("kind") == "near_people", named=True)
    assert pair["question"] == f"Are {pair['identity']} and {pair['other']} one person?"
    assert pair["moved"] == 3
    assert pair["bucket"] == "b"
    assert pair["face_id"] == pair["other_face_id"]
    assert pair["identity_face_id"] != pair["other_face_id"]
    twice = table.row(by_predicate=pl.col("kind") == "same_photo", named=True)
    assert twice["path"] == "mirror.png"
    assert twice["face_id"] != twice["other_face_id"]


def test_the_page_shows_the_faces_of_each_question(fake_home: FakeHome) -> None:
    write_looks(fake_home.buckets / "a", 2, [-0.1, 0.0, 0.1])
    write_photo(fake_home.buckets / "a" / "mirror.png", [FakeFace(2, 0.02), FakeFace(2, 0.05, x=300)], seed=9)
    fake_home.run("a", osrc_clusters={"min_faces": 3})
    result = fake_home.materialize("doubtful_faces")
    page = unescape((fake_home.settings.reports_dir / LIBRARY / f"{result.run_id}.doubtful_faces.html").read_text())
    assert "Twice in one photo" in page
    assert "The photo shows faceset_001 twice." in page
    section = page.split("Twice in one photo</h2>")[1]
    assert section.count("<img") == 3
    before = table_of(fake_home)
    fake_home.materialize("doubtful_faces")
    assert table_of(fake_home).equals(before)


def test_a_home_without_people_has_no_questions(fake_home: FakeHome) -> None:
    write_looks(fake_home.buckets / "a", 2, [0.0])
    fake_home.run("a")
    assert fake_home.materialize("doubtful_faces").success
    assert table_of(fake_home).is_empty()
