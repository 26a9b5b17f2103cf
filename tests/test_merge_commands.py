"""What the commands say of a name that was merged."""

import json

import pytest

from facesets_dagster.analysis.explanation import explain_contents
from facesets_dagster.cli import ruling_job
from facesets_dagster.cli.label import print_label
from facesets_dagster.cli.show import show
from facesets_dagster.cli.status import print_status
from facesets_dagster.registry.merges import redirects
from facesets_dagster.resources.home import HomeResource
from testing.fake_home import FakeHome
from testing.fakes import PACK, write_looks
from testing.merges import LEFT, MIDDLE, RIGHT, apply, manifest, meet


@pytest.fixture
def chain(fake_home: FakeHome) -> FakeHome:
    """The third leads to the second, and that to the first."""
    one, two, three = meet(fake_home, LEFT, MIDDLE, RIGHT)
    apply(fake_home, [two, three])
    apply(fake_home, [one, two])
    return fake_home


def test_show_follows_the_redirects_to_their_end_and_says_so(chain: FakeHome, capsys: pytest.CaptureFixture) -> None:
    show(chain.settings, "faceset_003", as_json=False)
    said = capsys.readouterr().out
    assert "faceset_003 was merged into faceset_001." in said
    assert "merged into it: faceset_002, faceset_003" in said
    assert "merged:faceset_003" in said
    show(chain.settings, "faceset_003", as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["name"], told["merged_from"]) == ("faceset_001", "faceset_003")


def test_status_says_where_a_name_leads(chain: FakeHome, capsys: pytest.CaptureFixture) -> None:
    print_status(chain.settings, as_json=True)
    stones = {stone["name"]: stone for stone in json.loads(capsys.readouterr().out)["tombstones"]}
    assert (stones["faceset_003"]["merged_into"], stones["faceset_003"]["leads_to"]) == ("faceset_002", "faceset_001")
    assert {stone["reason"] for stone in stones.values()} == {"merged"}


def test_explain_names_who_has_the_face_now(fake_home: FakeHome) -> None:
    one, two = meet(fake_home, LEFT, RIGHT)
    fake_home.discovers_alone()
    write_looks(fake_home.buckets / "z", 1, [0.95])
    fake_home.run("z")
    decisions = fake_home.library.registry.decisions("z")
    assert decisions["identity"].to_list() == [two]
    apply(fake_home, [one, two])
    tables = HomeResource.of(fake_home.settings).face_store("z", PACK.model_id, PACK.dim).read()
    merged = redirects(fake_home.library.registry)
    (photo,) = explain_contents("z", tables, decisions, tables.contents["sha256"], merged)
    (face,) = photo.faces
    assert face.identity == one
    assert face.why.startswith(f"Belongs to {one} already")
    assert f"{two} was merged into {one}" in face.flags


def test_a_label_for_a_merged_name_goes_to_the_one_that_has_its_people(
    chain: FakeHome, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(ruling_job, "instance_of", chain.instance_of)
    monkeypatch.setattr(ruling_job, "embedder_of", lambda _: chain.embedder)
    print_label(chain.settings, "faceset_003", "Anna", same_name=False, as_json=False)
    assert capsys.readouterr().out.splitlines() == ["faceset_003 was merged into faceset_001.", "faceset_001: Anna"]
    assert [entry["label"] for entry in manifest(chain)["facesets"]] == ["Anna"]
