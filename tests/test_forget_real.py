"""Forgetting through the command line, in a home of real photos that lie beside the repository."""

import hashlib
import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from testing.forgetting import needles_of, traces
from testing.homes import RealHome

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def run_once(shared: Path, embedded_models_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with five people of eight photos each, and some group photos."""
    home = RealHome(tmp_path_factory.mktemp("real") / "home", "embedded", embedded_models_root).made()
    people = [folder for folder in sorted((shared / "data" / "labelled").iterdir()) if len(list(folder.iterdir())) >= 6]
    for folder in people[:5]:
        for photo in sorted(folder.iterdir())[:8]:
            _copy(photo, home.folder / "buckets" / "people" / f"{folder.name}_{photo.name}")
    for photo in sorted((shared / "data" / "groups" / "misc").iterdir())[:6]:
        _copy(photo, home.folder / "buckets" / "parties" / photo.name)
    home.facesets("run")
    return home.folder


@pytest.mark.parametrize("kind", ["faceset", "photo", "bucket"])
def test_nothing_is_left_and_nobody_else_is_touched(
    run_once: Path, embedded_models_root: Path, tmp_path: Path, kind: str
) -> None:
    home = RealHome(tmp_path / "home", "embedded", embedded_models_root)
    shutil.copytree(run_once, home.folder, copy_function=shutil.copy2)
    rows = home.cached("people").faces
    members = pl.read_parquet(home.folder / "facesets_swap_ready" / "faceset_001" / "members.parquet")
    photo = str(members["path"][0])
    what, gone = {
        "faceset": (["faceset_001"], rows.filter(pl.col("face_id").is_in(members["face_id"].implode()))),
        "photo": ([f"people/{photo}"], rows.filter(pl.col("path") == photo)),
        "bucket": (["--bucket", "people"], rows),
    }[kind]
    alone = rows.filter(~pl.col("face_id").is_in(gone["face_id"].implode()))["sha256"]
    needles = needles_of(gone.filter(~pl.col("sha256").is_in(alone.implode())))
    assert len(traces(home.folder, needles, _aside(home))) > 10
    before = _digests(home)
    said = home.facesets("forget", *what, "--yes", "--json")
    done = json.loads(said[said.index("{") :])  # after what went to standard error
    assert traces(home.folder, needles, _aside(home)) == []
    touched = {path.split("/")[0] for path, digest in before.items() if _digests(home).get(path) != digest}
    assert touched <= {*done["facesets"]["with_such_faces"], "manifest.json"}
    assert json.loads(home.facesets("verify", "--json"))["flaws"] == []


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def _aside(home: RealHome) -> list[Path]:
    return [home.folder / "cache" / "sample"]


def _digests(home: RealHome) -> dict[str, str]:
    root = home.folder / "facesets_swap_ready"
    files = (path for path in sorted(root.rglob("*")) if path.is_file() and not path.name.startswith(".lock"))
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
