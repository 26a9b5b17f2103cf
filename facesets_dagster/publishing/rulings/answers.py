"""Answers to cards as rulings: what `identities.card_rulings` says of a card, looked up and made one record each."""

from collections.abc import Sequence

from facesets_dagster.identities.card_rulings import Statement, Subject
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.publishing.rulings.requests import Places, Requests

THRESHOLD = "cluster_distance"
"""The number that a `threshold` card offers."""


def rulings_of(statements: Sequence[Statement], requests: Requests, model_id: str) -> list[Ruling]:
    """A ruling for each statement; nothing is written. `model_id`: of the pack whose number a threshold is.

    Raises `SettingsError` or `LibraryError` where a name or a face leads nowhere any more.
    """
    return [_ruling(one, requests, model_id) for one in statements]


def _ruling(said: Statement, requests: Requests, model_id: str) -> Ruling:
    if said.kind in ("same", "different"):
        first, second = map(_asked, said.subjects)
        return requests.same(first, second) if said.kind == "same" else requests.different(first, second)
    if said.kind in ("assign", "not_person"):
        faces, person = said.subjects
        make = requests.assign if said.kind == "assign" else requests.not_person
        return make(_places(faces), str(person))
    if said.kind == "threshold":
        numbers = dict(said.numbers)
        return requests.threshold(model_id, THRESHOLD, numbers.pop("old"), numbers.pop("new"), numbers)
    (subject,) = said.subjects
    if said.kind == "allow_together":
        return requests.allow_together(_places(subject))
    if said.kind == "approve":
        return requests.approve(str(subject))
    return (
        requests.ignore(subject)
        if isinstance(subject, str)
        else requests.ignore_faces(_places(subject), are_faces=True)
    )


def _asked(subject: Subject) -> str | Places:
    return subject if isinstance(subject, str) else _places(subject)


def _places(subject: Subject) -> Places:
    """The faces, wherever they are."""
    return dict.fromkeys((subject,) if isinstance(subject, str) else subject)
