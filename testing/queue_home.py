"""A home with a card of most kinds."""

from testing.fake_home import FakeHome
from testing.fakes import FakeFace, write_looks, write_photo

NUMBERS = {"cover_distance": 0.3, "reach": 0.2}
COVER, CLUSTER = {"cover_distance": 0.05}, {"cluster_distance": 0.1, "min_faces": 3}


def home_with_cards(home: FakeHome) -> None:
    """Two face sets of person 1, one of person 2 with a photo that shows it twice, a stranger; the cards are made."""
    home.begin(_filled)


def _filled(home: FakeHome) -> None:
    two_halves_and_a_mirror(home)
    assert home.materialize("review_queue", review_queue=NUMBERS).success


def two_halves_and_a_mirror(home: FakeHome) -> None:
    """Two face sets of person 1, one of person 2 with a photo that shows it twice, and a stranger."""
    write_looks(home.buckets / "a", 1, [-1.0, -0.95, -0.9, -0.85])
    write_looks(home.buckets / "a", 2, [-0.1, 0.0, 0.1])
    write_looks(home.buckets / "a", 7, [0.0])
    write_photo(home.buckets / "a" / "mirror.png", [FakeFace(2, 0.02), FakeFace(2, 0.05, x=300)], seed=9)
    write_looks(home.buckets / "b", 1, [0.1, 0.15, 0.2])
    for bucket in ("a", "b"):
        home.run(bucket, osrc_uncovered=COVER, osrc_clusters=CLUSTER)
