"""One input on everybody, or every face, that a filter means: evaluated by the server, one undo, and again."""

from collections.abc import Iterator
from typing import Any

import pytest

from facesets_dagster.registry.rulings import all_rulings, rulings_in_force
from facesets_dagster.web.review.inputs import ids_of_input
from testing.fake_home import FakeHome, fake_home_in
from testing.http import HttpAnswer, ask_http, post_to_review
from testing.made_up_registry import fill
from testing.rulings import faces_of, three_people
from testing.served_files import served_review

ID = "01K00000000000000000{:02d}0000"


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeHome]:
    with fake_home_in(tmp_path_factory.mktemp("bulk")) as home:
        three_people(home)
        yield home


@pytest.fixture
def address(home: FakeHome) -> Iterator[str]:
    with served_review(home.settings) as address:
        yield address


def bulk(address: str, number: int, kind: str, count: int, **values: Any) -> HttpAnswer:
    state = values.pop("state", None) or ask_http(address, "/review/api/people").json["state"]
    body = {"ruling_id": ID.format(number), "kind": kind, "state": state, "count": count, **values}
    return post_to_review(address, "bulk", body)


def last(address: str) -> dict[str, list[str]]:
    return ask_http(address, "/review/api/last").json


def kinds(home: FakeHome) -> list[str]:
    return [one.kind for one in rulings_in_force(home.library.registry)]


def names(address: str) -> list[str]:
    return list(ask_http(address, "/review/api/people").json["name"])


def test_all_of_a_filter_are_ignored_by_one_input_undone_by_one_and_ignored_again(home: FakeHome, address: str) -> None:
    answer = bulk(address, 1, "ignore", 2, people={"most_faces": 4})
    assert (answer.status, answer.json["count"]) == (201, 2)
    assert names(address) == ["faceset_001"]
    again = bulk(address, 1, "ignore", 2, people={"most_faces": 4})
    assert (again.status, again.json["count"], len(all_rulings(home.library.registry))) == (200, 2, 2)
    undone = post_to_review(address, "undo", {"ids": last(address)["undo"]})
    assert (undone.json["count"], kinds(home), last(address)["undo"]) == (2, [], [])
    redo = last(address)["redo"]
    assert post_to_review(address, "redo", {"ids": redo}).status == 201
    assert kinds(home) == ["ignore", "ignore"]
    assert post_to_review(address, "redo", {"ids": redo}).json["count"] == 0, "sent twice"
    assert len(all_rulings(home.library.registry)) == 4


def test_undo_and_redo_go_to_any_depth_and_redo_ends_with_a_new_decision(home: FakeHome, address: str) -> None:
    for number, name in enumerate(("faceset_001", "faceset_002", "faceset_003")):
        statement = {"ruling_id": ID.format(number), "kind": "name", "person": name, "text": f"N{number}"}
        assert post_to_review(address, "rulings", {"rulings": [statement]}).status == 201
    before = ask_http(address, "/review/api/people").json["label"]
    for _ in range(3):
        post_to_review(address, "undo", {"ids": last(address)["undo"]})
    assert kinds(home) == []
    for _ in range(3):
        post_to_review(address, "redo", {"ids": last(address)["redo"]})
    assert ask_http(address, "/review/api/people").json["label"] == before
    assert last(address)["redo"] == []
    for _ in range(2):
        post_to_review(address, "undo", {"ids": last(address)["undo"]})
    statement = {"ruling_id": ID.format(9), "kind": "approve", "person": "faceset_001"}
    assert post_to_review(address, "rulings", {"rulings": [statement]}).status == 201
    assert last(address)["redo"] == []
    assert kinds(home) == ["name", "approve"]


def test_what_the_page_did_not_show_is_not_ruled_on(home: FakeHome, address: str) -> None:
    refused = bulk(address, 1, "ignore", 3, people={"most_faces": 4})
    assert (refused.status, refused.json["count"]) == (412, 2)
    old = bulk(address, 2, "ignore", 2, people={"most_faces": 4}, state="1.x.0")
    assert (old.status, old.json["error"]) == (412, "Changed")
    assert bulk(address, 3, "assign", 3, people={}).status == 409
    assert bulk(address, 4, "approve", 1, faces={"person": "faceset_001"}).status == 412
    assert bulk(address, 5, "approve", 5, faces={"person": "faceset_001"}).status == 409
    assert bulk(address, 6, "ignore", 3).status == 409
    assert bulk(address, 7, "ignore", 3, people={"nonsense": 1}).status == 400
    assert all_rulings(home.library.registry) == ()


def test_filters_exceptions_and_faces(home: FakeHome, address: str) -> None:
    statement = {"ruling_id": ID.format(0), "kind": "name", "person": "faceset_002", "text": "Zoë"}
    post_to_review(address, "rulings", {"rulings": [statement]})
    assert bulk(address, 1, "approve", 1, people={"text": " ZOE "}).status == 201
    assert bulk(address, 2, "approve", 1, people={"named": "no", "without": ["faceset_001"]}).status == 201
    approved = [one.identity for one in rulings_in_force(home.library.registry) if one.kind == "approve"]
    assert approved == ["faceset_002", "faceset_003"]
    left_out = bulk(address, 3, "not_person", 5, faces={"person": "faceset_001", "only": "left_out"})
    assert left_out.status == 412, "no face of hers is left out"
    moved = faces_of(home, "faceset_003")
    faces = {"person": "faceset_003", "only": "bucket:a", "without": moved[:1]}
    assert bulk(address, 4, "assign", len(moved) - 1, faces=faces, other="faceset_001").status == 201
    ruling = rulings_in_force(home.library.registry)[-1]
    assert (ruling.kind, ruling.identity) == ("assign", "faceset_001")
    assert sorted(face.face_id for face in ruling.of_role("face")) == moved[1:]
    assert bulk(address, 5, "same", 1, people={"named": "yes"}, other="faceset_001").status == 201
    assert rulings_in_force(home.library.registry)[-1].names == {"a": "faceset_002", "b": "faceset_001"}


def test_ids_of_one_input_differ_at_the_end_only() -> None:
    first = ID.format(7)[:-1] + "Z"
    ids = ids_of_input(first, 3)
    assert (ids[0], ids[1], len(set(ids))) == (first, ID.format(7)[:-2] + "10", 3)
    assert {one[:22] for one in ids_of_input(first[:-4] + "ZZZZ", 2_000)} == {first[:22]}


@pytest.mark.timeout(120)
def test_hundreds_of_people_are_ignored_by_one_input_and_come_back(tmp_path_factory: pytest.TempPathFactory) -> None:
    with fake_home_in(tmp_path_factory.mktemp("many")) as home:
        fill(home.library, 300, 600)
        with served_review(home.settings) as address:
            count = len(names(address))
            assert bulk(address, 1, "ignore", count, people={}).json["count"] == count == 300
            assert names(address) == []
            assert post_to_review(address, "undo", {"ids": last(address)["undo"]}).json["count"] == 300
            assert len(names(address)) == count
