"""What the sides of a card are compared by: years between them, where photos of both are dated."""

import numpy as np
import polars as pl

from facesets_dagster.analysis.review_pieces import Piece, Pieces
from facesets_dagster.identities.chances import started
from testing.fake_home import FakeHome
from testing.fakes import FakeFace, write_photo
from testing.queue_home import CLUSTER, COVER, NUMBERS


def pieces(years: dict[str, int]) -> Pieces:
    """Six faces of six photos, all alike."""
    ids = [f"face{number}" for number in range(6)]
    photos = [f"photo{number}" for number in range(6)]
    faces = pl.DataFrame({"face_id": ids, "sha256": photos, "sharpness": [100.0] * 6, "blur": [100.0] * 6})
    unit = np.tile(np.eye(1, 4, dtype=np.float32), (6, 1))
    return Pieces(faces, unit, 60.0, (Piece("a", (0, 1, 2)), Piece("b", (3, 4, 5))), years)


def test_years_lie_between_the_middle_years_of_the_dated_photos() -> None:
    known = {"photo0": 2001, "photo1": 2003, "photo2": 2020, "photo4": 2011}
    found = pieces(known)
    assert found.likeness(*found.all).years == 8.0
    assert found.likeness(found.all[1], found.all[0]).years == 8.0


def test_an_undated_side_says_nothing() -> None:
    for years in ({}, {"photo1": 2003}):
        found = pieces(years)
        assert found.likeness(*found.all).years is None
        assert started(0.5).same([found.likeness(*found.all)])[0] > 0.9


def test_cards_know_the_years_that_names_of_photos_tell(fake_home: FakeHome) -> None:
    looks = [-1.0, -0.95, -0.9, -0.85]
    for bucket, year, first in (("a", 2003, 0.0), ("b", 2015, 1.1)):
        for number, look in enumerate(looks):
            photo = fake_home.buckets / bucket / f"IMG_{year}050{number + 1}_120000.png"
            photo.parent.mkdir(exist_ok=True)
            write_photo(photo, [FakeFace(1, look + first)], seed=10 * year + number)
        fake_home.run(bucket, osrc_uncovered=COVER, osrc_clusters=CLUSTER)
    assert fake_home.materialize("review_queue", review_queue=NUMBERS).success
    table = pl.read_parquet(fake_home.settings.tables_dir / "review_queue" / "all.parquet")
    (pair,) = table.filter(pl.col("kind") == "pair", ~pl.col("joined"))["likenesses"].to_list()
    assert pair[0]["years"] == 12.0
