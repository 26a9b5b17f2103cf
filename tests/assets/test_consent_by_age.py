"""`minimum_age` of `consent.yaml`: by the pack's own estimates, and refused where it has none."""

from pathlib import Path
from statistics import median

import cv2
import numpy as np
import pytest

from facesets_dagster.analysis.ruling_flaws import every_flaw
from facesets_dagster.library.faceset_manifest import read_faceset
from testing.fake_home import FakeHome
from testing.fakes import write_person
from testing.landmark_models import Resource512, expected, write_models


def two_people(home: FakeHome) -> None:
    for person in (1, 7):
        write_person(home.buckets / "b", person, 8)
    home.run("b")


@pytest.mark.slow
def test_who_looks_younger_than_the_minimum_is_withheld(fake_home: FakeHome, tmp_path: Path) -> None:
    write_models(tmp_path / "models" / "fake")
    fake_home.embedder = Resource512(models_root=str(tmp_path))
    fake_home.begin(two_people)
    folder, policy = fake_home.settings.library_dir, fake_home.settings.home / "consent.yaml"
    ages = {}
    for name in ("faceset_001", "faceset_002"):
        manifest = read_faceset(folder / name)
        assert manifest is not None
        seen = []
        for face in manifest.faces:
            image = cv2.imread(str(fake_home.buckets / "b" / face.source.path))
            assert image is not None
            seen.append(expected("genderage.onnx", np.asarray(image, np.uint8), face.bbox)[1])
        ages[name] = float(median(seen))
    young, old = sorted(ages, key=ages.__getitem__)
    assert ages[young] + 1 < ages[old]
    policy.write_text(f"minimum_age: {(ages[young] + ages[old]) / 2}\n")
    fake_home.run("b")
    assert not (folder / young / "faces").exists()
    assert list((folder / old / "faces").glob("*.png"))
    assert every_flaw(fake_home.library) == []
    policy.write_text("minimum_age: 0.5\n")
    fake_home.run("b")
    assert list((folder / young / "faces").glob("*.png"))
    assert every_flaw(fake_home.library) == []


@pytest.mark.slow
def test_a_pack_that_estimates_no_age_guesses_none(fake_home: FakeHome) -> None:
    fake_home.begin(two_people)
    (fake_home.settings.home / "consent.yaml").write_text("minimum_age: 18\n")
    for run in (fake_home.run("b", raise_on_error=False), fake_home.materialize("top_manifest", raise_on_error=False)):
        assert not run.success
        said = "".join(str(event.event_specific_data) for event in run.all_events if event.is_step_failure)
        assert "`minimum_age` needs a model that estimates ages" in said
