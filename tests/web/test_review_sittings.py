"""Sittings at the cards: another distance is offered once the answers speak for it, and taken as a ruling."""

from pathlib import Path

from facesets_dagster.analysis.reviewed import Reviewed, ReviewedPerson
from facesets_dagster.identities.card_session import Answer
from facesets_dagster.identities.card_table import table_of
from facesets_dagster.identities.cards import Side, made
from facesets_dagster.identities.chances import Likeness
from facesets_dagster.identities.projection import Base
from facesets_dagster.identities.projections import Projections
from facesets_dagster.settings import load_settings
from facesets_dagster.web.review.sittings import Sittings

PAIRS = 14


def person(number: int) -> ReviewedPerson:
    return ReviewedPerson(f"faceset_{number:03d}", number, None, "discovered", "a", 4, "", False)


def view() -> Reviewed:
    people = tuple(person(number) for number in range(2 * PAIRS))
    members = {one.name: {f"{one.name}-{face}": ("a", "founded") for face in range(4)} for one in people}
    made_of = Projections(Base({}, members)).of([], {})
    return Reviewed("1", people, members, (), {}, {}, frozenset(), made_of)


def test_after_twelve_answers_another_distance_is_offered_and_taken(tmp_path: Path) -> None:
    settings = load_settings({"FACESETS_HOME": str(tmp_path)}, tmp_path)
    cards = [
        made(
            "pair",
            [Side(key=one.name, name=one.name, size=4) for one in (person(2 * pair), person(2 * pair + 1))],
            likenesses=(Likeness(distance=0.58 + 0.005 * pair, smaller=4),),
        )
        for pair in range(PAIRS)
    ]
    folder = settings.tables_dir / "review_queue"
    folder.mkdir(parents=True)
    table_of(cards, "m", cluster_distance=0.5, calibrated_distance=0.5, photo_limit=0.7).write_parquet(
        folder / "all.parquet"
    )
    sittings, kinds = Sittings(settings, tuple), list[str]()
    for _ in range(4 * PAIRS):
        found = sittings.cards("anna", view())
        assert found is not None
        if not found[0]:
            break
        card = found[0][0]
        kinds.append(card.kind)
        word = "take" if card.kind == "threshold" else "same"
        answered = sittings.answer("anna", card.card_id, Answer(word))
        assert answered is not None
        if card.kind == "threshold":
            (statement,) = answered.statements
            assert statement.kind == "threshold"
            assert statement.numbers["old"] == 0.5
            assert 0.53 < statement.numbers["new"] <= 0.7, "never beyond what photos allow"
            break
    assert kinds[-1] == "threshold"
    assert kinds.count("pair") >= 12
    assert sittings.model_id() == "m"
