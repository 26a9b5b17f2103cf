"""Buckets whose key is longer than a file system takes: run like any other, and no line of theirs stops the pages."""

import json
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from facesets_dagster.faces.store import FaceStore
from facesets_dagster.photos.bucket_key import file_name, key_in, note_key, partition_key
from facesets_dagster.publishing.reembed.old_faces import cached_buckets
from facesets_dagster.reports.index import RunLine, add_run, write_index
from testing.fake_home import FakeHome
from testing.fakes import write_person

EMOJI = "\U0001f600" * 63
"""252 bytes; its key has 756."""


def test_a_bucket_named_with_63_emoji_is_run_and_so_are_the_others(fake_home: FakeHome) -> None:
    key = partition_key(EMOJI)
    assert len(key) == 756
    for bucket, person in ((EMOJI, 1), ("b", 2)):
        write_person(fake_home.buckets / bucket, person, 7)
    fake_home.run(key, job="full_pipeline")
    fake_home.run("b", job="full_pipeline")
    assert [one.bucket for one in fake_home.library.registry.identities()] == [key, "b"]
    assert fake_home.flaws() == []
    index = (fake_home.settings.reports_dir / "index.html").read_text()
    assert EMOJI in index
    reports = [unquote(page) for page in re.findall(r'href="(\S+?/[0-9a-f-]+\.html)"', index)]
    assert [page for page in reports if not (fake_home.settings.reports_dir / page).exists()] == []
    assert (fake_home.settings.library_dir / "faceset_001" / f"{file_name(key)}.txt").exists()
    (model,) = {path.name for path in (fake_home.settings.cache_dir / "faces").glob("*/*") if path.is_dir()}
    assert {"b", key} <= set(cached_buckets(fake_home.settings.cache_dir, model))
    before = fake_home.files()
    fake_home.run(key)
    assert fake_home.files() == before
    cached = FaceStore.cached(fake_home.settings.cache_dir, key, None)
    assert cached.columns("faces", "bucket")["bucket"].unique().to_list() == [key]


@pytest.mark.parametrize("name", ["\u8a9e" * 85, EMOJI, "%" * 255, "\xe4" * 127, "x" * 255, "a." * 127 + "a"])
def test_what_files_are_called_fits_every_file_system_and_is_one_to_one(tmp_path: Path, name: str) -> None:
    key = partition_key(name)
    called = file_name(key)
    assert len(f".{called}.parquet.1234567.tmp".encode()) <= 255
    assert file_name(partition_key(name[:-1] + "y")) != called
    (tmp_path / f".{called}.parquet.1234567.tmp").write_bytes(b"")
    note_key(tmp_path / called, key)
    assert key_in(tmp_path / called) == key


@pytest.mark.parametrize("key", ["b", "x" * 230, "Anna & Ben %5B2019%5D"])
def test_other_buckets_keep_the_name_of_their_key(tmp_path: Path, key: str) -> None:
    assert file_name(key) == key
    note_key(tmp_path / key, key)
    assert list((tmp_path / key).iterdir()) == []
    assert key_in(tmp_path / key) == key


def test_no_line_of_the_index_stops_the_others(tmp_path: Path) -> None:
    hostile = [
        *(b"", b"{", b"[]", b"null", b"7", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"bucket": 5}'),
        *(b'{"bucket": null, "run_id": "1", "finished_at": "x"}', b'{"bucket": "b", "run_id": [], "finished_at": {}}'),
        json.dumps({"bucket": "x" * 5000, "run_id": "y" * 5000, "finished_at": "never"}).encode(),
        json.dumps({"bucket": "a\0b", "run_id": "\0", "finished_at": "never"}).encode(),
        json.dumps({"bucket": "../../..", "run_id": "../x", "finished_at": "9" * 400, "error": "\ud800"}).encode(),
        json.dumps({"bucket": "b", "run_id": "2", "finished_at": "x", "faces": 10**400}).encode(),
    ]
    (tmp_path / "runs.jsonl").write_bytes(b"\n".join(hostile) + b"\n")
    add_run(tmp_path, RunLine("sound", "run-3", "2026-01-01T00:00:00+00:00", "1 added", 8, 6))
    page = write_index(tmp_path).read_text(encoding="utf-8")
    assert "sound" in page
    assert "1 added" in page
