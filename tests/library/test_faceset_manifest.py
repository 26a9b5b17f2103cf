"""A faceset's manifest is read by one reader, and one that somebody broke is an error that names file and field."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facesets_dagster.errors import LibraryCorrupt
from facesets_dagster.export.curation import ExportParameters
from facesets_dagster.library.faceset_manifest import read_faceset

FACE = {
    "rank": 1,
    "file": "faces/0001.png",
    "sha256": "p" * 64,
    "face_id": "abc-1",
    "source": {"bucket": "trip", "path": "one.jpg", "sha256": "c" * 64, "aliases": ["two.jpg"]},
    "bbox": [1.0, 2.0, 3.0, 4.0],
    "kps": [[0.0, 1.0]] * 5,
    "det_score": 0.9,
    "face_short": 110.0,
    "cosine_distance": 0.1,
    "rank_score": 0.5,
}
EXPORT = {
    "min_face_short_px": 100,
    "outlier_distance": 0.45,
    "near_duplicate_similarity": 0.95,
    "top_n": 8,
    "crop_px": 512,
    "crop_padding": 0.5,
}
MANIFEST: dict[str, Any] = {
    "content_digest": "d" * 64,
    "run_id": "run",
    "created_at": "2026-01-01T00:00:00+00:00",
    "model": {"model_id": "model", "pack": "embedded"},
    "parameters": {"swap_ready_facesets": EXPORT},
    "faces": [FACE],
    "excluded": [{"face_id": "abc-2", "state": "same_photo", "value": None, "threshold": None}],
    "files": {"faceset_001.fsz": "f" * 64},
}


def write(folder: Path, manifest: object) -> Path:
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_a_manifest_is_read_into_records(tmp_path: Path) -> None:
    found = read_faceset(write(tmp_path, MANIFEST))
    assert found is not None
    assert found.faces[0].source.aliases == ("two.jpg",)
    assert found.excluded[0].state == "same_photo"
    assert found.digests() == {"faceset_001.fsz": "f" * 64, "faces/0001.png": "p" * 64}
    export = found.numbers("swap_ready_facesets", ExportParameters)
    assert repr(export) == repr(ExportParameters(100, 0.45, 0.95, 8, 512, 0.5))  # 100 is not 100.0: digests are of it
    assert found.numbers("era_facesets", ExportParameters) is None


def test_a_folder_without_manifest_or_with_another_programs_is_none(tmp_path: Path) -> None:
    assert read_faceset(tmp_path / "nowhere") is None
    assert read_faceset(write(tmp_path, {"faces": "as another program has it"})) is None


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("faces", lambda found: found.pop("faces")),
        ("faces", lambda found: found.update(faces={})),
        ("faces.0.rank", lambda found: found["faces"][0].update(rank="first")),
        ("faces.0.kps", lambda found: found["faces"][0].update(kps=[[0.0, 1.0]])),
        ("faces.0.source.bucket", lambda found: found["faces"][0]["source"].pop("bucket")),
        ("excluded.0.state", lambda found: found["excluded"][0].update(state=None)),
        ("parameters", lambda found: found.update(parameters=[])),
        ("model.model_id", lambda found: found["model"].pop("model_id")),
    ],
)
def test_a_broken_field_is_named_with_its_file(
    tmp_path: Path, field: str, change: Callable[[dict[str, Any]], object]
) -> None:
    broken = copy.deepcopy(MANIFEST)
    change(broken)
    with pytest.raises(LibraryCorrupt, match="Restore the folder from a backup") as error:
        read_faceset(write(tmp_path, broken))
    assert f"`{field}" in str(error.value)
    assert str(tmp_path / "manifest.json") in str(error.value)


@pytest.mark.parametrize("value", [None, "many", True])
def test_a_number_that_is_none_is_named(tmp_path: Path, value: object) -> None:
    broken = copy.deepcopy(MANIFEST)
    broken["parameters"]["swap_ready_facesets"]["top_n"] = value
    found = read_faceset(write(tmp_path, broken))
    assert found is not None
    with pytest.raises(LibraryCorrupt, match=r"`top_n` is .*, expected a number"):
        found.numbers("swap_ready_facesets", ExportParameters)
