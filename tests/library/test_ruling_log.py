"""Rulings as a file: what is written is read again, what is no ruling is refused with its line."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facesets_dagster.errors import SettingsError
from facesets_dagster.identities.projection import project
from facesets_dagster.identities.rulings import KINDS, STATES, VIAS, Ruling, RulingFace
from facesets_dagster.library.ruling_log import as_line, read_log, write_log
from facesets_dagster.publishing.rulings.standing import with_names
from facesets_dagster.registry.registry import Registry
from facesets_dagster.registry.rulings import all_rulings, rulings_in_force, undo_rulings, write_rulings
from testing.made_up_rulings import made_up_base, rulings

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
_MAYBE = st.none() | _TEXT
_SIDE = st.floats(-1e6, 1e6)


@st.composite
def _faces(draw: st.DrawFn) -> RulingFace:
    vector = draw(st.none() | st.lists(st.floats(-1, 1, width=16), min_size=1, max_size=8))
    return RulingFace(
        draw(st.sampled_from(["face", "a", "part_b", "identity"])),
        draw(_TEXT),
        (draw(_SIDE), draw(_SIDE), draw(_SIDE), draw(_SIDE)),
        draw(st.integers(0, 10**5)),
        draw(st.integers(0, 10**5)),
        draw(_TEXT),
        draw(_TEXT),
        draw(st.text()),
        None if vector is None else np.asarray(vector, np.float16),
    )


@st.composite
def _rulings(draw: st.DrawFn, ruling_id: str) -> Ruling:
    return Ruling(
        ruling_id,
        draw(st.sampled_from(list(KINDS))),
        draw(_TEXT),
        draw(_TEXT),
        draw(st.sampled_from(VIAS)),
        tuple(draw(st.lists(_faces(), max_size=3))),
        draw(st.dictionaries(st.sampled_from(["a", "b", "identity"]), _TEXT)),
        draw(st.dictionaries(_TEXT, _TEXT | st.integers() | st.booleans() | st.lists(st.floats(0, 1)), max_size=3)),
        draw(_MAYBE),
        draw(st.none() | st.integers(0, 10**9)),
        draw(_MAYBE),
        draw(st.sampled_from(list(STATES))),
        undone_at=draw(_MAYBE),
        undone_by=draw(_MAYBE),
        superseded_by=draw(_MAYBE),
    )


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_what_is_written_is_read_again(data: st.DataObject) -> None:
    made = [data.draw(_rulings(f"R{place}")) for place in range(data.draw(st.integers(0, 3)))]
    with tempfile.TemporaryDirectory() as folder:
        path, again = Path(folder) / "log.jsonl", Path(folder) / "again.jsonl"
        write_log(path, [replace(one, sequence=7, published=True) for one in made])
        assert path.read_text(encoding="utf-8").count("\n") == len(made)
        found = read_log(path)
        write_log(again, found)
        assert again.read_bytes() == path.read_bytes()
    assert list(map(as_line, found)) == list(map(as_line, made))
    assert all(not one.sequence and not one.published for one in found)


def _line(**values: Any) -> dict[str, Any]:
    face = RulingFace("a", "ab" * 32, (0, 0, 1, 1), 9, 9, "ab", "bucket", "m", np.ones(4, np.float16))
    return {**as_line(Ruling("R1", "same", "2026-05-03", "t", "cli", (face,), {"a": "faceset_001"})), **values}


def _with_face(**values: Any) -> dict[str, Any]:
    line = _line()
    return {**line, "faces": [{**line["faces"][0], **values}]}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "Expecting"),
        ("[]", "expected an object"),
        ({}, "schema_version"),
        (_line(schema_version=2), "schema_version"),
        (_line(kind="divorce"), "kind 'divorce' is none of"),
        (_line(kind=[]), "kind"),
        (_line(state="gone"), "'gone' is none of"),
        (_line(via="fax"), "'fax' is none of"),
        (_line(ruling_id=""), "ruling_id"),
        (_line(reason=5), "reason"),
        (_line(seen_generation="5"), "seen_generation"),
        (_line(names=["faceset_001"]), "names"),
        (_line(names={"a": 1}), "names"),
        (_line(payload=None), "payload"),
        (_line(faces=None), "faces"),
        (_line(colour="red"), "colour"),
        (_with_face(face_id=None), "face_id"),
        (_with_face(bbox=[0, 0, 1]), "bbox"),
        (_with_face(bbox=[0, 0, 1, "x"]), "bbox"),
        (_with_face(photo_width=1.5), "photo_width"),
        (_with_face(embedding="???"), "embedding"),
        (_with_face(embedding="AA=="), "embedding"),
    ],
)
def test_a_line_that_is_no_ruling_is_named(tmp_path: Path, line: str | Mapping[str, Any], told: str) -> None:
    path = tmp_path / "log.jsonl"
    text = line if isinstance(line, str) else json.dumps(line)
    path.write_text(f"{json.dumps(_line())}\n\n{text}\n")
    with pytest.raises(SettingsError) as caught:
        read_log(path)
    said = str(caught.value)
    assert said.startswith(f"{path}, line 3: ")
    assert said.endswith("Nothing was changed.")
    assert told in said


def test_one_that_stands_there_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(2 * f"{json.dumps(_line())}\n")
    with pytest.raises(SettingsError, match="has the ruling R1 twice"):
        read_log(path)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff")
    for name in ("picture.png", "absent.jsonl"):
        with pytest.raises(SettingsError, match="cannot be read"):
            read_log(tmp_path / name)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=3, max_size=6), st.data())
def test_a_log_that_is_read_into_an_empty_registry_makes_the_same_of_the_library(
    sizes: list[int], data: st.DataObject
) -> None:
    base = made_up_base(sizes)
    drawn = [replace(one, made_at="2026-05-03") for one in data.draw(rulings(base))]
    undone = data.draw(st.lists(st.sampled_from([one.ruling_id for one in drawn]), unique=True)) if drawn else []
    with tempfile.TemporaryDirectory() as folder:
        first, second = (Registry(f"sqlite:///{folder}/{name}.db") for name in ("first", "second"))
        for registry in (first, second):
            registry.create()
        for one in drawn:
            write_rulings(first, [one], lambda _: None)
        for one in undone:
            undo_rulings(first, [one], "somebody", lambda _: None)
        write_log(Path(folder) / "log.jsonl", all_rulings(first))
        write_rulings(second, read_log(Path(folder) / "log.jsonl"), lambda _: None)
        before, after = rulings_in_force(first), rulings_in_force(second)
    assert project(with_names(base, before, 100), before) == project(with_names(base, after, 100), after)
