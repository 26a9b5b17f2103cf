"""People whom folders or a legacy library name: forgotten, they are not asserted or adopted again."""

from pathlib import Path

import pytest

from testing.fake_home import FakeHome
from testing.fakes import write_looks
from testing.forgetting import forget, kept_instance, person, traces
from testing.legacy_generator import Shape, write_legacy

LOOKS = (-0.9, -0.45, 0.0, 0.45, 0.9)


def test_a_hand_sorted_person_is_not_asserted_again(fake_home: FakeHome) -> None:
    with kept_instance(fake_home) as home:
        write_looks(home.people / "Quintessa", 1, LOOKS)
        write_looks(home.people / "Bartholo", 2, LOOKS)
        assert home.materialize("hand_sorted_facesets", "top_manifest").success
        known = {one.label: one.name for one in home.library.snapshot().people()}
        forget(home, person(known["Quintessa"]))
        write_looks(home.people / "Quintessa", 1, [0.2])
        assert home.materialize("hand_sorted_facesets", "top_manifest").success
        assert [one.label for one in home.library.snapshot().people()] == ["Bartholo"]
        assert traces(home.settings.home, {b"Quintessa"}) == []
        assert home.flaws() == []


@pytest.mark.slow
def test_a_face_set_of_a_legacy_library_is_not_adopted_again(fake_home: FakeHome, tmp_path: Path) -> None:
    legacy = write_legacy(tmp_path / "old", Shape(), spread=lambda who, photo: (who, LOOKS[photo % len(LOOKS)]))
    settings = fake_home.settings.model_copy(update={"legacy_roots": (legacy.root,)})
    with kept_instance(FakeHome(settings, fake_home.instance)) as home:
        assert home.materialize("legacy_library", "top_manifest").success
        before = {one.name for one in home.library.snapshot().live()}
        gone = min(one.name for one in home.library.snapshot().people())
        done = forget(home, person(gone))
        assert gone in done.removed
        assert home.materialize("legacy_library", "top_manifest", raise_on_error=False)
        after = {one.name for one in home.library.snapshot().live()}
        assert after == before - set(done.removed)
