"""Somebody who knows who everybody is, at the questions about the sample, in a real browser: inputs to F .99."""

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from facesets_dagster.resources.home import HomeResource
from facesets_dagster.sample.buckets import MARKER
from testing.forked import ForkedHome
from testing.review_keys import Keyboard
from testing.review_oracle import Oracle
from testing.served_files import served_review

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MIN_FACES = 6
AIM, MOST_INPUTS, CARDS = 0.99, 20, 40


def people_of(home: ForkedHome) -> dict[str, str]:
    """face_id -> person, of photos of the sample that show one person, once or twice.

    Faces that the gates refuse are left out, and people of too few photos to found a face set.
    """
    files = json.loads((home.folder / "buckets" / MARKER).read_text())["files"]
    alone = {entry["sha256"]: set(entry["people"]) for entry in files.values() if len(set(entry["people"])) == 1}
    faces = pl.concat(
        [home.cached(bucket).faces.select("face_id", "sha256") for bucket in HomeResource.of(home.settings).buckets()]
    )
    found = {face: next(iter(alone[sha256])) for face, sha256 in faces.iter_rows() if sha256 in alone}
    decided = pl.concat(
        [home.library.registry.decisions(bucket) for bucket in HomeResource.of(home.settings).buckets()]
    )
    refused = set(decided.filter(pl.col("state").str.starts_with("below_gate"))["face_id"])
    many = {person for person, count in Counter(found.values()).items() if count >= MIN_FACES}
    return {face: person for face, person in found.items() if face not in refused and person in many}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_dozen_keys_set_the_sample_right(
    sample: Path, embedded_models_root: Path, tmp_path: Path, chromium: "Browser"
) -> None:
    home = ForkedHome(tmp_path / "home", "embedded", embedded_models_root).made()
    (home.folder / "buckets").rmdir()
    (home.folder / "buckets").symlink_to(sample)
    home.facesets("run")
    home.facesets("review")
    with served_review(home.settings, fake=False) as address:
        page = chromium.new_context(locale="en-GB").new_page()
        page.goto(f"{address}/review/queue")
        oracle = Oracle(Keyboard(page), address, people_of(home))
        scores = [oracle.score()]
        while scores[-1] < AIM and len(scores) < CARDS and oracle.answer() is not None:
            scores.append(oracle.score())
        page.context.close()
    print(f"BCubed F {scores[0]:.4f} -> {scores[-1]:.4f}, {oracle.keys.inputs} inputs, {len(scores) - 1} cards")
    assert scores[0] < AIM, "there is something to decide"
    assert scores[-1] >= AIM
    assert oracle.keys.inputs <= MOST_INPUTS
