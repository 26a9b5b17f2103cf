"""Shared fixtures: a home with the fake face model, the embedded pack, the shared data."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from testing.fake_home import FakeHome, fake_home_in

os.environ["DAGSTER_DISABLE_TELEMETRY"] = "yes"  # ephemeral instances have no dagster.yaml to say so

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture
def fake_home(tmp_path: Path) -> Iterator[FakeHome]:
    with fake_home_in(tmp_path) as home:
        yield home


@pytest.fixture(scope="session")
def embedded_models_root() -> Path:
    """A models root with the embedded pack, fetched once and kept beside the virtual environment."""
    from facesets_dagster.embedding.packs import EMBEDDED, pull_pack

    root = Path(os.environ.get("FACESETS_TEST_MODELS", REPOSITORY / ".venv" / "share" / "facesets-models"))
    pull_pack(EMBEDDED, root, print)
    return root


@pytest.fixture(scope="session")
def shared() -> Path:
    """The labelled photos and model packs that lie beside the repository, where they do."""
    root = Path(os.environ.get("FACESETS_SHARED", REPOSITORY.parent / "shared"))
    if not (root / "data").is_dir():
        pytest.skip(f"the shared test data is not at {root}")
    return root
