"""Adopted legacy facesets whose files lie in the other library: assets that read facesets say that they lack them."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from facesets_dagster.photos.bucket_key import LIBRARY
from testing import eras
from testing.fake_home import FakeHome
from testing.fakes import write_person
from testing.landmark_models import Resource512, write_models
from testing.legacy_generator import Shape, write_legacy

ASSETS = ("consumer_exports", "consumer_simulation", "faceset_completeness", "face_landmarks")


@pytest.fixture
def home(fake_home: FakeHome, tmp_path: Path) -> FakeHome:
    """A home that took over a legacy library, and found one person of its own."""
    write_models(tmp_path / "models" / "fake")
    fake_home.embedder = Resource512(models_root=str(tmp_path))
    legacy = write_legacy(tmp_path / "legacy", Shape())
    fake_home.settings = fake_home.settings.model_copy(update={"legacy_roots": (legacy.root,)})
    fake_home.materialize("legacy_library")
    write_person(fake_home.buckets / "b", 17, 8)
    fake_home.run("b")
    return fake_home


def adopted(home: FakeHome, *, thin: bool) -> list[str]:
    legacy = home.library.registry.adopted()
    live = {one.name: one.kind for one in home.library.registry.identities() if one.live}
    return sorted(name for name in legacy if thin or live[name] != "thin_era")


def said(home: FakeHome, asset: str, **config: Any) -> tuple[list[str], str, dg.ExecuteInProcessResult]:
    result = home.materialize(asset, **({asset: config} if config else {}))
    (event,) = result.asset_materializations_for_node(asset)
    pages = (home.settings.reports_dir / LIBRARY).glob(f"*.{asset}.html")
    page = max(pages, key=lambda path: path.stat().st_mtime_ns).read_text()
    names = event.metadata.get("not_published_here")
    return (names.value if names else []), page, result  # type: ignore[return-value]


@pytest.mark.parametrize("asset", ASSETS)
def test_who_is_left_out_is_named_in_the_metadata_and_on_the_page(home: FakeHome, asset: str) -> None:
    expected = adopted(home, thin=asset == "consumer_simulation")
    assert len(expected) >= 5
    names, page, _ = said(home, asset)
    assert names == expected
    assert "Not published here" in page
    (root,) = home.settings.legacy_roots
    assert all(f">{name}</" in page for name in expected)
    assert f">{root}</td>" in page


def test_the_check_of_the_exports_warns_of_them(home: FakeHome) -> None:
    _, _, result = said(home, "consumer_exports")
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    check = checks["every_faceset_exported"]
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.WARN
    (root,) = home.settings.legacy_roots
    assert check.metadata["not_published_here"].value == [f"{name}: in {root}" for name in adopted(home, thin=False)]
    assert "extended_facesets" in str(check.metadata["what_to_do"].value)


@pytest.mark.parametrize("asset", ASSETS)
def test_where_facesets_are_named_or_all_are_here_nobody_is_left_out(home: FakeHome, asset: str) -> None:
    (own,) = (one.name for one in home.library.registry.identities() if one.bucket == "b")
    names, page, result = said(home, asset, facesets=[own])
    assert names == []
    assert "Not published here" not in page
    assert all(check.passed for check in result.get_asset_check_evaluations() if "thin" not in check.check_name)


def test_a_thin_era_is_refused_with_the_name_of_its_person(fake_home: FakeHome) -> None:
    eras.meet(fake_home)
    eras.split(fake_home, "faceset_001", min_era_faces=50)
    assert eras.names(fake_home)[eras.FIRST] == "thin_era"
    with pytest.raises(dg.Failure, match="is a thin era and not exported; name its person, faceset_001"):
        fake_home.materialize("faceset_completeness", faceset_completeness={"facesets": [eras.FIRST]})
