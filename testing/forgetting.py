"""Forgetting in a home with the fake model, and the search of a home for whatever would still point to it.

The search is written apart from the platform's own: it opens every file of the home as its kind asks for.
"""

import io
import json
import sqlite3
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import dagster as dg
import numpy as np
import polars as pl

from facesets_dagster.assets._forgetting import forgetting_of
from facesets_dagster.publishing.forgetting.carrying_out import Forgotten, begin, finish
from facesets_dagster.publishing.forgetting.plan import ForgetPlan
from facesets_dagster.publishing.forgetting.subjects import Subjects
from facesets_dagster.resources.home import HomeResource
from testing.fake_home import FakeHome

Chosen = Callable[[Subjects], ForgetPlan]


@contextmanager
def kept_instance(home: FakeHome) -> Iterator[FakeHome]:
    """The same home with Dagster's database in its files, as a user has it."""
    folder = home.settings.dagster_home
    folder.mkdir(parents=True, exist_ok=True)
    with dg.DagsterInstance.local_temp(str(folder), overrides={"telemetry": {"enabled": False}}) as instance:
        yield FakeHome(home.settings, instance, home.embedder)


def forget(home: FakeHome, chosen: Chosen) -> Forgotten:
    """What `facesets forget` does; what was begun before is finished first."""
    done = forget_or_finish(home, chosen)
    assert done is not None
    return done


def forget_or_finish(home: FakeHome, chosen: Chosen) -> Forgotten | None:
    """The same; None where all was done before."""
    say: Callable[[str], None] = lambda _: None  # noqa: E731
    resource = HomeResource.of(home.settings)
    forgetting = forgetting_of(resource, home.embedder, home.instance, str(uuid4()), say)
    done = finish(forgetting)
    plan = chosen(forgetting.subjects)
    if not plan.is_empty:
        begin(forgetting, plan)
        done = finish(forgetting)
    return done


def person(name: str) -> Chosen:
    """The plan for a face set; an empty one where it is gone already."""

    def chosen(subjects: Subjects) -> ForgetPlan:
        known = {one.name: one for one in subjects.libraries[0].registry.identities()}
        return subjects.person(known[name]) if name in known else ForgetPlan("faceset")

    return chosen


def vectors_of(embeddings: Iterable[np.ndarray]) -> set[bytes]:
    """The bytes of embeddings (dim,) as they are and of length 1, in float32 and float16."""
    found = set[bytes]()
    for raw in embeddings:
        unit = raw / np.linalg.norm(raw)
        found |= {one.astype(kind).tobytes() for one in (raw, unit) for kind in ("<f4", "<f2")}
    return found


def needles_of(faces: pl.DataFrame, *words: str) -> set[bytes]:
    """What would point to these rows of the face table: digests, face_ids, paths, vectors; and words."""
    texts = {*words, *faces["face_id"], *faces["path"], *(sha256[:16] for sha256 in faces["sha256"])}
    return {text.encode() for text in texts} | vectors_of(faces["embedding"].to_numpy())


def traces(home: Path, needles: set[bytes], beside: Iterable[Path] = ()) -> list[str]:
    """Files of the home that hold one of the needles, buckets and the block list aside; sorted."""
    aside = [home / "buckets", home / "forgotten", *beside]
    found = []
    for path in sorted(home.rglob("*")):
        if not path.is_file() or any(path.is_relative_to(one) for one in aside):
            continue
        name = path.name.encode()
        if any(needle in data for data in (name, *_contents(path)) for needle in needles):
            found.append(str(path.relative_to(home)))
    return found


def _contents(path: Path) -> Iterator[bytes]:
    """The bytes of a file, and what is stored in it in another form."""
    data = path.read_bytes()
    yield data
    if path.suffix == ".parquet":
        frame = pl.read_parquet(path)
        yield repr(pl.read_parquet_metadata(path)).encode()
        for column in frame:
            if isinstance(column.dtype, pl.Array) and column.dtype.inner == pl.Float32:
                yield column.to_numpy().astype("<f4").tobytes()
            else:
                yield json.dumps(column.to_list(), default=repr, ensure_ascii=False).encode()
    elif path.suffix in (".fsz", ".npz"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield archive.read(name)
                yield archive.read(name).replace(b"\0\0\0", b"")  # numpy's text: four bytes a letter
    elif path.suffix == ".db":
        with sqlite3.connect(path) as database:
            for row in database.iterdump():
                yield row.encode()
