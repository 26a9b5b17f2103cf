"""Rulings on few subjects, written and taken back in any order: those that are left stand as if they had been alone."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from facesets_dagster.identities.rulings import STANDS_FOR, UNDOABLE, Ruling
from facesets_dagster.library.library import Library
from facesets_dagster.publishing.rulings.writing import would_be_in_force
from facesets_dagster.registry.registry import Registry
from facesets_dagster.registry.rulings import all_rulings, rulings_in_force, undo_rulings, write_rulings
from testing.made_up_rulings import face

_STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["name", "feature"]), st.sampled_from(["faceset_001", "faceset_002"])),
        st.tuples(st.just("assign"), st.sets(st.sampled_from(["f1", "f2", "f3"]), min_size=1)),
        st.tuples(st.just("undo"), st.sets(st.integers(1, 12), min_size=1, max_size=3)),
    ),
    max_size=14,
)


def _empty(folder: str, name: str) -> Registry:
    registry = Registry(f"sqlite:///{folder}/{name}.db")
    registry.create()
    return registry


def _ruling(place: int, kind: str, subject: str | set[str]) -> Ruling:
    head = {"made_at": "2026-05-03", "made_by": "t", "via": "cli"}
    if isinstance(subject, str):
        named = {STANDS_FOR: subject}
        return Ruling(f"R{place:02d}", kind, names=named, payload={"text": f"P{place}"}, **head)  # type: ignore[arg-type]
    return Ruling(f"R{place:02d}", kind, faces=tuple(face(one, "face") for one in sorted(subject)), **head)  # type: ignore[arg-type]


@settings(max_examples=30, deadline=None)
@given(_STEPS)
def test_what_is_taken_back_might_never_have_been_written(steps: list[tuple[str, str | set[str]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        registry, alone = _empty(folder, "all"), _empty(folder, "alone")
        library = Library(Path(folder), registry, ())
        written: list[Ruling] = []
        for kind, subject in steps:
            if kind == "undo":
                ids = [f"R{place:02d}" for place in subject]
                foreseen = [one.ruling_id for one in would_be_in_force(library, undo=ids)]
                undo_rulings(registry, ids, "t", lambda _: None)
                assert [one.ruling_id for one in rulings_in_force(registry)] == foreseen
            else:
                written.append(_ruling(len(written) + 1, kind, subject))
                write_rulings(registry, written[-1:], lambda _: None)
        left = {one.ruling_id: one for one in all_rulings(registry) if one.state in UNDOABLE}
        for one in written:
            write_rulings(alone, [one] if one.ruling_id in left else [], lambda _: None)
        expected = {one.ruling_id: (one.state, one.superseded_by) for one in all_rulings(alone)}
    assert {ruling_id: (one.state, one.superseded_by) for ruling_id, one in left.items()} == expected
