"""Candidates: offered beside the library, replaced as a whole by each run, members of nothing."""

import json
import os
from pathlib import Path

import polars as pl
import pytest

from facesets_dagster.photos.bucket_key import LIBRARY
from facesets_dagster.publishing import candidate_faces as candidates
from testing.fake_home import FakeHome
from testing.fakes import FakeFace, write_looks, write_photo
from tests.web.test_files import get

KNOWN = [-1.0, -0.95, -0.9, -0.5, -0.45, -0.4]
"""Looks of a faceset; a look of 0.6 is between cover and cluster distance of their centroid."""


def fill(home: FakeHome) -> None:
    """Bucket a: a faceset. Bucket b: two of them a little too far, three of a stranger, one of another."""
    write_looks(home.buckets / "a", 1, KNOWN)
    write_looks(home.buckets / "b", 1, [0.55, 0.6])
    write_looks(home.buckets / "b", 2, [-0.8, -0.2, 0.4])
    write_looks(home.buckets / "b", 3, [0.0])
    home.run("a")
    home.run("b")


@pytest.fixture
def filled(fake_home: FakeHome) -> FakeHome:
    fake_home.begin(fill)
    return fake_home


def offer(home: FakeHome, **config: object) -> dict:
    result = home.materialize("candidate_faces", **({"candidate_faces": config} if config else {}))
    assert all(check.passed for check in result.get_asset_check_evaluations())
    return {name: entry.value for name, entry in
            result.asset_materializations_for_node("candidate_faces")[0].metadata.items()}  # fmt: skip


def place(home: FakeHome) -> Path:
    return home.settings.library_dir / "_candidates"


def manifest(home: FakeHome, folder: str) -> dict:
    return json.loads((place(home) / folder / "manifest.json").read_text())


def files(home: FakeHome) -> dict[str, tuple[bytes, int, int]]:
    """Content, inode and time of every file, so that writing the same again would show."""
    return {
        str(path.relative_to(place(home))): (path.read_bytes(), path.stat().st_ino, path.stat().st_ctime_ns)
        for path in sorted(place(home).rglob("*"))
        if path.is_file()
    }


def test_faces_beyond_cover_distance_are_offered_and_strangers_of_promise_are_new(filled: FakeHome) -> None:
    states = filled.library.registry.decisions("b")
    assert set(states["state"]) == {"small_cluster"}
    assert states.filter(pl.col("nearest_distance") < 0.5)["nearest_distance"].min() > 0.45
    found = offer(filled)
    assert sorted(path.name for path in place(filled).iterdir()) == ["new_001", "to_faceset_001"]
    near, new = manifest(filled, "to_faceset_001"), manifest(filled, "new_001")
    assert {entry["source"]["path"][:3] for entry in near["faces"]} == {"p01"}
    assert {entry["source"]["path"][:3] for entry in new["faces"]} == {"p02"}
    assert all(0.45 < entry["distance"] <= 0.55 for entry in near["faces"])
    assert (near["faceset"], new["faceset"]) == ("faceset_001", None)
    assert found["left_out"]["nobody_near"] == 1
    assert found["considered"] == 6
    assert filled.flaws() == []


def test_crops_are_made_like_exports_and_the_manifest_names_them(filled: FakeHome) -> None:
    from facesets_dagster.export.png import read_lineage
    from facesets_dagster.files.writing import sha256_of

    offer(filled)
    found = manifest(filled, "new_001")
    for entry in found["faces"]:
        png = place(filled) / "new_001" / entry["file"]
        assert sha256_of(png) == entry["sha256"]
        assert read_lineage(png)["face_id"] == entry["face_id"]
        assert {"face_short", "blur", "det_score", "distance", "group_distance"} <= entry.keys()
    assert (place(filled) / "new_001" / "contact_sheet.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert found["parameters"]["candidate_faces"]["near_distance"] == 0.55
    assert found["model"]["pack"] == "fake"


def test_a_second_run_writes_nothing(filled: FakeHome) -> None:
    offer(filled)
    once = files(filled)
    assert offer(filled)["changed"] is False
    assert files(filled) == once
    assert [path.name for path in filled.settings.library_dir.iterdir() if path.name.startswith(".candidates")] == []


def test_each_run_replaces_the_folder_as_a_whole(filled: FakeHome) -> None:
    offer(filled)
    (place(filled) / "note.txt").write_text("mine")
    (place(filled) / "to_faceset_001" / "faces" / "0001.png").unlink()
    assert offer(filled)["changed"] is True
    assert not (place(filled) / "note.txt").exists()
    assert (place(filled) / "to_faceset_001" / "faces" / "0001.png").exists()
    offer(filled, min_promise=4)
    assert [path.name for path in place(filled).iterdir()] == ["to_faceset_001"]
    offer(filled, min_face_short_px=1000)
    assert not place(filled).exists()
    assert filled.flaws() == []


def test_a_picture_that_was_damaged_is_made_again(filled: FakeHome) -> None:
    offer(filled)
    once = {name: content for name, (content, *_) in files(filled).items()}
    png = place(filled) / "new_001" / "faces" / "0001.png"
    png.write_bytes(png.read_bytes()[:-100])
    offer(filled)
    assert {name: content for name, (content, *_) in files(filled).items()} == once


def test_two_homes_with_the_same_photos_offer_the_same_bytes(filled: FakeHome) -> None:
    offer(filled)
    once = {name: content for name, (content, *_) in files(filled).items()}
    for path in sorted(place(filled).rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    offer(filled)
    assert {name: content for name, (content, *_) in files(filled).items()} == once


def test_a_death_before_the_swap_keeps_the_old_folder_whole(filled: FakeHome, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(filled)
    once = files(filled)
    write_looks(filled.buckets / "b", 2, [0.9])
    filled.run("b")

    def die(*_: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(candidates, "exchange_folders", die)
        with pytest.raises(KeyboardInterrupt):
            filled.materialize("candidate_faces")
    assert files(filled) == once
    assert filled.flaws() == []
    filled.run("b")  # whoever takes the lock next clears `.staging/`, not this
    offer(filled)
    assert len(manifest(filled, "new_001")["faces"]) == 4
    assert not (filled.settings.library_dir / ".candidates").exists()


def test_where_folders_cannot_be_swapped_a_death_in_between_loses_nothing(
    filled: FakeHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(filled)
    once = {name: content for name, (content, *_) in files(filled).items()}
    write_looks(filled.buckets / "b", 2, [0.9])
    filled.run("b")
    rename = os.rename

    def die_on_the_second(source: Path, target: Path) -> None:
        if Path(source).name == ".candidates":
            raise KeyboardInterrupt
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(candidates, "exchange_folders", lambda *_: False)
        patch.setattr(candidates.os, "rename", die_on_the_second)
        with pytest.raises(KeyboardInterrupt):
            filled.materialize("candidate_faces")
    assert not place(filled).exists()
    candidates._clear_up(filled.settings.library_dir)  # what the next run does first
    assert {name: content for name, (content, *_) in files(filled).items()} == once
    with monkeypatch.context() as patch:
        patch.setattr(candidates, "exchange_folders", lambda *_: False)
        offer(filled)
    assert len(manifest(filled, "new_001")["faces"]) == 4
    assert not (filled.settings.library_dir / ".candidates.old").exists()


def test_candidates_count_and_cover_nothing(filled: FakeHome) -> None:
    before = {name: data for name, data in filled.files().items() if not name.startswith("_candidates")}
    offer(filled)
    after = {name: data for name, data in filled.files().items() if not name.startswith("_candidates")}
    assert after == before
    filled.run("b")
    filled.materialize("top_manifest")
    listed = json.loads((filled.settings.library_dir / "manifest.json").read_text())
    assert [entry["name"] for entry in listed["facesets"]] == ["faceset_001"]
    assert set(filled.library.registry.decisions("b")["state"]) == {"small_cluster"}
    write_looks(filled.buckets / "b", 4, KNOWN)
    filled.run("b")
    assert [identity.name for identity in filled.library.registry.identities()] == ["faceset_001", "faceset_002"]


def test_people_of_several_buckets_are_one_group(fake_home: FakeHome) -> None:
    write_looks(fake_home.buckets / "a", 5, [-0.9, -0.4])
    write_looks(fake_home.buckets / "b", 5, [0.1, 0.6])
    write_looks(fake_home.buckets / "c", 5, [0.1])  # the same bytes as in b
    for bucket in "abc":
        fake_home.run(bucket)
    offer(fake_home)
    found = manifest(fake_home, "new_001")["faces"]
    assert sorted((face["source"]["bucket"], face["source"]["path"]) for face in found) == [
        ("a", "p05_-0.400.png"), ("a", "p05_-0.900.png"), ("b", "p05_+0.100.png"), ("b", "p05_+0.600.png"),
    ]  # fmt: skip


def test_a_face_that_became_a_member_is_no_candidate_any_more(filled: FakeHome) -> None:
    offer(filled)
    write_looks(filled.people / "Eve", 2, [-0.8, -0.2, 0.4])  # the strangers, sorted by hand
    filled.materialize("hand_sorted_facesets")
    offer(filled)
    assert [path.name for path in place(filled).iterdir()] == ["to_faceset_001"]


def test_a_face_beside_a_member_of_the_faceset_is_somebody_else(fake_home: FakeHome) -> None:
    write_looks(fake_home.buckets / "a", 1, KNOWN[:5])
    both = [FakeFace(1, KNOWN[5], x=20), FakeFace(1, 0.75, x=300)]
    write_photo(fake_home.buckets / "a" / "both.png", both, seed=7)
    fake_home.run("a", osrc_clusters={"cluster_distance": 0.45})
    states = fake_home.library.registry.decisions("a")
    assert states.filter(pl.col("state") == "small_cluster").height == 1
    assert offer(fake_home, near_distance=0.7)["left_out"] == {"nobody_near": 1}
    assert not place(fake_home).exists()


def test_the_page_the_links_and_the_server_show_them(filled: FakeHome) -> None:
    found = offer(filled)
    assert "[to_faceset_001](/files/library/_candidates/to_faceset_001)" in found["folders"]
    status, body, _ = get(filled.settings, "/files/library/_candidates/to_faceset_001/")
    assert (status, "contact_sheet.jpg" in body) == (200, True)
    (page,) = (filled.settings.reports_dir / LIBRARY).glob("*.candidate_faces.html")
    html = page.read_text()
    assert "to_faceset_001" in html
    assert html.count("<img ") >= 4
    assert found["offered_to_facesets"] == len(manifest(filled, "to_faceset_001")["faces"])


def test_the_whole_write_up_has_candidates_too(fake_home: FakeHome) -> None:
    fill(fake_home)
    assert fake_home.run("b", job="full_pipeline").success
    assert place(fake_home).is_dir()
    once = fake_home.files()
    fake_home.run("b", job="full_pipeline")
    assert fake_home.files() == once
    assert fake_home.flaws() == []
