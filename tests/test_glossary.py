"""The glossary has every word that users meet: states, kinds, checks, metadata of assets; and none that is gone."""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

import facesets_dagster
from facesets_dagster.analysis.merge_proposals import STATES as PROPOSAL_STATES
from facesets_dagster.analysis.simulation_verdicts import Limits
from facesets_dagster.definitions import defs
from facesets_dagster.faces.schema import READ
from facesets_dagster.identities.cards import KINDS as CARDS
from facesets_dagster.identities.doubts import KINDS as DOUBTS
from facesets_dagster.identities.identity import ERA_KINDS, TRUST
from facesets_dagster.identities.projection import Reason
from facesets_dagster.identities.rulings import KINDS as RULINGS
from facesets_dagster.identities.rulings import STATES as RULING_STATES
from facesets_dagster.publishing.funnel import STATES
from testing.glossary import codes_of, rows_of
from testing.paths import REPOSITORY

FIRST_PAGES = ("README.md", "docs/quickstart.md")
PACKAGE = Path(facesets_dagster.__file__).parent


def strings_given_to(name: str) -> Iterator[str]:
    """First arguments of all calls of a function or class in the package, where they are written out."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield first.value


def test_words_stand_in_alphabetical_order_with_a_meaning() -> None:
    words = rows_of("Words")
    assert len(words) >= 80
    assert list(words) == sorted(words, key=lambda word: word.casefold().replace("_", " "))
    assert [word for word, meaning in words.items() if len(meaning) < 10] == []


@pytest.mark.parametrize("path", FIRST_PAGES)
def test_osrc_and_other_words_are_explained_where_they_first_come(path: str) -> None:
    page = (REPOSITORY / path).read_text()
    prose = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    explained = {"osrc": "original sources", "partition": "*partition*", "bucket": "bucket", "covered": "*covered*"}
    for word, phrase in explained.items():
        assert phrase in prose, f"{path} does not explain {word}"
    assert "glossary.md" in prose


def test_every_state_of_a_face_is_there_and_no_other() -> None:
    assert codes_of("States of a face") == {*STATES}
    crops = {state.removeprefix("crop_failed:") for state in strings_given_to("Verdict") if "crop_failed:" in state}
    assert len(crops) >= 3
    assert [why for why in crops if why not in rows_of("States of a face")["`crop_failed:<why>`"]] == []


def test_every_reason_for_an_unused_photo_is_there() -> None:
    reasons = {*strings_given_to("PhotoError")} - {"source_missing"}  # a flag of a face, not of a file
    assert len(reasons) >= 5
    assert codes_of("Status of a file") >= {*reasons, *READ, "foreign", "changing", "unreadable_file"}


def test_every_kind_and_every_state_of_a_proposal_is_there_and_no_other() -> None:
    assert codes_of("Kinds of identities") == {*TRUST, *ERA_KINDS}
    assert codes_of("States of a merge proposal") == {*PROPOSAL_STATES}
    assert codes_of("Kinds of doubts") == {*DOUBTS}
    assert codes_of("Kinds of cards") == {*CARDS}


def test_every_kind_and_every_state_of_a_ruling_is_there_with_its_meaning() -> None:
    assert rows_of("Kinds of rulings") == {f"`{kind}`": meaning for kind, meaning in RULINGS.items()}
    assert rows_of("States of rulings") == {f"`{state}`": meaning for state, meaning in RULING_STATES.items()}
    assert codes_of("Reasons of tombstones") >= {*get_args(Reason)}


def test_every_check_is_explained_and_no_other() -> None:
    keys = defs.get_repository_def().asset_graph.asset_check_keys
    assert len(keys) >= 20
    assert codes_of("Checks") == {key.name for key in keys}


def test_no_line_of_metadata_is_left_that_no_asset_writes() -> None:
    written = {*PROPOSAL_STATES, *DOUBTS, *(field.name for field in fields(Limits))}
    others = (PACKAGE / "resources" / "embedder.py", PACKAGE / "reports" / "rulings_page.py")
    for path in (*(PACKAGE / "assets").glob("*.py"), *(PACKAGE / "analysis").rglob("*.py"), *others):
        for node in ast.walk(ast.parse(path.read_text())):
            written |= {
                word for word in (getattr(node, "value", ""), getattr(node, "arg", "")) if isinstance(word, str)
            }
    described = {code for code in codes_of("Metadata") if "<" not in code}
    assert len(described) >= 100
    assert described - written == set()
