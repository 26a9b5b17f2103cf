"""The reason in words belongs to the decision that was recorded, for every face and every state."""

from dataclasses import replace

import polars as pl
import pytest

from facesets_dagster.analysis.explanation import contents_of, explain_contents, explain_unread, is_face_id, reason
from facesets_dagster.publishing.funnel import STATES
from facesets_dagster.registry.joins import joins_of
from facesets_dagster.resources.home import HomeResource
from testing import eras
from testing.fake_home import FakeHome
from testing.fakes import PACK, FakeFace, write_person, write_photo


def test_every_face_of_a_bucket_is_explained_by_its_own_row(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    write_photo(fake_home.buckets / "a" / "two.png", [FakeFace(1, 0.0), FakeFace(2, 0.5, x=300, size=60)])
    (fake_home.buckets / "a" / "notes.txt").write_text("notes")
    (fake_home.buckets / "a" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    fake_home.run("a")
    tables = HomeResource.of(fake_home.settings).face_store("a", PACK.model_id, PACK.dim).read()
    decisions = fake_home.library.registry.decisions("a")
    photos = explain_contents("a", tables, decisions, tables.contents["sha256"])
    rows = {row["face_id"]: row for row in decisions.iter_rows(named=True)}
    explained = {face.face_id: face for photo in photos for face in photo.faces}
    assert set(explained) == set(rows)
    for face_id, face in explained.items():
        row = rows[face_id]
        assert (face.state, face.value, face.threshold) == (row["state"], row["value"], row["threshold"])
        assert (face.identity, face.nearest) == (row["identity"], row["nearest"])  # a first run: nobody is near
    by_path = {photo.path: photo for photo in photos}
    assert by_path["broken.jpg"].status == "unreadable"
    small = by_path["two.png"].faces[1]
    assert small.why == "The shorter side of the face (px) is 60, to count it must be at least 90."
    (foreign,) = explain_unread("a", tables, "notes.txt")
    assert (foreign.status, foreign.faces) == ("foreign", [])


def test_a_photo_that_was_turned_is_told(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 6)
    fake_home.run("a")
    tables = HomeResource.of(fake_home.settings).face_store("a", PACK.model_id, PACK.dim).read()
    turned = replace(tables, faces=tables.faces.with_columns(turn=pl.lit(90, pl.Int16)))
    for tables_now, said in ((tables, 0), (turned, 6)):
        photos = explain_contents("a", tables_now, fake_home.library.registry.decisions("a"), tables.contents["sha256"])
        flags = [flag for photo in photos for face in photo.faces for flag in face.flags]
        assert [flag.startswith("in the photo turned by 90 degrees") for flag in flags] == [True] * said


def test_a_join_of_the_second_stage_is_told_and_stays_on_record(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    write_person(fake_home.buckets / "a", 2, 6)
    numbers = {"join_two_groups": 2.0, "outlier_distance": 2.0}
    fake_home.run("a", osrc_clusters=numbers)
    registry = fake_home.library.registry
    store = HomeResource.of(fake_home.settings).face_store("a", PACK.model_id, PACK.dim)

    def told() -> list[str]:
        tables, joins = store.read(), joins_of(registry, "a")
        contents = tables.contents["sha256"]
        photos = explain_contents("a", tables, registry.decisions("a"), contents, joins=joins)
        return [face.flags[0] for photo in photos for face in photo.faces if face.join is not None]

    (sentence,) = set(told())
    assert "a piece of 6 faces with it lay" in sentence
    assert "from the mean of 8 others, at most 2.000" in sentence
    assert len(told()) == 6
    write_person(fake_home.buckets / "a", 3, 1)
    fake_home.run("a", osrc_clusters=numbers)
    assert len([one for one in told() if one == sentence]) == 6, "members keep what brought them there"
    fake_home.run("a")
    assert told() == [], "everything is clustered again without a second stage"


def test_the_nearest_of_a_member_is_somebody_else(fake_home: FakeHome) -> None:
    for person in (1, 2):
        write_person(fake_home.buckets / "a", person, 8)
    fake_home.run("a")
    write_person(fake_home.buckets / "a", 1, 1, first=8)
    fake_home.run("a")
    tables = HomeResource.of(fake_home.settings).face_store("a", PACK.model_id, PACK.dim).read()
    decisions = fake_home.library.registry.decisions("a")
    assert decisions["nearest"].equals(decisions["identity"].rename("nearest")), "the funnel records the own centroid"
    identities = fake_home.library.registry.identities()
    other = {"faceset_001": "faceset_002", "faceset_002": "faceset_001"}
    contents = tables.contents["sha256"]
    for photo in explain_contents("a", tables, decisions, contents, identities=identities):
        for face in photo.faces:
            assert face.nearest == other[str(face.identity)]
            assert face.nearest_distance is not None
            assert face.nearest_distance > 0.5, "people are far apart, members near"
    for photo in explain_contents("a", tables, decisions, contents):
        assert {face.nearest for face in photo.faces} == {None}, "where only the funnel is known"


def test_an_era_is_not_somebody_else(fake_home: FakeHome) -> None:
    eras.meet(fake_home)
    eras.split(fake_home, "faceset_001", min_era_faces=2)
    (bucket,) = HomeResource.of(fake_home.settings).buckets()
    tables = HomeResource.of(fake_home.settings).face_store(bucket, PACK.model_id, PACK.dim).read()
    registry = fake_home.library.registry
    photos = explain_contents(
        bucket, tables, registry.decisions(bucket), tables.contents["sha256"], identities=registry.identities()
    )
    assert len(eras.names(fake_home)) == 2
    assert {face.nearest for photo in photos for face in photo.faces if face.identity == "faceset_001"} == {
        "faceset_002"
    }


def test_a_photo_is_found_by_bytes_by_path_and_by_face(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 2)
    fake_home.run("a")
    tables = HomeResource.of(fake_home.settings).face_store("a", PACK.model_id, PACK.dim).read()
    face = tables.faces.filter(pl.col("path") == "p01_000.png")
    sha256, face_id = face["sha256"].item(), face["face_id"].item()
    assert is_face_id(face_id)
    assert contents_of(tables, sha256=None, path=None, face_id=face_id).to_list() == [sha256]
    assert contents_of(tables, sha256=sha256, path=None, face_id=None).to_list() == [sha256]
    assert contents_of(tables, sha256=None, path="p01_000.png", face_id=None).to_list() == [sha256]
    assert contents_of(tables, sha256=None, path="absent.png", face_id=None).to_list() == []
    assert contents_of(tables, sha256=None, path=None, face_id=None).to_list() == []


@pytest.mark.parametrize("state", STATES)
def test_every_state_has_a_sentence(state: str) -> None:
    gates = {"below_gate": ":blur", "below_export_gate": ":face_short", "crop_failed": ":several_faces_found"}
    whole = state + gates.get(state, "")
    said = reason({"state": whole, "value": 12.5, "threshold": 40.0, "identity": "faceset_007"})
    assert said != whole
    assert said.endswith(".")


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        (
            {"state": "ignored", "value": None, "threshold": None, "identity": None, "ruling": "r1"},
            "It is ignored: ruling r1 names this face.",
        ),
        (
            {"state": "ignored", "value": 0.21, "threshold": 0.3, "identity": "faceset_040", "ruling": "r1"},
            "faceset_040 is ignored: ruling r1. Its nearest face there lies at cos-dist 0.21, at most 0.3.",
        ),
        (
            {"state": "ruled_out", "value": None, "threshold": None, "identity": "faceset_020", "ruling": "r2"},
            "It is not faceset_020: ruling r2. The next run of the bucket judges it again.",
        ),
    ],
)
def test_faces_that_a_ruling_decided_name_it(decision: dict[str, object], words: str) -> None:
    assert reason(decision) == words
