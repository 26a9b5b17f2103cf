"""Shared fixtures: a home with the fake face model, the embedded pack, the shared data."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from testing.browser import browser_path
from testing.fake_home import FakeHome, fake_home_in
from testing.paths import MODELS, SHARED
from testing.postgres import PostgresServer, postgres_server, why_no_server

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Modules stay to the end: the collector need not walk through them again and again (a sixth of a run's time).
gc.collect()
gc.freeze()
gc.set_threshold(100_000, 20, 50)
os.environ["DAGSTER_DISABLE_TELEMETRY"] = "yes"  # ephemeral instances have no dagster.yaml to say so


PILLOW_LIMIT = Image.MAX_IMAGE_PIXELS

LONGEST = (
    "test_first_hour",
    "test_die_at",
    "test_what_if_real_runs",
    "test_kill_group",
    "test_demo",
    "test_legacy_library",
    "test_any_order",
    "test_consumer_exports",
    "test_swap_ready_facesets",
    "test_merges_by_hand",
)
"""Files that begin first: a process that is left with one of them at the end would keep all others waiting."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests that are marked `both_databases` are run on SQLite and on PostgreSQL; there slow unless said otherwise."""
    marker = metafunc.definition.get_closest_marker("both_databases")
    if marker is not None and "database_url" in metafunc.fixturenames:
        server = pytest.param("postgresql", marks=() if marker.kwargs.get("fast") else pytest.mark.slow)
        metafunc.parametrize("database_url", ["sqlite", server], indirect=True)


def pytest_runtest_teardown() -> None:
    """Decoding sets Pillow's limit for its process; in the tests that is everybody's."""
    Image.MAX_IMAGE_PIXELS = PILLOW_LIMIT


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server that runs until the session ends."""
    reason = why_no_server()
    if reason is not None:
        pytest.skip(reason)
    with postgres_server() as server:
        yield server


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str | None:
    """Of an empty registry on a server; None for the home's own file."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return None
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.fresh()


@pytest.fixture
def fake_home(tmp_path: Path, database_url: str | None) -> Iterator[FakeHome]:
    with fake_home_in(tmp_path, database_url) as home:
        yield home


@pytest.fixture(scope="session")
def embedded_models_root() -> Path:
    """A models root with the embedded pack, fetched once and kept beside the virtual environment."""
    from facesets_dagster.embedding.packs import EMBEDDED, pull_pack

    pull_pack(EMBEDDED, MODELS, print)
    return MODELS


@pytest.fixture(scope="session")
def sample(embedded_models_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample buckets, written once: to be copied from, not to be changed."""
    from facesets_dagster.sample.buckets import write_sample

    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder, cache_dir=embedded_models_root / "sample")
    return folder


@pytest.fixture(scope="session")
def shared() -> Path:
    """The labelled photos and model packs that lie beside the repository, where they do."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"the shared test data is not at {SHARED}")
    return SHARED


@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    """The system's browser. While it is there no run can be executed in this process: both want the event loop."""
    browser = browser_path()
    if browser is None:
        pytest.skip("no Chromium on this system (Debian: apt install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        yield started
        started.close()
