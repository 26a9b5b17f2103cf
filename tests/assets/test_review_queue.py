"""The cards of a library: what is asked, in which order, and what rulings answer."""

from html import unescape

import polars as pl

from facesets_dagster.identities.card_rulings import ruling_of
from facesets_dagster.identities.card_session import Answer
from facesets_dagster.identities.card_table import CARD_SCHEMA, cards_of, table_of
from facesets_dagster.identities.cards import Card
from facesets_dagster.photos.bucket_key import LIBRARY
from facesets_dagster.publishing.rulings.answers import rulings_of
from facesets_dagster.publishing.rulings.writing import enter
from testing.fake_home import FakeHome
from testing.queue_home import NUMBERS, two_halves_and_a_mirror
from testing.rulings import faces_of, obey, requests


def cards(home: FakeHome) -> list[Card]:
    assert home.materialize("review_queue", review_queue=NUMBERS).success
    return cards_of(pl.read_parquet(home.settings.cache_dir / "tables" / "review_queue" / "all.parquet"))


def of_kind(found: list[Card], kind: str) -> list[Card]:
    return [card for card in found if card.kind == kind]


def test_cards_of_every_origin_come_by_value(fake_home: FakeHome) -> None:
    two_halves_and_a_mirror(fake_home)
    found = cards(fake_home)
    values = [card.value for card in found]
    assert values == sorted(values, reverse=True)
    assert len({card.card_id for card in found}) == len(found)
    halves = {
        name for name in ("faceset_001", "faceset_002", "faceset_003") if len(faces_of(fake_home, name)) in (3, 4)
    }
    (pair,) = (card for card in of_kind(found, "pair") if {side.name for side in card.sides} == halves)
    assert pair.value == max(card.value for card in of_kind(found, "pair"))
    (mirror,) = of_kind(found, "impossible_pair")
    assert mirror.sides[1].face_ids != mirror.sides[2].face_ids
    (strangers,) = of_kind(found, "ignore_strangers")
    assert [side.size for side in strangers.sides] == [1]
    assert len(of_kind(found, "approve")) == 3
    table = table_of(found, "m", cluster_distance=0.1, calibrated_distance=0.1, photo_limit=0.4)
    assert table.schema == CARD_SCHEMA
    assert cards_of(table) == found


def test_what_a_ruling_answers_is_not_asked_again(fake_home: FakeHome) -> None:
    two_halves_and_a_mirror(fake_home)
    found = cards(fake_home)
    answers = [
        (of_kind(found, "pair")[0], Answer("different")),
        (of_kind(found, "impossible_pair")[0], Answer("first")),
        (of_kind(found, "ignore_strangers")[0], Answer("ignore")),
        (of_kind(found, "approve")[0], Answer("approve")),
    ]
    said = [one for card, answer in answers for one in ruling_of(card, answer)]
    enter(fake_home.library, rulings_of(said, requests(fake_home), fake_home.embedder.pack().model_id))
    obey(fake_home)
    left = {card.card_id for card in cards(fake_home)}
    assert [card.card_id for card, _ in answers if card.card_id in left] == []


def test_the_page_shows_the_faces_and_a_second_run_says_the_same(fake_home: FakeHome) -> None:
    two_halves_and_a_mirror(fake_home)
    found = cards(fake_home)
    (page,) = (fake_home.settings.reports_dir / LIBRARY).glob("*.review_queue.html")
    text = unescape(page.read_text())
    assert "Which of the two faces of a photo is this person?" in text
    assert text.count("<img") > len(found)
    assert cards(fake_home) == found


def test_a_home_without_people_has_nothing_to_ask(fake_home: FakeHome) -> None:
    fake_home.buckets.joinpath("a").mkdir()
    assert cards(fake_home) == []
