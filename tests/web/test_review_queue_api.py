"""The queue over HTTP: cards by worth, answers as rulings, once; leases, and cards that come back."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from facesets_dagster.analysis.reviewed import reviewed
from facesets_dagster.registry.rulings import rulings_in_force
from facesets_dagster.web.review.sittings import Sittings
from testing.fake_home import FakeHome, fake_home_in
from testing.fakes import write_looks
from testing.http import HttpAnswer, ask_http
from testing.queue_home import CLUSTER, COVER, home_with_cards
from testing.served_files import served_review

ID = "01K0000000000000000000000{}"


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeHome]:
    with fake_home_in(tmp_path_factory.mktemp("queue")) as home:
        home_with_cards(home)
        by_name = {"review_user_header": "X-Forwarded-User", "trusted_proxies": ("127.0.0.1",)}
        home.settings = home.settings.model_copy(update=by_name)
        yield home


@pytest.fixture
def address(home: FakeHome) -> Iterator[str]:
    with served_review(home.settings) as address:
        yield address


def queue(address: str, who: str = "anna") -> dict[str, Any]:
    return dict(ask_http(address, "/review/api/queue", headers={"X-Forwarded-User": who}).json)


def send(address: str, path: str, body: Any, who: str = "anna") -> HttpAnswer:
    own = {"Content-Type": "application/json", "X-Facesets-Review": "1", "Origin": address, "X-Forwarded-User": who}
    return ask_http(address, f"/review/api/{path}", method="POST", headers=own, body=json.dumps(body).encode())


def answered(address: str, number: int, card: str, word: str, *picked: int, who: str = "anna") -> HttpAnswer:
    body = {"answer_id": ID.format(number), "card_id": card, "word": word, "picked": list(picked)}
    return send(address, "answers", body, who)


def test_every_card_can_be_answered_and_every_answer_is_undone(home: FakeHome, address: str) -> None:
    words = {"pair": "same", "who_else": "picked", "who_not": "picked", "approve": "approve", "look_alikes": "first",
             "ignore_strangers": "ignore", "impossible_pair": "first"}  # fmt: skip
    asked, before = list[str](), queue(address)
    assert before["made"]
    for number in range(30):
        cards = queue(address)["cards"]
        if not cards:
            break
        kind = cards[0]["kind"]
        assert "chance" not in cards[0], "the numbers' opinion comes after the answer"
        answer = answered(address, number % 10, cards[0]["card_id"], words[kind]) if number < 10 else None
        assert answer is not None, "too many cards"
        assert answer.status in (200, 201, 409), answer.text
        asked.append(kind)
    assert {"pair", "impossible_pair", "ignore_strangers", "approve"} <= set(asked)
    rulings = rulings_in_force(home.library.registry)
    assert {"same", "ignore"} <= {one.kind for one in rulings}
    assert {one.made_by for one in rulings} == {"anna"}
    undone = send(address, "undo", {"ids": [one.ruling_id for one in rulings]})
    assert undone.status == 200
    again = queue(address)
    assert (again["left"], again["cards"][0]["card_id"]) == (before["left"], before["cards"][0]["card_id"])


def test_what_answers_taught_outlives_the_server_and_goes_with_an_undo(home: FakeHome) -> None:
    def sitting() -> tuple[list[bool], float]:
        sittings = Sittings(home.settings, lambda: rulings_in_force(home.library.registry))
        assert sittings.cards("tom", reviewed(home.library)) is not None
        chances = sittings.chances("tom")
        assert chances is not None
        return [one.same for one in chances.told], chances.even_distance()

    told, even = sitting()
    assert told == []
    with served_review(home.settings) as address:
        pair = next_of_kind(address, "pair")
        answer = answered(address, 9, pair, "different")
        while answer.json["again"]:
            answer = answered(address, 9, pair, "different") if queue(address) else answer
        (ruling,) = answer.json["rulings"]
    learnt = sitting()
    assert learnt[0] == [False]
    assert learnt[1] != even
    with served_review(home.settings) as address:
        assert send(address, "undo", {"ids": [ruling["ruling_id"]]}).status == 200
    assert sitting() == ([], even)


def test_an_answer_that_is_sent_twice_is_one(home: FakeHome, address: str) -> None:
    strangers = next_of_kind(address, "ignore_strangers")
    assert answered(address, 9, strangers, "ignore").status == 201
    assert answered(address, 9, strangers, "ignore").status == 200
    assert [one.kind for one in rulings_in_force(home.library.registry)].count("ignore") == 1


def test_nobody_gets_a_card_that_another_one_has(address: str) -> None:
    mine, others = queue(address)["cards"], queue(address, "tom")["cards"]
    assert mine
    assert {card["card_id"] for card in mine}.isdisjoint(card["card_id"] for card in others)
    assert answered(address, 1, mine[0]["card_id"], "not_sure", who="tom").status == 412


def test_a_card_that_a_ruling_answers_otherwise_is_not_asked(home: FakeHome, address: str) -> None:
    cards = queue(address)["cards"]
    pair = next(card for card in cards if card["kind"] == "pair")
    first, second = (side["name"] for side in pair["sides"])
    statement = {"ruling_id": ID.format(1), "kind": "same", "person": first, "other": second}
    assert send(address, "rulings", {"rulings": [statement]}).status == 201
    assert pair["card_id"] not in [card["card_id"] for card in queue(address)["cards"]]


def test_a_word_that_answers_no_such_card_is_refused(address: str) -> None:
    card = queue(address)["cards"][0]
    assert answered(address, 1, card["card_id"], "perhaps").status == 400
    assert queue(address)["cards"][0] == card
    own = {"Content-Type": "application/json", "X-Forwarded-User": "anna", "Origin": address}
    assert ask_http(address, "/review/api/answers", method="POST", headers=own, body=b"{}").status == 403


def test_without_the_table_the_page_says_what_makes_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    with fake_home_in(tmp_path_factory.mktemp("none")) as home, served_review(home.settings) as address:
        assert ask_http(address, "/review/api/queue").json == {
            "cards": [], "left": 0, "made": False, "error_rate": None,
        }  # fmt: skip
        assert ask_http(address, "/review/queue").status == 200


def next_of_kind(address: str, kind: str) -> str:
    """The id of the first card of a kind; those before it are put off."""
    for number in range(40):
        cards = queue(address)["cards"]
        found = next((card["card_id"] for card in cards if card["kind"] == kind), None)
        if found is not None:
            return str(found)
        assert answered(address, number % 9, cards[0]["card_id"], "not_sure").status == 200
    raise AssertionError(f"no card of kind {kind}")


def test_a_distance_is_rehearsed_before_it_is_taken(home: FakeHome, address: str) -> None:
    write_looks(home.buckets / "c", 5, [-0.9, -0.3, 0.3])  # one person, too far apart for 0.1
    home.run("c", osrc_uncovered=COVER, osrc_clusters=CLUSTER)
    before = home.library.registry.members()
    same = ask_http(address, "/review/api/threshold?new=0.1").json
    assert (same["buckets"], same["of"], same["counts"], same["people_change"]) == (3, 3, {"in": 0, "out": 0}, 0)
    assert same["facesets_before"] == same["facesets_after"] == len(before)
    wide = ask_http(address, "/review/api/threshold?new=0.4").json
    assert (wide["facesets_before"], wide["facesets_after"]) == (len(before), len(before) + 1)
    assert wide["counts"]["in"] == len(wide["faces_in"]) >= 3
    assert wide["people_change"] >= 1
    assert home.library.registry.members() == before
    assert ask_http(address, "/review/api/threshold?new=far").status == 400
