"""Completeness as an asset: verdicts with numbers, curves on the page, nothing changed."""

import json
import math
import re
from html import unescape
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest

from facesets_dagster.analysis.faceset_completeness import COMPLETENESS_COLUMNS, COMPLETENESS_SCHEMA
from facesets_dagster.assets.faceset_completeness import FacesetCompletenessConfig
from facesets_dagster.photos.bucket_key import LIBRARY
from testing.eras import FIRST, meet, split
from testing.fake_home import FakeHome
from testing.fakes import write_looks
from testing.labels import give_label


def two_people(home: FakeHome) -> None:
    write_looks(home.buckets / "b", 1, [-0.9, -0.45, 0.0, 0.45, 0.9])
    write_looks(home.buckets / "b", 2, [-0.3, 0.3])
    home.run("b", osrc_clusters={"min_faces": 2})


@pytest.fixture
def home(fake_home: FakeHome) -> FakeHome:
    """Somebody with five looks, and somebody with two."""
    fake_home.begin(two_people)
    return fake_home


def measure(home: FakeHome, **config: Any) -> tuple[pl.DataFrame, dict[str, Any], bool]:
    result = home.materialize("faceset_completeness", **({"faceset_completeness": config} if config else {}))
    found = result.asset_materializations_for_node("faceset_completeness")[0].metadata
    (check,) = result.get_asset_check_evaluations()
    table = pl.read_parquet(home.settings.cache_dir / "tables" / "faceset_completeness" / "all.parquet")
    return table, {name: value.value for name, value in found.items()}, check.passed


def verdicts(table: pl.DataFrame) -> dict[str, str]:
    return dict(table.select("faceset", "verdict").iter_rows())


def test_every_faceset_gets_a_verdict_with_its_number_and_reason(home: FakeHome) -> None:
    before = home.files()
    table, metadata, passed = measure(home)
    assert table.schema == COMPLETENESS_SCHEMA
    assert set(COMPLETENESS_COLUMNS) == set(table.columns)
    assert verdicts(table) == {"faceset_002": "too_thin", "faceset_001": "would_gain"}
    assert table["faceset"].to_list()[0] == "faceset_002", "those that need photos most come first"
    assert not passed
    (gains,) = table.filter(pl.col("verdict") == "would_gain").iter_rows(named=True)
    assert gains["more"] > 0
    assert "above the tolerance 0.01" in gains["reason"]
    assert f"would gain from {gains['more']} more" in metadata["facesets"]
    assert (metadata["complete"], metadata["would_gain"], metadata["too_thin"]) == (0, 1, 1)
    assert home.files() == before
    assert home.flaws() == []


def test_the_curve_is_that_of_the_published_vectors_in_rank_order(home: FakeHome) -> None:
    table, _, _ = measure(home)
    for name, curve in table.select("faceset", "curve").iter_rows():
        with np.load(home.settings.library_dir / name / f"{name}.npz", allow_pickle=False) as vectors:
            faces = vectors["embeddings"].astype(np.float64)
        for k, distance in enumerate(curve, start=1):
            first, everybody = faces[:k].mean(axis=0), faces.mean(axis=0)
            cosine = first @ everybody / np.linalg.norm(first) / np.linalg.norm(everybody)
            assert distance == pytest.approx(1 - cosine, abs=1e-9)


def test_tolerance_and_limits_are_run_config(home: FakeHome) -> None:
    table, _, passed = measure(home, tolerance=0.5, thin_distance=0.9, min_faces=2)
    assert verdicts(table) == {"faceset_001": "complete", "faceset_002": "complete"}
    assert passed
    assert table["more"].to_list() == [0, 0]
    table, _, _ = measure(home, thin_distance=0.0001, facesets=["faceset_001"])
    assert verdicts(table) == {"faceset_001": "too_thin"}
    for field, value in (("tolerance", 0.0), ("thin_distance", 1.5), ("min_faces", 0)):
        with pytest.raises(ValueError, match=field):
            FacesetCompletenessConfig(**{field: value})


def test_the_page_has_one_figure_of_all_and_a_small_one_of_each(home: FakeHome) -> None:
    give_label(home.library.registry, "faceset_001", "A <b> & C")
    measure(home)
    (page,) = (home.settings.reports_dir / LIBRARY).glob("*.faceset_completeness.html")
    text = page.read_text()
    assert len(re.findall(r'<img src="data:image/svg', text)) == 3
    assert "Mean of the best k to mean of all: 1 would gain, 1 too thin" in text
    drawn = [unquote(unescape(address)) for address in re.findall(r'src="data:image/svg\+xml,([^"]+)"', text)]
    titles = [ElementTree.fromstring(svg)[0].text for svg in drawn]
    assert titles == ["faceset_002", "A <b> & C"]


def test_the_curves_stand_in_the_metadata_in_one_small_plot(home: FakeHome) -> None:
    home.settings = home.settings.model_copy(update={"pictures_in_ui": False})
    _, metadata, _ = measure(home)
    text = metadata["curves"]
    assert len(text) < 1000
    assert text.startswith("![](data:image/svg+xml,"), "a plot of numbers, and no picture of a face"
    assert "1 would gain (blue), 1 too thin (red)" in text


def test_a_second_materialization_says_the_same(home: FakeHome) -> None:
    first, _, _ = measure(home)
    second, _, _ = measure(home)
    assert first.equals(second)


def test_eras_are_measured_too(fake_home: FakeHome) -> None:
    meet(fake_home)
    split(fake_home, "faceset_001")
    table, _, _ = measure(fake_home)
    assert dict(table.select("faceset", "kind").iter_rows())[FIRST] == "era"


def test_what_a_single_face_does_not_say_is_null(home: FakeHome) -> None:
    manifest = json.loads((home.settings.library_dir / "faceset_002" / "manifest.json").read_text())
    assert len(manifest["faces"]) == 2
    table, _, _ = measure(home, facesets=["faceset_002"])
    (row,) = table.iter_rows(named=True)
    assert math.isfinite(row["movement"])
    assert row["movement_high"] == 1.0
    assert row["more_high"] is None


def test_an_empty_library_is_no_error(fake_home: FakeHome) -> None:
    table, metadata, passed = measure(fake_home)
    assert table.is_empty()
    assert passed
    assert metadata["too_thin"] == 0
    assert metadata["curves"] == "nothing to draw"
