"""The page on file formats against the files that a run writes: the same keys, the same columns, the same versions."""

import json
import re

import numpy as np
import polars as pl
import pytest

from facesets_dagster import home as home_module
from facesets_dagster.embedding.landmarks import VALUES
from facesets_dagster.export import folder, look_store
from facesets_dagster.export.consumers import owned_folder
from facesets_dagster.export.png import read_lineage
from facesets_dagster.faces import landmark_store, schema
from facesets_dagster.library import pair, top_manifest
from facesets_dagster.registry import tables
from testing.fake_home import FakeHome
from testing.fakes import PACK, write_person
from testing.paths import REPOSITORY

PAGE = (REPOSITORY / "docs" / "file-formats.md").read_text()


def section(heading: str) -> str:
    """The text below a heading, up to the next one."""
    found = re.search(rf"^#+ {heading}\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def tables_of(heading: str) -> list[set[str]]:
    """The names in the first column of each table of a section."""
    blocks = re.findall(r"(?:^\|.*\n?)+", section(heading), re.MULTILINE)
    return [
        set(re.findall(r"`([a-z_0-9]+)`", "".join(row.split("|")[1] for row in block.splitlines()))) for block in blocks
    ]


def one_person(home: FakeHome) -> None:
    write_person(home.buckets / "b", 1, 8)
    home.run("b")


@pytest.fixture
def published(fake_home: FakeHome) -> FakeHome:
    fake_home.begin(one_person)
    return fake_home


def test_the_documented_columns_are_those_of_the_tables() -> None:
    contents, files = tables_of("Contents and files")
    assert tables_of("Face table") == [set(schema.face_schema(8).names())]
    assert contents == set(schema.CONTENT_SCHEMA.names())
    assert files == set(schema.FILE_SCHEMA.names())


def test_the_documented_keys_are_those_of_the_files(published: FakeHome) -> None:
    place = published.settings.library_dir / "faceset_001"
    manifest = json.loads((place / "manifest.json").read_text())
    keys, face_keys = tables_of("Its manifest")
    assert keys == set(manifest)
    assert face_keys == set(manifest["faces"][0])
    assert set(manifest["faces"][0]["source"]) == {"bucket", "path", "sha256", "aliases"}
    members = pl.read_parquet(place / "members.parquet")
    assert tables_of("Its members") == [set(members.columns) - set(schema.face_schema(PACK.dim).names())]
    named = set(re.findall(r"`([a-z_0-9]+)`", section("Its vectors and pictures")))
    with np.load(place / "faceset_001.npz", allow_pickle=False) as vectors:
        assert set(vectors.files) <= named
    lineage = read_lineage(place / "faces" / "0001.png")
    assert lineage is not None
    assert set(lineage) <= named
    top = json.loads((published.settings.library_dir / "manifest.json").read_text())
    assert tables_of("Top-level manifest") == [set(top["facesets"][0])]
    assert set(top) <= set(re.findall(r"`([a-z_0-9]+)`", section("Top-level manifest")))
    named = set(re.findall(r"`([a-z_0-9]+)`", section("What recovery needs")))
    assert set(json.loads(pair.mark_file(published.settings.library_dir).read_text())) <= named
    line = json.loads((published.settings.reports_dir / "runs.jsonl").read_text().splitlines()[0])
    assert set(line) <= set(re.findall(r"`([a-z_0-9]+)`", section("Reports")))


def test_the_documented_columns_of_landmarks_and_keys_of_exports_are_those_of_the_files(published: FakeHome) -> None:
    assert tables_of("Landmarks") == [{name for task in VALUES for name in landmark_store.landmark_schema(task)}]
    assert tables_of("Consumer simulation") == [set(look_store.look_schema(PACK.dim))]
    published.materialize("consumer_exports")
    index = json.loads((published.settings.exports_dir / "facefusion" / owned_folder.INDEX).read_text())
    assert tables_of("Exports") == [set(index)]
    (entry, *_) = index["files"].values()
    named = set(re.findall(r"`([a-z_0-9]+)`", section("Exports")))
    assert {*entry, *entry["facesets"]["faceset_001"]} <= named


@pytest.mark.parametrize(
    ("heading", "version"),
    [
        ("Face table", schema.SCHEMA_VERSION),
        ("Its manifest", folder.SCHEMA_VERSION),
        ("Its members", folder.SCHEMA_VERSION),
        ("Top-level manifest", top_manifest.SCHEMA_VERSION),
        ("What recovery needs", pair.SCHEMA_VERSION),
        ("Landmarks", int(landmark_store.SCHEMA_VERSION)),
        ("Consumer simulation", int(look_store.SCHEMA_VERSION)),
        ("Exports", owned_folder.SCHEMA_VERSION),
        ("Home and registry", home_module.SCHEMA_VERSION),
        ("Home and registry", int(tables.SCHEMA_VERSION)),
    ],
)
def test_the_documented_schema_versions_are_those_of_the_code(heading: str, version: int) -> None:
    text = section(heading)
    assert re.search(rf"schema[_ ]\s?version`? {version}\b", text.replace("\n", " ")), text
