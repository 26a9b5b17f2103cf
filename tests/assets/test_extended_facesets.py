"""Extend: known people of a new bucket join the face sets that exist; nobody moves, nothing else is touched."""

import json

import polars as pl

from testing.fake_home import FakeHome
from testing.fakes import FakeFace, write_looks, write_person, write_photo
from testing.labels import give_label


def members(home: FakeHome, name: str) -> set[tuple[str, str]]:
    rows = home.library.registry.memberships().filter(pl.col("name") == name)
    return set(rows.select("bucket", "face_id").rows())


def exported(home: FakeHome, name: str) -> list[dict]:
    return json.loads((home.settings.library_dir / name / "manifest.json").read_text())["faces"]


def test_covered_faces_join_and_new_people_are_founded_in_one_run(fake_home: FakeHome) -> None:
    write_looks(fake_home.buckets / "a", 1, [-0.9, -0.8, -0.45, -0.4, 0.0, 0.05])
    write_person(fake_home.buckets / "a", 2, 8)
    fake_home.run("a")
    before = {name: fake_home.files()[f"{name}/manifest.json"] for name in ("faceset_001", "faceset_002")}
    write_looks(fake_home.buckets / "b", 1, [0.45, 0.5])
    write_person(fake_home.buckets / "b", 3, 7)
    assert fake_home.run("b", job="full_pipeline").success
    grown = next(name for name in before if fake_home.files()[f"{name}/manifest.json"] != before[name])
    other = ({*before} - {grown}).pop()
    assert fake_home.files()[f"{other}/manifest.json"] == before[other]
    assert {bucket for bucket, _ in members(fake_home, grown)} == {"a", "b"}
    assert {face["source"]["bucket"] for face in exported(fake_home, grown)} == {"a", "b"}
    assert {face["source"]["bucket"] for face in exported(fake_home, "faceset_003")} == {"b"}
    table = pl.read_parquet(fake_home.settings.library_dir / grown / "members.parquet")
    assert table.filter(pl.col("bucket") == "b")["joined_by"].unique().to_list() == ["extended"]
    states = fake_home.library.registry.decisions("b")
    assert set(states.filter(pl.col("identity") == grown)["state"]) <= {
        "exported", "near_duplicate", "export_outlier", "covered",
    }  # fmt: skip
    assert fake_home.flaws() == []


def test_discovery_alone_says_who_waits_and_extending_later_takes_them(fake_home: FakeHome) -> None:
    fake_home.discovers_alone()
    write_person(fake_home.buckets / "a", 1, 8)
    write_person(fake_home.buckets / "b", 1, 4, first=8)
    fake_home.run("a")
    result = fake_home.run("b")
    metadata = result.asset_materializations_for_node("swap_ready_facesets")[0].metadata
    waiting = fake_home.library.registry.decisions("b").filter(pl.col("state") == "covered")
    assert metadata["waiting_to_join"].value == {"faceset_001": len(waiting)}
    assert len(waiting) >= 2
    assert fake_home.materialize("extended_facesets", bucket="b").success
    assert len([bucket for bucket, _ in members(fake_home, "faceset_001") if bucket == "b"]) == len(waiting)
    assert fake_home.flaws() == []


def test_a_second_run_changes_nothing_and_the_founding_bucket_keeps_its_growth(fake_home: FakeHome) -> None:
    write_looks(fake_home.buckets / "a", 1, [-0.9, -0.8, -0.45, -0.4, 0.0, 0.05])
    write_looks(fake_home.buckets / "b", 1, [0.45, 0.5])
    fake_home.run("a", job="full_pipeline")
    fake_home.run("b", job="full_pipeline")
    once, known = fake_home.files(), members(fake_home, "faceset_001")
    for bucket in ("b", "a", "b"):
        fake_home.run(bucket, job="full_pipeline")
    assert fake_home.files() == once
    fake_home.run("a", osrc_clusters={"min_blur": 41})  # other parameters: everything of `a` is clustered again
    assert members(fake_home, "faceset_001") >= {row for row in known if row[0] == "b"}
    assert {face["source"]["bucket"] for face in exported(fake_home, "faceset_001")} == {"a", "b"}
    assert fake_home.flaws() == []


def test_more_photos_of_the_founding_bucket_do_not_lose_the_others(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    write_person(fake_home.buckets / "b", 1, 4, first=8)
    fake_home.run("a", job="full_pipeline")
    fake_home.run("b", job="full_pipeline")
    known = members(fake_home, "faceset_001")
    write_person(fake_home.buckets / "a", 1, 3, first=14)
    fake_home.run("a", job="full_pipeline")
    assert members(fake_home, "faceset_001") > known
    assert fake_home.flaws() == []


def test_byte_copies_of_a_member_stay_covered_and_add_nothing(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    write_person(fake_home.buckets / "b", 1, 2)  # the same bytes
    fake_home.run("a")
    once = fake_home.files()
    result = fake_home.run("b", job="full_pipeline")
    assert result.success
    copies = set(fake_home.library.registry.decisions("b")["state"])
    assert "exported" not in copies
    assert {name: data for name, data in fake_home.files().items() if name.startswith("faceset_")} == {
        name: data for name, data in once.items() if name.startswith("faceset_")
    }
    assert fake_home.flaws() == []


def test_a_group_photo_gives_each_person_their_own_face(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    write_person(fake_home.buckets / "a", 2, 8)
    fake_home.run("a")
    for index in range(3):
        faces = [FakeFace(1, 0.1 * index, x=20), FakeFace(2, 0.1 * index, x=300)]
        write_photo(fake_home.buckets / "b" / f"both{index}.png", faces, seed=index)
    fake_home.run("b", job="full_pipeline")
    for name in ("faceset_001", "faceset_002"):
        mine = [face_id for bucket, face_id in members(fake_home, name) if bucket == "b"]
        assert len(mine) == 3
        assert len({face_id.split("-")[0] for face_id in mine}) == 3
    assert fake_home.flaws() == []


def test_copies_of_far_members_are_covered_and_new_faces_beside_them_stay_at_home(fake_home: FakeHome) -> None:
    looks = [*(-1 + 0.002 * place for place in range(12)), 0.4]  # the last is a member, and too far to be exported
    write_looks(fake_home.buckets / "a", 1, looks)
    fake_home.run("a")
    far = fake_home.library.registry.decisions("a").filter(pl.col("state") == "export_outlier")
    assert len(far) == 1
    write_looks(fake_home.buckets / "b", 1, [0.4, -0.998, -0.5])  # two copies and a new look
    fake_home.run("b", job="full_pipeline")
    states = dict(fake_home.library.registry.decisions("b").select("face_id", "state").iter_rows())
    assert states[far["face_id"][0]] == "covered"
    assert sorted(states.values()) == ["covered", "covered", "exported"]
    assert {face["source"]["bucket"] for face in exported(fake_home, "faceset_001")} == {"a", "b"}
    assert {bucket for bucket, face_id in members(fake_home, "faceset_001") if face_id in far["face_id"]} == {"a"}
    assert fake_home.flaws() == []


FEW = {"osrc_clusters": {"min_faces": 3}}


def test_the_main_job_takes_known_people_in_and_says_whom(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    fake_home.run("a")
    give_label(fake_home.library.registry, "faceset_001", "Anna")
    write_person(fake_home.buckets / "b", 1, 4, first=8)
    write_person(fake_home.buckets / "b", 2, 7)
    result = fake_home.run("b")
    taken = {bucket for bucket, _ in members(fake_home, "faceset_001")}
    assert taken == {"a", "b"}
    here = len([bucket for bucket, _ in members(fake_home, "faceset_001") if bucket == "b"])
    metadata = result.asset_materializations_for_node("extended_facesets")[0].metadata
    assert metadata["joined"].value == [f"{here} faces joined faceset_001 (Anna)"]
    assert metadata["known_people"].value == 1
    (page,) = [page for page in (fake_home.settings.reports_dir / "b").glob("*.md") if page.name.count(".") == 1]
    assert f"{here} faces joined faceset_001 (Anna)" in page.read_text()
    checks = {
        check.check_name: check
        for check in result.get_asset_check_evaluations()
        if check.asset_key.path[-1] == "extended_facesets"
    }
    assert all(check.passed for check in checks.values())
    assert checks["others_untouched"].metadata["declared"].value == ["faceset_001"]
    assert "waiting_to_join" not in result.asset_materializations_for_node("swap_ready_facesets")[0].metadata
    assert fake_home.flaws() == []


def test_a_person_who_has_grown_takes_in_whom_they_reach_by_then(fake_home: FakeHome) -> None:
    write_looks(fake_home.buckets / "a", 1, [-1.0, -0.58, -0.16])
    fake_home.run("a", **FEW)
    write_looks(fake_home.buckets / "b", 1, [0.26, 0.72])  # the second is out of reach until the first has joined
    fake_home.run("b", **FEW)
    assert {bucket for bucket, _ in members(fake_home, "faceset_001")} == {"a", "b"}
    assert len(members(fake_home, "faceset_001")) == 5
    assert fake_home.library.registry.decisions("b")["state"].to_list() == ["exported", "exported"]
    once = fake_home.files()
    fake_home.run("b", **FEW)
    assert fake_home.files() == once


def test_the_same_photos_wait_though_the_library_has_learnt_who_it_is_until_they_are_asked_for(
    fake_home: FakeHome,
) -> None:
    write_looks(fake_home.buckets / "2018", 1, [-0.9, -0.45])
    fake_home.run("2018", **FEW)
    write_looks(fake_home.buckets / "2019", 1, [0.0, 0.45, 0.2])
    fake_home.run("2019", **FEW)
    once = fake_home.files()
    result = fake_home.run("2018", **FEW)
    assert fake_home.files() == once, "same photos, same numbers: nothing changes"
    waiting = result.asset_materializations_for_node("swap_ready_facesets")[0].metadata
    assert waiting["waiting_to_join"].value == {"faceset_001": 2}
    assert "facesets join 2018" in str(waiting["waiting_to_join_hint"].value)
    fake_home.materialize("extended_facesets", bucket="2018")
    assert len(members(fake_home, "faceset_001")) == 5
    assert set(fake_home.library.registry.decisions("2018")["identity"]) == {"faceset_001"}
    assert fake_home.flaws() == []


def test_another_photo_of_the_bucket_takes_in_all_who_waited(fake_home: FakeHome) -> None:
    write_looks(fake_home.buckets / "2018", 1, [-0.9, -0.45])
    fake_home.run("2018", **FEW)
    write_looks(fake_home.buckets / "2019", 1, [0.0, 0.45, 0.2])
    fake_home.run("2019", **FEW)
    write_looks(fake_home.buckets / "2018", 7, [0.0])
    fake_home.run("2018", **FEW)
    assert len(members(fake_home, "faceset_001")) == 5


def test_nobody_joins_beyond_the_distance_that_the_run_gives(fake_home: FakeHome) -> None:
    write_looks(fake_home.buckets / "a", 1, [-0.9, -0.45, 0.0])
    fake_home.run("a", **FEW)
    write_looks(fake_home.buckets / "b", 1, [0.4, 0.8])
    fake_home.run("b", osrc_uncovered={"cover_distance": 0.01}, **FEW)
    assert {bucket for bucket, _ in members(fake_home, "faceset_001")} == {"a"}
