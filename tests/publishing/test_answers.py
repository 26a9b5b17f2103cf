"""Answers to cards become rulings that are written and obeyed."""

import pytest

from facesets_dagster.identities.card_rulings import Statement
from facesets_dagster.publishing.rulings.answers import rulings_of
from facesets_dagster.publishing.rulings.writing import enter
from testing.fake_home import FakeHome
from testing.fakes import write_looks
from testing.rulings import faces_of, obey, requests, three_people

pytestmark = pytest.mark.both_databases


def test_statements_of_cards_are_written_as_rulings_and_obeyed(fake_home: FakeHome) -> None:
    three_people(fake_home)
    write_looks(fake_home.buckets / "a", 5, [0.0])
    fake_home.run("a", osrc_clusters={"min_faces": 3})
    first, *others = faces_of(fake_home, "faceset_001")
    decisions = fake_home.library.registry.decisions("a")
    (stranger,) = decisions.filter(decisions["identity"].is_null())["face_id"].to_list()
    said = [
        Statement("same", ("faceset_001", "faceset_002")),
        Statement("different", ("faceset_001", "faceset_003")),
        Statement("assign", ((others[0],), "faceset_001")),
        Statement("not_person", ((first,), "faceset_001")),
        Statement("ignore", ((stranger,),)),
        Statement("ignore", ("faceset_003",)),
        Statement("threshold", numbers={"old": 0.55, "new": 0.7, "answers": 20}),
    ]
    model_id = fake_home.embedder.pack().model_id
    rulings = rulings_of(said, requests(fake_home), model_id)
    assert [one.kind for one in rulings] == [one.kind for one in said]
    assert rulings[-1].payload["evidence"] == {"answers": 20}
    assert rulings[-1].number("new") == 0.7
    enter(fake_home.library, rulings)
    obey(fake_home)
    assert first not in faces_of(fake_home, "faceset_002")
    assert others[0] in faces_of(fake_home, "faceset_002")
    assert [one.name for one in fake_home.library.registry.identities() if one.live] == ["faceset_002"]


def test_an_approval_keeps_the_members_that_were_seen(fake_home: FakeHome) -> None:
    three_people(fake_home)
    approved, *_ = rulings_of([Statement("approve", ("faceset_001",))], requests(fake_home), "m")
    assert approved.kind == "approve"
    assert approved.payload["members"] == faces_of(fake_home, "faceset_001")
