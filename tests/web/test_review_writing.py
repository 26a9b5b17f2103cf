"""Rulings through the page: written once, refused with the chain, undone in any order; none by a foreign page."""

from collections.abc import Iterator
from typing import Any

import pytest

from facesets_dagster.registry.rulings import all_rulings, rulings_in_force
from testing.fake_home import FakeHome, fake_home_in
from testing.http import HttpAnswer, ask_http
from testing.http import post_to_review as post
from testing.rulings import faces_of, obey, three_people
from testing.served_files import served_review

ID = "01K0000000000000000000000{}"


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeHome]:
    with fake_home_in(tmp_path_factory.mktemp("review")) as home:
        three_people(home)
        yield home


@pytest.fixture
def address(home: FakeHome) -> Iterator[str]:
    with served_review(home.settings) as address:
        yield address


def rule(address: str, number: int, kind: str, seen: dict[str, str] | None = None, **values: Any) -> HttpAnswer:
    statement = {"ruling_id": ID.format(number), "kind": kind, **values}
    return post(address, "rulings", {"rulings": [statement], "seen": seen or {}})


def people(address: str) -> dict[str, int]:
    found = ask_http(address, "/review/api/people").json
    return dict(zip(found["name"], found["faces"], strict=True))


def seen(address: str) -> dict[str, str]:
    found = ask_http(address, "/review/api/people").json
    return dict(zip(found["name"], found["seen"], strict=True))


def test_every_kind_is_written_shown_at_once_and_undone_in_any_order(home: FakeHome, address: str) -> None:
    first, before = faces_of(home, "faceset_001"), people(address)
    second = faces_of(home, "faceset_002")
    statements: list[tuple[str, dict[str, Any]]] = [
        ("name", {"person": "faceset_001", "text": "  Anna\u0308  B. "}),
        ("not_person", {"person": "faceset_001", "faces": first[:1]}),
        ("assign", {"person": "faceset_001", "faces": second[:1]}),
        ("split", {"person": "faceset_002", "parts": [second[1:2], second[2:3]]}),
        ("feature", {"person": "faceset_001", "faces": [first[-1]]}),
        ("approve", {"person": "faceset_001"}),
        ("different", {"person": "faceset_001", "other": "faceset_003"}),
        ("not_a_face", {"faces": first[1:2]}),
        ("ignore", {"person": "faceset_003"}),
    ]
    for number, (kind, values) in enumerate(statements):
        answer = rule(address, number, kind, **values)
        assert answer.status == 201, (kind, answer.text)
        assert answer.json["waiting"] == number + 1
    now = people(address)
    assert now["faceset_001"] == 4
    assert "faceset_003" not in now
    assert len(now) == 3, "the part that was split off is there"
    assert ask_http(address, "/review/api/people").json["label"][0] == "Ann\u00e4 B."
    assert {one.made_by for one in all_rulings(home.library.registry)} == {
        ask_http(address, "/review/api/last").json["ruling"]["made_by"]
    }
    order = [3, 8, 0, 5, 2, 7, 4, 1, 6]
    for number in order:
        assert post(address, "undo", {"ids": [ID.format(number)]}).status == 200
    assert people(address) == before
    assert rulings_in_force(home.library.registry) == ()
    assert ask_http(address, "/review/api/last").json["ruling"] is None


def test_a_ruling_that_is_sent_twice_is_one(home: FakeHome, address: str) -> None:
    assert rule(address, 1, "ignore", seen(address), person="faceset_003").status == 201
    again = rule(address, 1, "ignore", {"faceset_003": "an older one"}, person="faceset_003")
    assert (again.status, len(all_rulings(home.library.registry))) == (200, 1)


def test_what_changed_since_it_was_seen_is_said_and_nothing_written(home: FakeHome, address: str) -> None:
    old, face = seen(address), faces_of(home, "faceset_001")[0]
    assert rule(address, 1, "not_person", old, person="faceset_001", faces=[face]).status == 201
    answer = rule(address, 2, "name", old, person="faceset_001", text="Anna")
    assert answer.status == 412
    (changed,) = answer.json["changed"]
    assert (changed["name"], changed["faces"], changed["in_use"]) == ("faceset_001", 4, True)
    assert len(all_rulings(home.library.registry)) == 1
    assert rule(address, 2, "name", seen(address), person="faceset_001", text="Anna").status == 201


def test_a_contradiction_is_answered_with_the_chain(address: str) -> None:
    assert rule(address, 1, "different", person="faceset_001", other="faceset_002").status == 201
    answer = rule(address, 2, "same", person="faceset_001", other="faceset_002", despite=True)
    assert answer.status == 409
    assert "Nothing was changed." in answer.json["message"]
    post(address, "undo", {"ids": [ID.format(1)]})
    assert rule(address, 2, "same", person="faceset_001", other="faceset_002").status == 201
    answer = rule(address, 3, "different", person="faceset_001", other="faceset_002")
    assert (answer.status, answer.json["error"]) == (409, "RulingRefused")
    assert [one["ruling_id"] for one in answer.json["rulings"]][:1] == [ID.format(2)]


def test_preview_says_what_a_publication_then_does(home: FakeHome) -> None:
    with served_review(home.settings) as address:
        rule(address, 1, "same", person="faceset_001", other="faceset_002")
        found = ask_http(address, "/review/api/preview").json
        assert {one["name"]: one["what"] for one in found["people"]} == {
            "faceset_001": "stays",
            "faceset_002": "merged",
        }
        assert len(found["people"][0]["faces_in"]) == 4
        shown = people(address)
    obey(home)
    assert {name: len(faces_of(home, name)) for name in ("faceset_001", "faceset_003")} == shown
    with served_review(home.settings) as address:
        assert people(address) == shown
        assert ask_http(address, "/review/api/preview").json["people"] == []
        moved = ask_http(address, "/review/people/faceset_002")
        assert (moved.status, moved.headers["location"]) == (307, "/review/people/faceset_001")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"X_Facesets_Review": ""}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
        ({"Host": "evil.example"}, 403),
    ],
)
def test_a_foreign_page_records_nothing(home: FakeHome, address: str, headers: dict[str, str], status: int) -> None:
    statement = {"rulings": [{"ruling_id": ID.format(1), "kind": "ignore", "person": "faceset_001"}]}
    for path, body in (("rulings", statement), ("undo", {"ids": [ID.format(1)]}), ("publish", {})):
        assert post(address, path, body, **headers).status == status, path
    assert all_rulings(home.library.registry) == ()


@pytest.mark.parametrize(
    "statement",
    [
        {"kind": "ignore", "person": "faceset_001"},
        {"ruling_id": "short", "kind": "ignore", "person": "faceset_001"},
        {"ruling_id": ID.format(1), "kind": "threshold", "person": "faceset_001"},
        {"ruling_id": ID.format(1), "kind": "name", "person": "faceset_001", "text": "x" * 201},
        {"ruling_id": ID.format(1), "kind": "ignore", "person": "faceset_001", "path": "/etc/passwd"},
    ],
)
def test_a_statement_that_means_nothing_is_refused(home: FakeHome, address: str, statement: dict[str, Any]) -> None:
    answer = post(address, "rulings", {"rulings": [statement]})
    assert (answer.status, "Nothing was changed." in answer.json["message"]) == (400, True)
    assert all_rulings(home.library.registry) == ()


def test_for_reading_only_nothing_is_written_and_the_page_says_why(home: FakeHome) -> None:
    with served_review(home.settings.model_copy(update={"review": "read"})) as address:
        answer = rule(address, 1, "ignore", person="faceset_001")
        assert (answer.status, answer.json["error"]) == (403, "ReadOnly")
        assert "For reading only." in ask_http(address, "/review/people").text
        assert "data-undo" not in ask_http(address, "/review/log").text
    assert all_rulings(home.library.registry) == ()


def test_a_trusted_proxy_names_who_decides(home: FakeHome) -> None:
    by_name = {"review_user_header": "X-Forwarded-User", "trusted_proxies": ("127.0.0.1",)}
    with served_review(home.settings.model_copy(update=by_name), is_local=False) as address:
        statement = {"rulings": [{"ruling_id": ID.format(1), "kind": "name", "person": "faceset_001", "text": "A"}]}
        assert post(address, "rulings", statement).status == 403
        forwarded = {"X_Forwarded_User": "tom", "X_Forwarded_For": "203.0.113.9"}
        assert post(address, "rulings", statement, **forwarded).status == 201
    assert [one.made_by for one in all_rulings(home.library.registry)] == ["tom"]


def test_people_like_a_person_come_nearest_first(home: FakeHome, address: str) -> None:
    found = ask_http(address, "/review/api/similar/faceset_001").json["people"]
    assert {one["name"] for one in found} == {"faceset_002", "faceset_003"}
    assert [one["distance"] for one in found] == sorted(one["distance"] for one in found)
    face = faces_of(home, "faceset_001")[0]
    assert len(ask_http(address, f"/review/api/similar/faceset_001?faces={face}").json["people"]) == 2


def test_without_dagster_publishing_says_why_not(address: str) -> None:
    answer = post(address, "publish", {})
    assert (answer.status, answer.json["error"]) == (503, "PublishingImpossible")
