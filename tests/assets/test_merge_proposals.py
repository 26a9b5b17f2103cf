"""What is proposed, how it is shown, and the way from the page through both jobs and back."""

import re
import shutil
from collections.abc import Iterator
from html import unescape
from typing import Any

import dagster as dg
import pytest
import yaml

from facesets_dagster.photos.bucket_key import LIBRARY
from facesets_dagster.reports import merge_page, system_page
from testing.fake_home import FakeHome, fake_home_in
from testing.fakes import write_looks
from testing.merges import LEFT, RIGHT, STRICT, live, manifest, meet, proposals, propose, run_job

MANY = ([-1.0, -0.5, 0.0, 0.5], [-0.75, -0.25, 0.25, 0.75])
CHAIN = ([-1.0, -0.5, 0.0], [-0.52, -0.02, 0.48], [0.02, 0.52, 1.0])
NEAR = {"merge_distance": 0.2}
"""The first and the last of the chain are farther from each other than this."""


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeHome]:
    """One person as faceset_001 and faceset_003 with four faces each, another one as three with three faces each.

    Made once: every test leaves the library as it was.
    """
    with fake_home_in(tmp_path_factory.mktemp("crowd")) as home:
        for bucket, first, second in (("a", CHAIN[0], MANY[0]), ("b", CHAIN[1], MANY[1]), ("c", CHAIN[2], [])):
            write_looks(home.buckets / bucket, 1, first)
            write_looks(home.buckets / bucket, 2, second)
            home.run(bucket, **STRICT)
        yield home


def page_of(home: FakeHome, result: dg.ExecuteInProcessResult) -> str:
    return unescape((home.settings.reports_dir / LIBRARY / f"{result.run_id}.merge_proposals.html").read_text())


def ready_to_paste(page: str) -> dict[str, Any]:
    """The run config that the page shows."""
    section = page.split("<h2>Ready to paste</h2>")[1].split("<h2>")[0]
    (lines,) = re.findall(r"<pre>(.*?)</pre>", section, re.DOTALL)
    return yaml.safe_load(lines)


def test_most_gain_comes_first_and_the_third_of_a_chain_is_told_of(crowd: FakeHome) -> None:
    assert len(live(crowd)) == 5
    rows = propose(crowd, **NEAR)
    told = [(row["rank"], row["state"], row["names"], row["keep"], row["gain"]) for row in rows]
    assert told == [
        (1, "proposed", ["faceset_001", "faceset_003"], "faceset_001", 4),
        (2, "proposed", ["faceset_002", "faceset_004"], "faceset_002", 3),
        (None, "chained", ["faceset_004", "faceset_005"], "faceset_004", 3),
    ]
    assert rows[0]["exported"] == [4, 4]
    assert all(row["distance"] <= NEAR["merge_distance"] for row in rows)


def test_the_page_shows_every_face_of_every_proposal_in_order(crowd: FakeHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_page, "MAX_PICTURES", 4)  # what other pages keep to
    page = page_of(crowd, proposals(crowd, **NEAR))
    titles = re.findall(r"<h3>(.*?)</h3>", page)
    assert titles == [
        "1. faceset_001 (discovered, stays): 4 faces",
        "1. faceset_003 (discovered): 4 faces",
        "2. faceset_002 (discovered, stays): 3 faces",
        "2. faceset_004 (discovered): 3 faces",
    ]
    assert page.count("<img ") == 14
    assert "Faces are shown of the first" not in page
    assert re.search(r">chained</td>.*?faceset_004 \+ faceset_005", page, re.DOTALL)


def test_where_not_all_are_shown_the_page_says_so(crowd: FakeHome, monkeypatch: pytest.MonkeyPatch) -> None:
    assert merge_page.SHOWN >= 300
    monkeypatch.setattr(merge_page, "SHOWN", 1)
    page = page_of(crowd, proposals(crowd, **NEAR))
    assert "Faces are shown of the first 1 groups." in page
    assert page.count("<h3>") == 2
    assert len(ready_to_paste(page)["ops"]["applied_rulings"]["config"]["merges"]) == 2


def test_many_proposals_have_fewer_faces_each_but_all_have_some(
    crowd: FakeHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge_page, "PICTURES", 8)
    assert page_of(crowd, proposals(crowd, **NEAR)).count("<img ") == 4 * 2


def test_what_the_page_offers_is_applied_by_its_job_and_undone_byte_for_byte(crowd: FakeHome) -> None:
    before = crowd.files()
    result = proposals(crowd, **NEAR)
    (event,) = result.asset_materializations_for_node("merge_proposals")
    assert str(event.metadata["contact_sheet"].value).startswith("![](data:image/jpeg")
    assert (event.metadata["proposed"].value, event.metadata["gain"].value) == (2, 7)
    config = ready_to_paste(page_of(crowd, result))
    merges = [["faceset_001", "faceset_003"], ["faceset_002", "faceset_004"]]
    assert config == {"ops": {"applied_rulings": {"config": {"merges": merges}}}}
    assert yaml.safe_load(str(event.metadata["ready_to_paste"].value).strip("`\n")) == config
    run_job(crowd, "apply_merges", applied_rulings=config["ops"]["applied_rulings"]["config"])
    assert live(crowd) == ["faceset_001", "faceset_002", "faceset_005"]
    assert [entry["name"] for entry in manifest(crowd)["facesets"]] == live(crowd)
    assert crowd.flaws() == []
    run_job(crowd, "undo_merges", applied_rulings={"undo": ["*"]})
    assert crowd.files() == before
    assert crowd.flaws() == []


def test_somebody_of_whom_no_face_is_known_is_named_by_the_check(fake_home: FakeHome) -> None:
    one, two = meet(fake_home, LEFT, RIGHT)
    (check,) = proposals(fake_home).get_asset_check_evaluations()
    assert (check.check_name, check.passed) == ("all_facesets_compared", True)
    folder = fake_home.settings.library_dir / two
    for file in (f"{two}.npz", "members.parquet"):
        (folder / file).unlink()
    shutil.rmtree(fake_home.settings.cache_dir / "faces")
    (check,) = proposals(fake_home).get_asset_check_evaluations()
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.metadata["facesets"].value == [two]
    assert one in live(fake_home)
