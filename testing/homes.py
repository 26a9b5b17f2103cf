"""Homes run through the real command line, in processes of their own; for measurements and end-to-end tests."""

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Self

import polars as pl

from facesets_dagster.embedding.embedder import ModelPack
from facesets_dagster.embedding.packs import EMBEDDED
from facesets_dagster.faces.store import CacheTables
from facesets_dagster.home import init_home
from facesets_dagster.library.library import Library
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.settings import Settings, load_settings
from testing.paths import MODELS, REPOSITORY


@dataclass(frozen=True)
class RealHome:
    """A home in a folder of its own, with one model pack, on the CPU."""

    folder: Path
    pack: str
    models_root: Path
    more: Mapping[str, str] = field(default_factory=dict)
    """Further settings, e.g. `FACESETS_BUCKETS`."""

    @property
    def environment(self) -> dict[str, str]:
        """What a user would have set."""
        return {
            **clean_environment(),
            "FACESETS_HOME": str(self.folder),
            "FACESETS_MODELS": str(self.models_root),
            "FACESETS_MODEL_PACK": self.pack,
            "FACESETS_PROVIDERS": "cpu",
            "FACESETS_LINKS_TO": "/",  # `link_photos`
            **self.more,
        }

    @property
    def settings(self) -> Settings:
        """The same, read by the platform."""
        return load_settings(self.environment, REPOSITORY)

    def made(self) -> Self:
        """Itself, as `facesets init` would make it: a copy of one that was made so once in this process."""
        shutil.copytree(initialised_home(), self.folder, dirs_exist_ok=True)
        record = self.folder / "home.json"
        record.write_text(json.dumps({**json.loads(record.read_text()), "model_pack": self.pack}))
        return self

    @property
    def library(self) -> Library:
        """The library and its registry."""
        return HomeResource.of(self.settings).library()

    def model(self) -> ModelPack:
        """What identifies the pack."""
        return EmbedderResource.of(self.settings).pack()

    def cached(self, bucket: str) -> CacheTables:
        """The face cache of a bucket."""
        model = self.model()
        return HomeResource.of(self.settings).face_store(bucket, model.model_id, model.dim).read()

    def clusters(self, bucket: str) -> pl.DataFrame:
        """What `osrc_clusters` made of a bucket."""
        return pl.read_parquet(self.settings.cache_dir / "tables" / "osrc_clusters" / f"{bucket}.parquet")

    def start(self, *arguments: str, **options: object) -> "subprocess.Popen[str]":
        """`facesets ARGUMENTS` as a child process."""
        command = [sys.executable, "-m", "facesets_dagster.cli.main", *arguments]
        return subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,  # type: ignore[call-overload]
        )

    def facesets(self, *arguments: str) -> str:
        """`facesets ARGUMENTS`; raises `RuntimeError` with what it said if it failed."""
        child = self.start(*arguments)
        said, _ = child.communicate()
        if child.returncode:
            raise RuntimeError(f"facesets {' '.join(arguments)}: exit {child.returncode}\n{said[-4000:]}")
        return said


@cache
def initialised_home() -> Path:
    """A home with the embedded pack, made by `facesets init`; goes when this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="facesets-home-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    init_home(RealHome(folder / "home", EMBEDDED, MODELS).settings, say=lambda _: None)
    return folder / "home"


def clean_environment() -> dict[str, str]:
    """This process's environment without any setting of the platform or of Dagster, for a terminal of 200 columns."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("FACESETS_", "DAGSTER_"))}
    return {**kept, "COLUMNS": "200"}


def link_photos(folder: Path, photos: dict[str, Path]) -> None:
    """Fills a bucket with links: relative path -> photo."""
    for relative, photo in photos.items():
        (folder / relative).parent.mkdir(parents=True, exist_ok=True)
        (folder / relative).symlink_to(photo)


def files_below(root: Path, *parts: str) -> dict[str, Path]:
    """Relative path -> file, for all files of these folders of `root`."""
    return {
        str(path.relative_to(root)): path
        for part in parts
        for path in sorted((root / part).rglob("*"))
        if path.is_file()
    }
