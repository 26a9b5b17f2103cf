"""Duplicates of the whole library as an asset, over drawn photos that are really copied, resized and re-encoded."""

import io
from pathlib import Path

import dagster as dg
import polars as pl
from PIL import Image

from facesets_dagster.photos.bucket_key import HAND_SORTED, LIBRARY
from testing.fake_home import FakeHome
from testing.fakes import FakeFace, write_person, write_photo


def smaller(source: Path, target: Path, scale: float = 0.6, **options: object) -> None:
    """A resized and re-encoded copy."""
    with Image.open(source) as photo:
        size = (round(photo.width * scale), round(photo.height * scale))
        stream = io.BytesIO()
        photo.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(
            stream, **{"format": "JPEG", "quality": 92, **options}
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(stream.getvalue())


def look(home: FakeHome, **config: object) -> tuple[pl.DataFrame, dict, dict[str, dg.AssetCheckEvaluation]]:
    result = home.materialize("library_duplicates", **({"library_duplicates": config} if config else {}))
    table = pl.read_parquet(home.settings.cache_dir / "tables" / "library_duplicates" / "all.parquet")
    metadata = dict(result.asset_materializations_for_node("library_duplicates")[0].metadata)
    return table, metadata, {check.check_name: check for check in result.get_asset_check_evaluations()}


def test_a_resized_copy_is_found_and_another_photo_of_the_pose_is_not(fake_home: FakeHome) -> None:
    bucket = fake_home.buckets / "b"
    write_photo(bucket / "one.png", [FakeFace(1, 0.0)], seed=1)
    write_photo(bucket / "same pose.png", [FakeFace(1, 0.0)], seed=2)
    smaller(bucket / "one.png", bucket / "sent" / "one.jpg")
    fake_home.run("b")
    table, metadata, checks = look(fake_home)
    assert table.select("best", "path").rows() == [(True, "one.png"), (False, "sent/one.jpg")]
    copy = table.row(1, named=True)
    assert copy["similarity"] >= 0.95
    assert copy["bits"] <= 8
    assert metadata["visual_duplicate_copies"].value == 1
    assert all(check.passed for check in checks.values())
    strict, _, _ = look(fake_home, min_similarity=1.0)
    assert strict.is_empty()
    lax, _, _ = look(fake_home, max_hash_bits=64)
    assert len(lax) == 3, "without the hash the other photo would pass for a copy"


def test_copies_of_bytes_are_listed_within_and_across_buckets(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 7)
    write_person(fake_home.buckets / "b", 1, 1)
    (fake_home.buckets / "a" / "copy.png").write_bytes((fake_home.buckets / "a" / "p01_003.png").read_bytes())
    fake_home.run("a")
    fake_home.run("b")
    table, metadata, _ = look(fake_home)
    found = table.filter(pl.col("kind") == "bytes")
    pairs = [{*group.select("bucket", "path").rows()} for _, group in found.group_by("set", maintain_order=True)]
    assert {("a", "copy.png"), ("a", "p01_003.png")} in pairs
    assert {("a", "p01_000.png"), ("b", "p01_000.png")} in pairs
    assert {tuple(names) for names in found["facesets"].to_list()} == {("faceset_001",)}
    size = (fake_home.buckets / "b" / "p01_000.png").stat().st_size
    assert metadata["byte_duplicates"].value == 2
    assert metadata["byte_duplicates_bytes"].value > size


def test_pairs_stand_side_by_side_on_the_page(fake_home: FakeHome) -> None:
    bucket = fake_home.buckets / "b"
    write_person(bucket, 1, 8)
    smaller(bucket / "p01_000.png", bucket / "p01_000 small.jpg")
    fake_home.run("b")
    _, metadata, _ = look(fake_home)
    (page,) = (fake_home.settings.reports_dir / LIBRARY).glob("*.library_duplicates.html")
    html = page.read_text()
    assert html.count("<img ") == 2
    assert "p01_000 small.jpg" in html
    assert "faceset_001" in html
    assert page.name in str(metadata["report"].value)


def test_nothing_is_changed_and_a_second_run_decodes_no_photo(fake_home: FakeHome) -> None:
    bucket = fake_home.buckets / "b"
    write_person(bucket, 1, 8)
    smaller(bucket / "p01_000.png", bucket / "small.jpg")
    fake_home.run("b")
    library = fake_home.files()
    photos = {path: path.read_bytes() for path in bucket.iterdir()}
    first, _, _ = look(fake_home)
    assert len(first) == 2
    for path in photos:
        path.unlink()  # what is not there cannot be decoded
    again, metadata, _ = look(fake_home)
    assert again.equals(first)
    assert metadata["faces_not_compared"].value == 0
    assert fake_home.files() == library
    assert fake_home.flaws() == []


def test_a_face_that_two_identities_have_is_reported_as_a_fault(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    fake_home.run("a")
    write_person(fake_home.people / "Anna", 1, 8)  # the same bytes, asserted by hand
    fake_home.materialize("hand_sorted_facesets")
    table, metadata, checks = look(fake_home)
    assert not checks["one_identity_per_face"].passed
    assert "faceset_001, faceset_002" in str(checks["one_identity_per_face"].metadata["faces"].value)
    assert metadata["faces_in_two_identities"].value >= 4
    assert set(table.filter(pl.col("kind") == "bytes")["bucket"]) == {"a", HAND_SORTED}


def test_an_empty_home_has_no_duplicates(fake_home: FakeHome) -> None:
    table, metadata, checks = look(fake_home)
    assert table.is_empty()
    assert metadata["faces"].value == 0
    assert all(check.passed for check in checks.values())
