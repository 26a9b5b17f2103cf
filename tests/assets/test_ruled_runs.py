"""Runs of buckets after rulings: only what was named moves, and only the buckets concerned are news."""

import shutil

import polars as pl
import pytest

from testing.fake_home import FakeHome
from testing.fakes import FakeFace, write_looks, write_photo
from testing.merges import live
from testing.rulings import decide, faces_of, obey, state_of_face, three_people

pytestmark = pytest.mark.both_databases

ONE, TWO, THREE = (f"faceset_{number:03d}" for number in (1, 2, 3))
NUMBERS = {"osrc_clusters": {"min_faces": 3}}


@pytest.fixture
def home(fake_home: FakeHome) -> FakeHome:
    three_people(fake_home)
    return fake_home


def clusters(home: FakeHome, bucket: str) -> dict[str, int]:
    table = pl.read_parquet(home.settings.cache_dir / "tables" / "osrc_clusters" / f"{bucket}.parquet")
    return dict(table.select("face_id", "cluster").iter_rows())


def left_over(home: FakeHome, bucket: str) -> list[str]:
    rows = home.library.registry.decisions(bucket)
    return sorted(rows.filter(pl.col("state") == "small_cluster")["face_id"])


def test_two_left_over_faces_that_are_one_person_found_somebody(home: FakeHome) -> None:
    write_looks(home.buckets / "b", 5, [-0.4, 0.0])
    write_looks(home.buckets / "b", 6, [0.0])
    home.run("b", **NUMBERS)
    assert live(home) == [ONE, TWO, THREE]
    first, *_, last = sorted(left_over(home, "b"), key=lambda face: clusters(home, "b")[face])
    decide(home, lambda ask: ask.same({first: None}, {last: None}))
    home.run("b", **NUMBERS)
    assert len({clusters(home, "b")[face] for face in (first, last)}) == 1
    assert len(live(home)) == 4
    assert {first, last} <= set(faces_of(home, live(home)[-1]))
    assert home.flaws() == []


def test_faces_that_are_one_person_stay_together_although_everything_is_clustered_otherwise(home: FakeHome) -> None:
    both = {*faces_of(home, TWO), *faces_of(home, THREE)}
    decide(home, lambda ask: ask.same(THREE, TWO))
    obey(home)
    home.run("a", osrc_clusters={"min_faces": 3, "cluster_distance": 1.9})
    assert set(faces_of(home, TWO)) == both
    assert home.flaws() == []


def test_two_faces_that_are_two_people_are_never_one_persons_members(home: FakeHome) -> None:
    write_looks(home.buckets / "b", 5, [-0.4, 0.0])
    home.run("b", **NUMBERS)
    first, second = left_over(home, "b")
    decide(home, lambda ask: ask.different({first: None}, {second: None}))
    write_looks(home.buckets / "b", 5, [0.4, 0.8, -0.8])
    home.run("b", **NUMBERS)
    (found,) = set(live(home)) - {ONE, TWO, THREE}
    assert len({first, second} & set(faces_of(home, found))) == 1
    home.run("b", osrc_clusters={"min_faces": 3, "outlier_min_size": 5})  # everything is clustered again
    assert len({first, second} & set(faces_of(home, found))) == 1
    assert home.flaws() == []


def test_a_face_of_another_bucket_that_was_taken_from_somebody_does_not_join_again(home: FakeHome) -> None:
    write_looks(home.buckets / "b", 1, [-0.7, 0.2, 0.7])
    home.run("b", **NUMBERS)
    (face, *_) = sorted(set(faces_of(home, ONE)) & set(clusters(home, "b")))
    decide(home, lambda ask: ask.not_person({face: None}, ONE))
    obey(home)
    write_looks(home.buckets / "b", 1, [0.45])
    home.run("b", **NUMBERS)
    assert face not in faces_of(home, ONE)
    assert state_of_face(home, face, "b")[0] == "small_cluster"
    assert len(set(faces_of(home, ONE)) & set(clusters(home, "b"))) == 3
    home.run("b", **NUMBERS)
    assert face not in faces_of(home, ONE)


def test_only_the_bucket_that_is_spoken_of_is_news(home: FakeHome) -> None:
    write_looks(home.buckets / "b", 5, [-0.4, 0.0, 0.4])
    home.run("b", **NUMBERS)
    digests = {run.bucket: run.inputs_digest for run in home.library.registry.bucket_runs()}
    ignored = decide(home, lambda ask: ask.ignore(TWO))
    obey(home)
    again = home.run("b", **NUMBERS)
    (made,) = again.asset_materializations_for_node("swap_ready_facesets")
    assert made.metadata["unchanged"].value
    home.run("a", **NUMBERS)
    after = {run.bucket: run.inputs_digest for run in home.library.registry.bucket_runs()}
    assert after["b"] == digests["b"]
    assert after["a"] != digests["a"]
    assert set(home.library.registry.decisions("a").filter(pl.col("ruling") == ignored)["state"]) == {"ignored"}


def test_an_ignored_face_bridges_nothing_and_a_kept_person_beside_it_stays_theirs(home: FakeHome) -> None:
    decide(home, lambda ask: ask.ignore(TWO))
    obey(home)
    photo = home.buckets / "b" / "both.png"
    photo.parent.mkdir(parents=True, exist_ok=True)
    write_photo(photo, [FakeFace(1, 0.1), FakeFace(2, -0.2, x=320)])
    write_looks(home.buckets / "b", 2, [-0.7, 0.2])
    home.run("b", **NUMBERS)
    states = home.library.registry.decisions("b").group_by("state").len()
    assert dict(states.iter_rows())["ignored"] == 3
    assert len(set(faces_of(home, ONE)) & set(clusters(home, "b"))) == 1
    assert live(home) == [ONE, THREE]


def test_a_copy_in_another_bucket_is_the_same_face(home: FakeHome) -> None:
    taken, ignored = faces_of(home, ONE)[0], faces_of(home, THREE)[0]
    given = faces_of(home, ONE)[1]
    decide(home, lambda ask: ask.not_person({taken: None}, ONE))
    decide(home, lambda ask: ask.ignore_faces({ignored: None}, are_faces=True))
    decide(home, lambda ask: ask.assign({given: None}, TWO))
    obey(home)
    shutil.copytree(home.buckets / "a", home.buckets / "b")
    home.run("b", **NUMBERS)
    decided = home.library.registry.decisions("b")
    states = {face: (state, whose) for face, state, whose in decided.select("face_id", "state", "identity").iter_rows()}
    assert states[taken] == ("small_cluster", None)
    assert states[ignored][0] == "ignored"
    assert states[given] == ("covered", TWO)
    assert taken not in faces_of(home, ONE)
    home.run("a", **NUMBERS)
    home.run("a", osrc_clusters={"min_faces": 3, "outlier_min_size": 5})
    assert given in faces_of(home, TWO)
    assert taken not in faces_of(home, ONE)
    assert home.flaws() == []
