"""Shared fixtures: a home with the fake face model, the embedded pack, the shared data."""

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from facesets_dagster.definitions import build_defs
from facesets_dagster.library.library import Library
from facesets_dagster.partitions import SOURCE_BUCKET
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.settings import Settings, load_settings
from tests.fakes import FakeEmbedderResource

os.environ["DAGSTER_DISABLE_TELEMETRY"] = "yes"  # ephemeral instances have no dagster.yaml to say so

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclasses.dataclass
class FakeHome:
    """A home in a temporary folder, run in process with the fake model."""

    settings: Settings
    instance: dg.DagsterInstance

    @property
    def buckets(self) -> Path:
        return self.settings.bucket_roots[0]

    @property
    def library(self) -> Library:
        return HomeResource.of(self.settings).library()

    def run(self, bucket: str, *, raise_on_error: bool = True, **ops: dict[str, Any]) -> dg.ExecuteInProcessResult:
        """The main job on a bucket; keywords are run config per asset."""
        self.instance.add_dynamic_partitions(str(SOURCE_BUCKET.name), [bucket])
        defs = build_defs(self.settings, overrides={"embedder": FakeEmbedderResource()})
        return defs.resolve_job_def("discover_identities").execute_in_process(
            run_config={
                "ops": {name: {"config": config} for name, config in ops.items()},
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            },
            instance=self.instance,
            partition_key=bucket,
            raise_on_error=raise_on_error,
        )

    def files(self) -> dict[str, bytes]:
        """Every file of the library."""
        root = self.settings.library_dir
        return {
            str(path.relative_to(root)): path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file() and not path.name.startswith(".lock")
        }


@pytest.fixture
def fake_home(tmp_path: Path) -> Iterator[FakeHome]:
    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path / "dagster")) as instance:
        settings = load_settings({"FACESETS_HOME": str(tmp_path / "home"), "FACESETS_MODELS": str(tmp_path)}, tmp_path)
        settings.bucket_roots[0].mkdir(parents=True)
        yield FakeHome(settings, instance)


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
