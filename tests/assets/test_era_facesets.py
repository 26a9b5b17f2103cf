"""Eras: an identity split by period; anchors frozen, later photos slotted in, the identity itself untouched."""

import json

import dagster as dg
import polars as pl
import pytest
import sqlalchemy as sa

from facesets_dagster.photos.bucket_key import LIBRARY
from facesets_dagster.registry.tables import eras
from testing.eras import (
    FIRST,
    OLD,
    SECOND,
    YOUNG,
    checks,
    manifest,
    meet,
    metadata,
    names,
    split,
    without_eras,
    write_dated,
)
from testing.fake_home import FakeHome
from testing.labels import give_label


@pytest.fixture
def known(fake_home: FakeHome) -> FakeHome:
    return meet(fake_home)


def test_an_identity_is_split_by_period_and_stays_as_it_is(known: FakeHome) -> None:
    give_label(known.library.registry, "faceset_001", "Anna")
    before, funnel = known.files(), known.library.registry.decisions("a")
    result = split(known, "faceset_001")
    assert names(known) == {FIRST: "era", SECOND: "era"}
    entries = {entry["name"]: entry for entry in manifest(known)["facesets"]}
    found = {key: entries[FIRST][key] for key in ("kind", "parent", "number", "label", "bucket", "exported")}
    assert found == {
        "kind": "era", "parent": "faceset_001", "number": 1, "label": "Anna", "bucket": "a", "exported": 2,
    }  # fmt: skip
    assert without_eras(known.files()) == without_eras(before)
    assert known.library.registry.decisions("a").equals(funnel)
    assert checks(result) == dict.fromkeys(
        ("parent_untouched", "one_era_per_face", "photos_dated", "others_untouched", "consent_is_kept"), True
    )
    assert known.flaws() == []


def test_the_faces_of_an_era_are_the_very_pictures_of_its_identity(known: FakeHome) -> None:
    split(known, "faceset_001")

    def pictures(name: str) -> set[str]:
        return {face["sha256"] for face in json.loads(known.files()[f"{name}/manifest.json"])["faces"]}

    assert pictures(FIRST) | pictures(SECOND) == pictures("faceset_001")
    parameters = json.loads(known.files()[f"{FIRST}/manifest.json"])["parameters"]["era_facesets"]
    assert (parameters["join_distance"], parameters["join_years"], parameters["first_year"]) == (0.4, 5, 2010)


def test_a_second_run_changes_no_byte_whether_it_splits_again_or_not(known: FakeHome) -> None:
    split(known, "*")
    once = known.files()
    assert "founded" not in metadata(split(known, "*"))
    assert "changed" not in metadata(split(known))
    known.materialize("era_facesets", "top_manifest")
    known.run("a", job="full_pipeline")
    assert known.files() == once
    assert known.flaws() == []


def test_later_photos_slot_into_frozen_anchors(known: FakeHome) -> None:
    split(known, "faceset_001")
    anchors, before = known.library.registry.anchors(), known.files()
    write_dated(known.buckets / "a", [(2013, -0.1), (2014, -0.7)])
    known.run("a", job="full_pipeline")
    after = known.library.registry.anchors()
    assert {name: anchor.centroid.tobytes() for name, anchor in anchors.items()} == {
        name: anchor.centroid.tobytes() for name, anchor in after.items()
    }
    assert {name: (a.year, a.first_year, a.last_year) for name, a in after.items()} == {
        FIRST: (2011.5, 2010, 2012), SECOND: (2021.5, 2020, 2022),
    }  # fmt: skip
    members = known.library.registry.members()
    assert sorted(members[FIRST].values()) == ["founded"] * 4 + ["slotted"] * 2
    assert {name: data for name, data in known.files().items() if name.startswith(SECOND)} == {
        name: data for name, data in before.items() if name.startswith(SECOND)
    }
    assert known.flaws() == []


def test_faces_beyond_an_anchor_s_reach_do_not_follow_those_that_joined(known: FakeHome) -> None:
    split(known, "faceset_001")
    write_dated(known.buckets / "a", [(2015, 0.0), (2016, 0.0), (2017, 0.0), (2018, 0.0)])
    known.run("a")
    result = split(known)
    years = {2015: FIRST, 2016: FIRST, 2017: SECOND, 2018: SECOND}
    rows = pl.concat([
        pl.read_parquet(known.settings.library_dir / era / "members.parquet").with_columns(era=pl.lit(era))
        for era in (FIRST, SECOND)
    ])  # fmt: skip
    found = {int(path[:4]): era for path, era in rows.select("path", "era").iter_rows() if "+0.000" in path}
    assert found == years
    assert "faces_in_no_era" not in metadata(result)
    write_dated(known.buckets / "a", [(2013, 1.0), (2006, -0.7), (2004, -0.7)])
    known.run("a")
    assert metadata(split(known))["faces_in_no_era"] == {"too_many_years": 3}
    assert known.flaws() == []


def test_a_thin_era_moves_when_it_has_grown_and_never_goes_back(known: FakeHome) -> None:
    split(known, "faceset_001", min_era_faces=3)
    assert names(known) == {FIRST: "thin_era", SECOND: "thin_era"}
    assert [entry["name"] for entry in manifest(known)["thin_eras"]] == [FIRST, SECOND]
    assert {entry["kind"] for entry in manifest(known)["thin_eras"]} == {"era"}
    assert f"_thin/{FIRST}/manifest.json" in known.files()
    assert known.flaws() == []
    write_dated(known.buckets / "a", [(2013, -0.05)])
    known.run("a")
    result = known.materialize("era_facesets", "top_manifest")  # by the number that it was made with
    assert metadata(result)["no_longer_thin"] == [FIRST]
    assert names(known) == {FIRST: "era", SECOND: "thin_era"}
    assert {path.split("/")[0] for path in known.files() if FIRST in path} == {FIRST}
    assert FIRST in [entry["name"] for entry in manifest(known)["facesets"]]
    assert [entry["name"] for entry in manifest(known)["thin_eras"]] == [SECOND]
    assert known.flaws() == []
    split(known, "faceset_001", min_era_faces=50)
    assert names(known) == {FIRST: "era", SECOND: "thin_era"}
    assert known.flaws() == []


def test_eras_go_out_of_use_with_their_identity_and_come_back_with_it(known: FakeHome) -> None:
    split(known, "faceset_001")
    whole = {name: data for name, data in known.files().items() if "_era_" in name and name.endswith((".png", ".npz"))}
    known.run("a", osrc_clusters={"min_face_short_px": 500})
    result = known.materialize("era_facesets", "top_manifest")
    assert sorted(metadata(result)["retired"]) == [FIRST, SECOND]
    graves = {entry["name"]: entry["reason"] for entry in manifest(known)["tombstones"]}
    assert graves[FIRST] == "vanished"
    assert names(known) == {}
    assert known.flaws() == []
    known.run("a")
    known.materialize("era_facesets", "top_manifest")
    assert set(names(known)) == {FIRST, SECOND}
    assert {name: data for name, data in known.files().items() if name in whole} == whole
    assert known.flaws() == []


def test_an_era_covers_for_its_identity_and_extending_still_works(known: FakeHome) -> None:
    split(known, "faceset_001")
    write_dated(known.buckets / "b", [(2011, -0.98), (2021, 0.98), (2023, 0.5)])
    known.run("b", job="full_pipeline")
    states = known.library.registry.decisions("b")
    assert set(states["identity"].drop_nulls()) <= {"faceset_001"}
    assert {row[1] for row in known.library.registry.memberships(bucket="b").select("bucket", "name").rows()} == {
        "faceset_001", FIRST, SECOND,
    }  # fmt: skip
    assert known.flaws() == []


def test_a_hand_sorted_person_can_be_split(fake_home: FakeHome) -> None:
    write_dated(fake_home.people / "Anna", [*YOUNG, *OLD])
    fake_home.materialize("hand_sorted_facesets")
    split(fake_home, "faceset_001")
    assert set(names(fake_home)) == {FIRST, SECOND}
    assert {era.label for era in fake_home.library.registry.identities()} == {"Anna"}
    assert fake_home.flaws() == []


def test_a_label_given_later_reaches_the_eras_and_one_of_their_own_stays(known: FakeHome) -> None:
    split(known, "faceset_001")
    give_label(known.library.registry, "faceset_001", "Anna")
    give_label(known.library.registry, SECOND, "Anna, late")
    split(known)
    labels = {entry["name"]: entry["label"] for entry in manifest(known)["facesets"]}
    assert labels["faceset_001"] == labels[FIRST] == "Anna"
    assert labels[SECOND] == "Anna, late"


def test_eras_that_were_not_seeded_here_stay_as_they_are_and_keep_their_faces(known: FakeHome) -> None:
    split(known, "faceset_001")
    with known.library.registry.engine.begin() as connection:  # as a legacy library brings one: without an anchor
        connection.execute(sa.delete(eras).where(eras.c.name == FIRST))
    once, taken = known.files(), set(known.library.registry.members([FIRST])[FIRST])
    write_dated(known.buckets / "a", [(2013, -0.05), (2013, -0.1)])
    known.run("a")
    result = split(known, "faceset_001")
    assert metadata(result)["founded"] == ["faceset_001_era_2013-2013"]
    assert {name: data for name, data in known.files().items() if FIRST in name} == {
        name: data for name, data in once.items() if FIRST in name
    }
    assert not taken & set(known.library.registry.members(["faceset_001_era_2013-2013"])["faceset_001_era_2013-2013"])
    assert checks(result)["one_era_per_face"]
    assert known.flaws() == []


@pytest.mark.parametrize("name", ["faceset_009", FIRST])
def test_a_name_that_cannot_be_split_is_refused_and_nothing_happens(known: FakeHome, name: str) -> None:
    split(known, "faceset_001")
    once = known.files()
    with pytest.raises(dg.Failure, match=f"split.*{name}"):
        split(known, name)
    assert known.files() == once


def test_a_library_without_eras_gets_no_page(known: FakeHome) -> None:
    once = known.files()
    result = known.materialize("era_facesets", "top_manifest")
    assert "note" in metadata(result)
    assert known.files() == once
    assert not (known.settings.reports_dir / LIBRARY).exists()
