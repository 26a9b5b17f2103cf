"""Legacy libraries: adopted under their names and numbers, read-only, and from then on people like all others."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest

from facesets_dagster.cli.show import show
from facesets_dagster.cli.status import print_status
from facesets_dagster.photos.bucket_key import HAND_SORTED, LEGACY
from testing.fake_home import FakeHome
from testing.fakes import write_looks, write_person
from testing.legacy_generator import REFERENCE, Legacy, Shape, records_of, write_cache, write_legacy

WIDE = (-0.9, -0.45, 0.0, 0.45, 0.9)
"""Looks that are no near-duplicates of each other."""


def wide(person: int, photo: int) -> tuple[int, float]:
    return person, WIDE[photo]


def with_legacy(home: FakeHome, *roots: Path) -> FakeHome:
    return FakeHome(home.settings.model_copy(update={"legacy_roots": roots}), home.instance)


@pytest.fixture
def legacy(tmp_path: Path) -> Legacy:
    return write_legacy(tmp_path / "old", Shape(), spread=wide)


@pytest.fixture
def home(fake_home: FakeHome, legacy: Legacy) -> FakeHome:
    return with_legacy(fake_home, legacy.root)


def adopt(home: FakeHome, **config: Any) -> dict[str, Any]:
    """Materializes the asset and gives its metadata; every blocking check must pass."""
    result = home.materialize("legacy_library", legacy_library=config) if config else home.materialize("legacy_library")
    assert {check.check_name for check in result.get_asset_check_evaluations() if not check.passed} <= {
        "legacy_faces_found"
    }
    (event,) = result.asset_materializations_for_node("legacy_library")
    return {name: value.value for name, value in event.metadata.items()}


def reasons(metadata: dict[str, Any]) -> dict[str, int]:
    """Faces per way or reason."""
    rows = [line.split(" | ") for line in metadata["faces_by_way_or_reason"].splitlines()[2:]]
    return {row[0].removeprefix("| "): int(row[1]) for row in rows}


def manifest(home: FakeHome) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = json.loads((home.settings.library_dir / "manifest.json").read_text())
    return found


def entry(home: FakeHome, name: str) -> dict[str, Any]:
    return next(one for one in manifest(home)["facesets"] if one["name"] == name)


def buckets_of(home: FakeHome, name: str) -> dict[str, int]:
    rows = home.library.registry.memberships().filter(pl.col("name") == name)
    return dict(rows.group_by("bucket").len().iter_rows())


def edit_json(path: Path, change: Callable[[Any], None]) -> None:
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))


def test_without_the_setting_nothing_happens(fake_home: FakeHome) -> None:
    assert "FACESETS_LEGACY" in adopt(fake_home)["note"]
    assert fake_home.files() == {}


def test_every_faceset_stands_under_its_own_name_and_no_legacy_byte_changes(home: FakeHome, legacy: Legacy) -> None:
    before = legacy.files()
    metadata = adopt(home)
    assert legacy.files() == before
    assert (metadata["adopted"], metadata["matched_share"]) == (7, 1.0)
    assert "blind" not in metadata, "what is empty is left out"
    identities = {identity.name: identity for identity in home.library.registry.identities()}
    assert set(identities) == set(legacy.faces)
    assert {identity.bucket for identity in identities.values()} == {LEGACY}
    kinds = {name: (one.number, one.kind, one.parent) for name, one in identities.items()}
    assert kinds["faceset_003"] == (3, "hand_sorted", None)
    assert kinds["faceset_001_era_2000-2003"] == (1, "era", "faceset_001")
    assert kinds["faceset_002_era_1900-1903"] == (2, "thin_era", "faceset_002")
    assert identities["faceset_003"].label == "Person 2"
    assert {name: len(faces) for name, faces in home.library.registry.members().items()} == {
        name: len(faces) for name, faces in legacy.faces.items()
    }
    assert home.flaws() == []


def test_eras_and_thin_eras_are_listed_with_the_keys_of_their_library(home: FakeHome) -> None:
    adopt(home)
    listed = manifest(home)
    assert [one["name"] for one in listed["thin_eras"]] == ["faceset_001_era_1900-1903", "faceset_002_era_1900-1903"]
    era = entry(home, "faceset_001_era_2000-2003")
    assert (era["kind"], era["parent"], era["number"], era["sha256"]) == ("era", "faceset_001", 1, None)
    assert entry(home, "faceset_002")["odd"] == 1
    assert home.materialize("top_manifest", "existing_centroids").success


def test_a_second_run_changes_nothing(home: FakeHome) -> None:
    adopt(home)
    once, generation = home.files(), home.library.registry.generation()
    metadata = adopt(home)
    assert (metadata["adopted"], metadata["changed"], metadata["stands"]) == (0, 0, 7)
    assert home.files() == once
    assert home.library.registry.generation() == generation


def test_a_library_of_the_reference_shape_is_adopted_whole(fake_home: FakeHome, tmp_path: Path) -> None:
    legacy = write_legacy(tmp_path / "old", REFERENCE)
    home = with_legacy(fake_home, legacy.root)
    metadata = adopt(home)
    assert (metadata["adopted"], metadata["matched_share"], metadata["next_number"]) == (99, 1.0, 26)
    listed = manifest(home)
    assert (len(listed["facesets"]), len(listed["thin_eras"])) == (31, 68)
    kinds = pl.Series([one["kind"] for one in listed["facesets"]]).value_counts().rows()
    assert dict(kinds) == {"auto": 12, "hand_sorted": 7, "discovered": 6, "era": 6}
    assert home.flaws() == []
    assert home.materialize("existing_centroids").success


def test_known_people_of_a_bucket_are_covered_and_numbers_go_on(home: FakeHome) -> None:
    home.discovers_alone()
    adopt(home)
    write_looks(home.buckets / "b", 0, [-0.2, 0.1, 0.2, 0.3, -0.1, 0.25])
    write_person(home.buckets / "b", 9, 8)
    assert home.run("b").success
    states = home.library.registry.decisions("b")
    assert set(states.filter(pl.col("state") == "covered")["identity"]) == {"faceset_001"}
    assert len(states.filter(pl.col("state") == "covered")) == 6
    founded = [identity.name for identity in home.library.registry.identities() if identity.bucket == "b"]
    assert founded == ["faceset_005"]
    assert home.flaws() == []


def test_extending_publishes_an_adopted_person_here_and_leaves_the_legacy_files(home: FakeHome, legacy: Legacy) -> None:
    adopt(home)
    before, others = legacy.files(), manifest(home)
    write_looks(home.buckets / "b", 0, [0.2, 0.25])
    write_person(home.buckets / "b", 9, 8)
    assert home.run("b", job="full_pipeline").success
    assert legacy.files() == before
    assert buckets_of(home, "faceset_001") == {LEGACY: 6, "b": 2}
    grown = json.loads((home.settings.library_dir / "faceset_001" / "manifest.json").read_text())
    assert (grown["name"], grown["kind"], grown["bucket"]) == ("faceset_001", "auto", LEGACY)
    assert {face["source"]["bucket"] for face in grown["faces"]} >= {LEGACY}
    ours = entry(home, "faceset_001")
    assert ours["sha256"] is not None
    assert ours["exported"] == len(grown["faces"]) >= 3
    assert ours["odd"] == 0
    assert [one for one in manifest(home)["facesets"] if one["name"] == "faceset_002"] == [
        one for one in others["facesets"] if one["name"] == "faceset_002"
    ]
    assert home.flaws() == []
    once = home.files()
    home.run("b", job="full_pipeline")
    assert home.files() == once
    assert adopt(home)["published"] == 1
    assert home.flaws() == []


def test_photos_inside_a_bucket_are_members_from_that_bucket_whoever_reads_them_first(
    fake_home: FakeHome, tmp_path: Path
) -> None:
    legacy = write_legacy(tmp_path / "old", Shape(), photos=fake_home.buckets / "osrc", spread=wide)
    home = with_legacy(fake_home, legacy.root)
    assert reasons(adopt(home)) == {"source": 27}
    assert buckets_of(home, "faceset_001") == {"osrc": 6}
    result = home.run("osrc", job="full_pipeline")
    (read,) = result.asset_materializations_for_node("face_cache")
    assert read.metadata["this_run"].value["decoded"] == 0  # nothing was read twice
    assert reasons(adopt(home)) == {"cache": 27}
    assert len(home.library.registry.identities()) == 7  # far looks of known people found nobody
    assert home.flaws() == []


def test_photos_under_another_path_are_told_by_their_bytes(home: FakeHome, legacy: Legacy) -> None:
    shutil.copytree(legacy.photos, home.buckets / "moved")
    home.materialize("face_cache", bucket="moved")
    assert reasons(adopt(home)) == {"bytes": 27}
    assert buckets_of(home, "faceset_002") == {"moved": 6}


def test_photos_that_moved_are_found_by_a_declared_prefix(home: FakeHome, legacy: Legacy, tmp_path: Path) -> None:
    legacy.photos.rename(tmp_path / "elsewhere")
    assert reasons(adopt(home, min_shared_faces=10)) == {"model_not_shown": 27}
    (home.settings.home / "facesets_legacy.yaml").write_text(
        f"path_prefixes: {{{json.dumps(str(legacy.photos))}: {json.dumps(str(tmp_path / 'elsewhere'))}}}\n"
    )
    metadata = adopt(home)
    assert reasons(metadata) == {"source": 27}
    assert metadata["changed"] == 7
    assert metadata["column_map"] == str(home.settings.home / "facesets_legacy.yaml")


def test_a_face_whose_photo_is_gone_comes_from_a_cache_of_the_same_model(home: FakeHome, legacy: Legacy) -> None:
    shutil.rmtree(legacy.photos / "person 03")
    assert reasons(adopt(home)) == {"source": 22, "legacy_cache": 5}
    members = home.library.registry.members(["faceset_004"])["faceset_004"]
    rows = pl.concat(
        [pl.read_parquet(path) for path in (home.settings.cache_dir / "faces" / LEGACY).rglob("*faces.parquet")]
    ).filter(pl.col("face_id").is_in(list(members)))
    assert rows["source_missing"].to_list() == [True] * 5
    wanted = np.mean([record.embedding / np.linalg.norm(record.embedding) for record in legacy.faces["faceset_004"]], 0)
    found = next(one.centroid for one in home.library.registry.identities() if one.name == "faceset_004")
    assert found is not None
    assert float(found @ wanted) / np.linalg.norm(wanted) > 0.9999
    once = home.files()
    assert reasons(adopt(home)) == {"source": 22, "legacy_cache": 5}
    assert home.files() == once
    write_looks(home.buckets / "b", 3, [0.2, 0.25])
    home.run("b", job="full_pipeline")
    assert buckets_of(home, "faceset_004") == {LEGACY: 5, "b": 2}
    assert home.flaws() == []


def test_a_photo_that_comes_back_replaces_what_only_the_cache_knew(
    home: FakeHome, legacy: Legacy, tmp_path: Path
) -> None:
    away = tmp_path / "away"
    (legacy.photos / "person 03").rename(away)
    adopt(home)
    before = set(home.library.registry.members(["faceset_004"])["faceset_004"])
    away.rename(legacy.photos / "person 03")
    metadata = adopt(home)
    after = set(home.library.registry.members(["faceset_004"])["faceset_004"])
    assert metadata["changed"] == 1
    assert len(after) == 5
    assert not after & before


@pytest.mark.parametrize(("turned", "shared", "reason"), [(True, 10, "other_model"), (False, 100, "model_not_shown")])
def test_a_cache_that_is_not_shown_to_be_of_our_model_is_not_used(
    home: FakeHome, legacy: Legacy, turned: bool, shared: int, reason: str
) -> None:
    records = records_of(legacy)
    if turned:
        records = [dataclasses.replace(one, embedding=np.roll(one.embedding, 1)) for one in records]
    write_cache(legacy, records)
    shutil.rmtree(legacy.photos / "person 03")
    metadata = adopt(home, min_shared_faces=shared)
    assert reasons(metadata) == {"source": 22, reason: 5}
    assert metadata["blind"] == ["faceset_004"]
    assert home.flaws() == []


def test_a_blind_person_keeps_name_and_number_covers_nobody_and_sees_when_the_disk_is_back(
    home: FakeHome, legacy: Legacy, tmp_path: Path
) -> None:
    legacy.cache.unlink()
    legacy.photos.rename(tmp_path / "away")
    metadata = adopt(home)
    assert reasons(metadata) == {"source_missing": 27}
    assert len(metadata["blind"]) == 7
    write_looks(home.buckets / "b", 0, [-0.2, 0.1, 0.2, 0.3, -0.1, 0.25])
    assert home.run("b").success
    assert "faceset_005" in home.library.registry.members()  # nobody knew this person
    (tmp_path / "away").rename(legacy.photos)
    assert "blind" not in adopt(home)
    assert home.flaws() == []


def test_members_stay_when_a_disk_goes_away(home: FakeHome, legacy: Legacy) -> None:
    adopt(home)
    members = home.library.registry.members()
    legacy.cache.unlink()
    shutil.rmtree(legacy.photos)
    metadata = adopt(home)
    assert home.library.registry.members() == members
    assert metadata["stands"] == 7
    assert home.flaws() == []


def test_a_face_that_two_people_claim_goes_to_the_nearer(home: FakeHome, legacy: Legacy) -> None:
    stolen = legacy.faces["faceset_001"][0]
    edit_json(
        legacy.root / "faceset_004" / "manifest.json",
        lambda found: found["faces"].append({"source": stolen.source, "bbox": stolen.bbox}),
    )
    metadata = adopt(home)
    assert metadata["claimed_twice"] == 1
    assert reasons(metadata)["ambiguous"] == 1
    members = home.library.registry.members()
    assert len(members["faceset_001"]) == 6
    assert not members["faceset_001"].keys() & members["faceset_004"].keys()
    assert reasons(adopt(home))["ambiguous"] == 1


def test_what_cannot_be_matched_is_listed_with_its_reason_and_the_sums_close(home: FakeHome, legacy: Legacy) -> None:
    real = legacy.faces["faceset_004"][0]
    (legacy.photos / "broken.png").write_bytes(b"\x89PNG no picture")
    odd = [
        {"source": real.source, "bbox": [600, 400, 630, 430]},
        {"source": real.source, "bbox": [real.bbox[0] - 90, *real.bbox[1:]]},
        {"source": real.source, "bbox": [real.bbox[0] - 200, *real.bbox[1:]]},
        {"source": real.source, "bbox": [1, 2, float("nan"), 4]},
        {"source": real.source, "bbox": "everywhere"},
        {"source": real.source},
        {"bbox": real.bbox},
        {"source": real.source, "bbox": real.bbox},
        {"source": str(legacy.photos / "broken.png"), "bbox": real.bbox},
        {"source": "/not/there.png", "bbox": real.bbox},
    ]
    edit_json(legacy.root / "faceset_004" / "manifest.json", lambda found: found["faces"].extend(odd))
    metadata = adopt(home)
    assert reasons(metadata) == {
        "source": 27, "no_face_at_box": 1, "face_taken": 1, "iou_too_low": 1, "bad_box": 2, "no_box": 1, "no_source": 1,
        "duplicate": 1, "unreadable": 1, "source_missing": 1,
    }  # fmt: skip
    assert metadata["faces"] == 27 + len(odd) == sum(reasons(metadata).values())


def test_a_group_photo_gives_each_person_their_own_face(home: FakeHome) -> None:
    adopt(home)
    members = home.library.registry.members()
    photos = [{face_id.split("-")[0] for face_id in members[name]} for name in ("faceset_001", "faceset_002")]
    assert len(photos[0] & photos[1]) == 1
    assert not members["faceset_001"].keys() & members["faceset_002"].keys()


def test_the_numbers_of_the_cache_rows_close(home: FakeHome, legacy: Legacy) -> None:
    records = records_of(legacy)
    broken = dataclasses.replace(records[0], embedding=np.full(64, np.nan, np.float32))
    gone = dataclasses.replace(records[1], source="/not/there.png")
    write_cache(legacy, [*records, records[2], broken, gone], normalised=True)
    text = adopt(home)["caches"]
    assert f"{len(records) + 3} rows, unit embeddings, this model" in text
    for line in ("| source | 22 |", "| duplicate | 1 |", "| nan_embedding | 1 |", "| source_missing | 1 |"):
        assert line in text


def test_later_facesets_are_adopted_and_vanished_ones_stay(home: FakeHome, legacy: Legacy) -> None:
    adopt(home)
    shutil.copytree(legacy.root / "faceset_004", legacy.root / "faceset_007")

    def change(found: dict[str, Any]) -> None:
        found["facesets"] = [one for one in found["facesets"] if one["name"] != "faceset_002"]
        found["facesets"].append({"name": "faceset_007", "kind": "osrc"})

    edit_json(legacy.root / "manifest.json", change)
    metadata = adopt(home)
    assert metadata["adopted"] == 1
    assert "| faceset_002 | adopted earlier, in no legacy library now; it stays |" in metadata["oddities"]
    assert metadata["next_number"] == 8
    assert {one["name"] for one in manifest(home)["facesets"]} >= {"faceset_002", "faceset_007"}
    assert metadata["blind"] == ["faceset_007"]  # all its faces are those of faceset_004
    assert home.flaws() == []


def test_a_legacy_library_that_is_not_mounted_is_an_error_and_changes_nothing(home: FakeHome, legacy: Legacy) -> None:
    adopt(home)
    once = home.files()
    legacy.root.rename(legacy.root.with_name("gone"))
    with pytest.raises(dg.Failure, match="FACESETS_LEGACY"):
        adopt(home)
    assert home.files() == once
    assert home.flaws() == []


def test_a_legacy_library_that_moved_is_recognised(home: FakeHome, legacy: Legacy, tmp_path: Path) -> None:
    adopt(home)
    legacy.root.rename(tmp_path / "new place")
    moved = with_legacy(home, tmp_path / "new place")
    metadata = adopt(moved)
    assert (metadata["adopted"], metadata["changed"]) == (0, 7)
    assert moved.flaws() == []


def test_a_legacy_library_inside_our_own_is_refused(home: FakeHome, legacy: Legacy) -> None:
    shutil.copytree(legacy.root, home.settings.library_dir)
    before = home.files()
    with pytest.raises(dg.Failure, match="one lies in the other"):
        adopt(with_legacy(home, home.settings.library_dir))
    with pytest.raises(dg.Failure, match="one lies in the other"):
        adopt(with_legacy(home, home.settings.home))
    with pytest.raises(dg.Failure, match="did not write"):
        adopt(home)  # the legacy library lies elsewhere, but copies of its folders stand in the way
    assert home.files() == before


def test_a_name_that_is_somebody_else_here_is_refused_and_nothing_is_adopted(
    fake_home: FakeHome, legacy: Legacy
) -> None:
    write_person(fake_home.buckets / "b", 9, 8)
    fake_home.run("b")
    once = fake_home.files()
    with pytest.raises(dg.Failure, match=r"faceset_001 \(discovered, founded by b\): faceset_001, faceset_001_era"):
        adopt(with_legacy(fake_home, legacy.root))
    assert fake_home.files() == once
    assert len(fake_home.library.registry.identities()) == 1


def test_two_libraries_with_the_same_names_are_refused(home: FakeHome, legacy: Legacy, tmp_path: Path) -> None:
    shutil.copytree(legacy.root, tmp_path / "second")
    with pytest.raises(dg.Failure, match="also in"):
        adopt(with_legacy(home, legacy.root, tmp_path / "second"))
    assert home.library.registry.identities() == []


def test_a_hand_sorted_folder_of_an_adopted_person_keeps_the_legacy_name(fake_home: FakeHome, tmp_path: Path) -> None:
    legacy = write_legacy(tmp_path / "old", Shape(group_photos=0), photos=fake_home.people, spread=wide)
    home = with_legacy(fake_home, legacy.root)
    before = legacy.files()
    assert home.materialize("legacy_library", "hand_sorted_facesets").success
    names = {identity.name for identity in home.library.registry.identities()}
    assert names == set(legacy.faces)
    assert buckets_of(home, "faceset_003") == {HAND_SORTED: 5}
    ours = entry(home, "faceset_003")
    assert (ours["kind"], ours["bucket"], ours["sha256"] is None) == ("hand_sorted", LEGACY, False)
    assert legacy.files() == before
    assert home.flaws() == []


def test_an_adopted_person_can_be_split_into_eras_beside_the_adopted_ones(home: FakeHome, legacy: Legacy) -> None:
    adopt(home)
    before = {one["name"]: one for one in [*manifest(home)["facesets"], *manifest(home)["thin_eras"]]}
    write_looks(home.buckets / "b" / "2015", 3, [-0.2, -0.15, 0.2, 0.25])
    home.run("b", job="full_pipeline", era_facesets={"split": ["faceset_004"], "min_era_faces": 2})
    names = {identity.name for identity in home.library.registry.identities() if identity.is_era}
    assert any(name.startswith("faceset_004_era_2015") for name in names)
    after = {one["name"]: one for one in [*manifest(home)["facesets"], *manifest(home)["thin_eras"]]}
    adopted = [name for name in before if "_era_" in name]
    assert [after[name] for name in adopted] == [before[name] for name in adopted]
    assert home.flaws() == []
    once = home.files()
    home.run("b", job="full_pipeline", era_facesets={"split": ["faceset_004"], "min_era_faces": 2})
    assert home.files() == once


def test_byte_copies_of_legacy_photos_in_a_bucket_do_not_move_their_faces(home: FakeHome, legacy: Legacy) -> None:
    adopt(home)
    shutil.copytree(legacy.photos / "person 00", home.buckets / "b")
    write_looks(home.buckets / "b", 0, [0.2, 0.25])
    for _ in range(2):
        assert home.run("b", job="full_pipeline").success
        assert home.flaws() == []
    assert len(home.library.registry.members()["faceset_001"]) == 8
    assert len([one for one in home.library.registry.identities() if not one.is_era]) == 4


def test_a_deleted_cache_is_made_again_with_the_same_faces(home: FakeHome, legacy: Legacy) -> None:
    shutil.rmtree(legacy.photos / "person 03")
    adopt(home)
    once, members = home.files(), home.library.registry.members()
    shutil.rmtree(home.settings.cache_dir)
    adopt(home)
    assert (home.files(), home.library.registry.members()) == (once, members)
    write_looks(home.buckets / "b", 0, [0.2, 0.25])
    home.run("b", job="full_pipeline")
    assert buckets_of(home, "faceset_001") == {LEGACY: 6, "b": 2}
    assert home.flaws() == []


def test_the_command_line_speaks_of_adopted_people(
    home: FakeHome, legacy: Legacy, capsys: pytest.CaptureFixture[str]
) -> None:
    adopt(home)
    capsys.readouterr()
    print_status(home.settings, as_json=True)
    status = json.loads(capsys.readouterr().out)
    assert [row["bucket"] for row in status["buckets"]] == [HAND_SORTED]
    assert {row["faceset"] for row in status["facesets"]} == set(legacy.faces)
    for name in ("faceset_003", "faceset_001_era_1900-1903"):
        show(home.settings, name, as_json=False)
    assert f"adopted from {legacy.root}" in capsys.readouterr().out


def test_the_report_lists_people_ways_and_what_is_odd(home: FakeHome, legacy: Legacy) -> None:
    edit_json(legacy.root / "manifest.json", lambda found: found["facesets"].append("somebody"))
    metadata = adopt(home)
    (page,) = (home.settings.reports_dir / LEGACY).glob("*.md")
    text = page.read_text()
    assert "| faceset_003 | hand_sorted | Person 2 |  | 5 | 5 | adopted |" in text
    assert "| source | 27 | photo read by this asset |" in text
    assert "| somebody | not adopted: its name is not faceset_NNN or an era of one |" in text
    assert "| meta | object | (1,) | It is a pickle" in text
    assert metadata["contact_sheet"].startswith("![](data:image/jpeg")


def test_faces_that_are_somebodys_members_here_stay_there(home: FakeHome, legacy: Legacy) -> None:
    shutil.copytree(legacy.photos / "person 03", home.buckets / "b")
    home.run("b", osrc_clusters={"min_faces": 3})  # before the adoption: a new identity past the legacy numbers
    members = home.library.registry.members()
    assert list(members) == ["faceset_005"]
    metadata = adopt(home)
    assert reasons(metadata)["member_elsewhere"] == len(members["faceset_005"])
    assert home.library.registry.members(["faceset_005"]) == members
    assert home.flaws() == []


def test_a_folder_with_an_adopted_persons_name_is_not_taken_for_that_person(home: FakeHome) -> None:
    adopt(home)
    write_person(home.people / "Person 2", 9, 5)
    home.materialize("hand_sorted_facesets")
    assert (
        home.library.registry.members()["faceset_003"].keys().isdisjoint(home.library.registry.members()["faceset_005"])
    )
    assert buckets_of(home, "faceset_003") == {LEGACY: 5}
    assert home.flaws() == []


def test_a_map_by_run_config_wins_over_the_one_in_the_home(home: FakeHome, tmp_path: Path) -> None:
    (home.settings.home / "facesets_legacy.yaml").write_text("faceset: {source: nowhere}\n")
    with pytest.raises(dg.Failure, match=r"`faceset\.source: nowhere`.*Found: bbox, file, rank, sharpness, source"):
        adopt(home)
    assert home.library.registry.identities() == []
    (tmp_path / "mine.yaml").write_text("cache: {files: []}\n")
    metadata = adopt(home, column_map=str(tmp_path / "mine.yaml"))
    assert metadata["adopted"] == 7
    assert metadata["caches"] == "No legacy face cache was found."


def test_a_path_that_is_gone_is_found_by_its_byte_alias(home: FakeHome, legacy: Legacy) -> None:
    (copy,) = legacy.aliases
    Path(copy).unlink()
    assert reasons(adopt(home)) == {"source": 27}
