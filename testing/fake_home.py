"""A home run in this process with the fake face model."""

import atexit
import dataclasses
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg

from facesets_dagster.analysis.ruling_flaws import every_flaw
from facesets_dagster.definitions import build_defs
from facesets_dagster.library.library import Library
from facesets_dagster.library.pair import NOTES
from facesets_dagster.library.verification import Flaw
from facesets_dagster.partitions import SOURCE_BUCKET
from facesets_dagster.photos.bucket_key import partition_key
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.settings import Settings, load_settings
from testing.fakes import FakeEmbedderResource


@dataclasses.dataclass
class FakeHome:
    """A home in a temporary folder, run in process with the fake model."""

    settings: Settings
    instance: dg.DagsterInstance
    embedder: EmbedderResource = dataclasses.field(default_factory=FakeEmbedderResource)

    @property
    def buckets(self) -> Path:
        return self.settings.bucket_roots[0]

    @property
    def people(self) -> Path:
        """The root of the hand-sorted folders."""
        assert self.settings.hand_sorted_root is not None
        return self.settings.hand_sorted_root

    @property
    def library(self) -> Library:
        return HomeResource.of(self.settings).library()

    def discovers_alone(self) -> None:
        """From now on, known people's new photos wait: `FACESETS_JOIN_KNOWN=off`."""
        self.settings = self.settings.model_copy(update={"join_known": False})

    @contextmanager
    def instance_of(self, _: Settings) -> Iterator[dg.DagsterInstance]:
        """In the place of the commands' own: this home's instance stays open."""
        yield self.instance

    def definitions_of(self, settings: Settings, **options: Any) -> dg.Definitions:
        """In the place of `build_defs`: with the fake model."""
        return build_defs(settings, overrides={"embedder": self.embedder}, **options)

    def run(
        self,
        bucket: str,
        *,
        job: str = "discover_identities",
        raise_on_error: bool = True,
        **ops: dict[str, Any],
    ) -> dg.ExecuteInProcessResult:
        """A job on a bucket; keywords are run config per asset."""
        self.instance.add_dynamic_partitions(str(SOURCE_BUCKET.name), [bucket])
        defs = self.definitions_of(self.settings)
        return defs.resolve_job_def(job).execute_in_process(
            run_config={
                "ops": {name: {"config": config} for name, config in ops.items()},
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            },
            instance=self.instance,
            partition_key=bucket,
            raise_on_error=raise_on_error,
        )

    def materialize(
        self, *assets: str, bucket: str | None = None, raise_on_error: bool = True, **ops: dict[str, Any]
    ) -> dg.ExecuteInProcessResult:
        """Just these assets, as a click on them in the lineage graph does."""
        if bucket is not None:
            self.instance.add_dynamic_partitions(str(SOURCE_BUCKET.name), [bucket])
        job = dg.define_asset_job("chosen", selection=list(assets), executor_def=dg.in_process_executor)
        defs = self.definitions_of(self.settings)
        repository = dg.Definitions.merge(defs, dg.Definitions(jobs=[job])).get_repository_def()
        return repository.get_job("chosen").execute_in_process(
            run_config={
                "ops": {name: {"config": config} for name, config in ops.items()},
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            },
            instance=self.instance,
            partition_key=bucket,
            raise_on_error=raise_on_error,
        )

    def begin(self, fill: Callable[..., object], *arguments: object) -> None:
        """What `fill(home, *arguments)` makes of an empty home: a call the first time, a copy of that from then on.

        `fill` is a function of a module that needs nothing but the home. What Dagster remembers of the runs does not
        come with the copy, partitions do.
        """
        assert not any(self.buckets.iterdir()), "only an empty home is begun"
        if not self.settings.database_url.startswith("sqlite"):
            fill(self, *arguments)  # a database on a server is not copied
            return
        key = (fill.__module__, fill.__qualname__, repr(arguments), type(self.embedder).__qualname__)
        if key not in _BEGUN:
            fill(self, *arguments)
            _BEGUN[key] = Path(tempfile.mkdtemp(prefix="begun-", dir=_begun_folder()))
            for name in ("home", "people"):
                shutil.copytree(self.settings.home.parent / name, _BEGUN[key] / name)
            return
        shutil.copytree(_BEGUN[key], self.settings.home.parent, dirs_exist_ok=True)
        keys = [partition_key(folder.name) for folder in self.buckets.iterdir()]
        self.instance.add_dynamic_partitions(str(SOURCE_BUCKET.name), keys)

    def flaws(self) -> list[Flaw]:
        """What `facesets verify` would list."""
        return every_flaw(self.library)

    def files(self) -> dict[str, bytes]:
        """Every file of the library but what is noted for recovery, which follows the registry."""
        root = self.settings.library_dir
        return {
            str(path.relative_to(root)): path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file() and not path.name.startswith(".lock") and path.relative_to(root).parts[0] != NOTES
        }


_BEGUN: dict[tuple[str, ...], Path] = {}
"""What was begun in this process -> where its copy lies."""


@cache
def _begun_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="facesets-begun-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@contextmanager
def fake_home_in(tmp_path: Path, database_url: str | None = None) -> Iterator[FakeHome]:
    """A home below `tmp_path`, with a root for hand-sorted folders; its registry in SQLite unless it is elsewhere."""
    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path / "dagster")) as instance:
        settings = load_settings(
            {
                "FACESETS_HOME": str(tmp_path / "home"),
                "FACESETS_MODELS": str(tmp_path),
                "FACESETS_HAND_SORTED": str(tmp_path / "people"),
                **({"FACESETS_DATABASE_URL": database_url} if database_url else {}),
            },
            tmp_path,
        )
        settings.bucket_roots[0].mkdir(parents=True, exist_ok=True)
        (tmp_path / "people").mkdir(exist_ok=True)
        yield FakeHome(settings, instance)
