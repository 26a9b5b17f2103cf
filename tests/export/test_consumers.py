"""Formats of other programs: each file read back by a reader that was written from the format's description."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from insightface.app.common import Face
from safetensors import safe_open

from facesets_dagster.export.consumers import CONSUMERS
from facesets_dagster.export.consumers.consumer import ExportFile, FacesetSource, unique_titles
from facesets_dagster.export.pictures import Picture
from testing.consumer_readers import read_rope, read_safetensors, read_visomaster

RNG = np.random.default_rng(7)


def source(name: str, title: str | None = None) -> FacesetSource:
    pictures = tuple(
        Picture(f"digest of {name} {rank}", lambda rank=rank: f"{name} {rank}".encode()) for rank in (1, 2)
    )
    return FacesetSource(
        name=name,
        title=title or name,
        file_name=name,
        manifest_sha256="ab" * 32,
        model_id="0123456789abcdef",
        face_ids=("face one", "face two"),
        pictures=pictures,
        bbox=RNG.uniform(0, 900, 4).astype(np.float32),
        kps=RNG.uniform(0, 900, (5, 2)).astype(np.float32),
        det_score=0.8625,
        embedding=(20 * RNG.normal(size=512)).astype(np.float32),
        values={
            "landmark_2d_106": RNG.uniform(0, 900, (106, 2)).astype(np.float32),
            "landmark_3d_68": RNG.uniform(0, 900, (68, 3)).astype(np.float32),
            "pose": RNG.uniform(-90, 90, 3).astype(np.float32),
            "gender": np.asarray(1, np.int64),
            "age": np.asarray(41, np.int64),
        },
    )


def written(consumer: str, folder: Path, *sources: FacesetSource) -> list[Path]:
    """The consumer's files for these face sets, on the disk."""
    files = CONSUMERS[consumer].files(sources)
    for file in files:
        (folder / file.path).parent.mkdir(parents=True, exist_ok=True)
        (folder / file.path).write_bytes(file.read())
    return [folder / file.path for file in files]


def test_a_reactor_face_model_has_the_tensors_and_their_types(tmp_path: Path) -> None:
    faceset = source("faceset_020", "Anna")
    (path,) = written("reactor", tmp_path, faceset)
    assert path.name == "faceset_020.safetensors"
    tensors, metadata = read_safetensors(path)
    shapes = {name: (str(value.dtype), value.shape) for name, value in tensors.items()}
    assert shapes == {
        "bbox": ("float32", (4,)),
        "kps": ("float32", (5, 2)),
        "det_score": ("float32", ()),
        "landmark_3d_68": ("float32", (68, 3)),
        "pose": ("float32", (3,)),
        "landmark_2d_106": ("float32", (106, 2)),
        "embedding": ("float32", (512,)),
        "gender": ("int64", ()),
        "age": ("int64", ()),
    }
    given = {
        "bbox": faceset.bbox,
        "kps": faceset.kps,
        "det_score": np.float32(faceset.det_score),
        "embedding": faceset.embedding,
        **faceset.values,
    }
    for name, value in given.items():
        assert np.array_equal(tensors[name], value), name
    assert json.loads(metadata["facesets"]) == {
        "schema_version": 1,
        "faceset": "faceset_020",
        "label": "Anna",
        "manifest_sha256": faceset.manifest_sha256,
        "model_id": faceset.model_id,
        "face_ids": ["face one", "face two"],
    }


def test_reactor_loads_it_as_an_insightface_face(tmp_path: Path) -> None:
    """As ReActor does it: every tensor that the safetensors library finds goes into insightface's `Face`."""
    faceset = source("faceset_020")
    (path,) = written("reactor", tmp_path, faceset)
    with safe_open(path, framework="np") as file:
        face = Face({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    assert face.sex == "M"
    np.testing.assert_allclose(face.normed_embedding, faceset.embedding / np.linalg.norm(faceset.embedding), rtol=1e-6)
    assert face.landmark_3d_68.shape == (68, 3)


def test_visomaster_gets_a_list_of_one_raw_embedding(tmp_path: Path) -> None:
    first, second = source("faceset_001", "Zoë"), source("faceset_002")
    paths = written("visomaster", tmp_path, first, second)
    assert [path.name for path in paths] == ["faceset_001.json", "faceset_002.json"]
    for path, faceset in zip(paths, (first, second), strict=True):
        ((name, embedding),) = read_visomaster(path)
        assert name == faceset.title
        assert np.array_equal(embedding, faceset.embedding)


def test_rope_gets_all_embeddings_in_one_file(tmp_path: Path) -> None:
    first, second = source("faceset_001", "Anna"), source("faceset_002_era_2010-2013")
    (path,) = written("rope", tmp_path, first, second)
    assert path.name == "merged_embeddings.txt"
    found = read_rope(path)
    assert [name for name, _ in found] == ["Anna", "faceset_002_era_2010-2013"]
    assert all(
        np.array_equal(embedding, faceset.embedding)
        for (_, embedding), faceset in zip(found, (first, second), strict=True)
    )
    assert CONSUMERS["rope"].files([]) == [], "an empty file would be no file of Rope's"


@pytest.mark.parametrize(
    ("title", "written_as"),
    [
        ("José Müller", "Jose Muller"),
        ("Søren", "Sren (faceset_001)"),
        ("王芳", "(faceset_001)"),
        ("Anna Smith", "Anna Smith"),
    ],
)
def test_names_in_rope_are_ascii_and_still_tell_whom(tmp_path: Path, title: str, written_as: str) -> None:
    (path,) = written("rope", tmp_path, source("faceset_001", title))
    assert [name for name, _ in read_rope(path)] == [written_as]


def test_names_that_become_alike_in_ascii_stay_apart(tmp_path: Path) -> None:
    (path,) = written("rope", tmp_path, source("faceset_001", "Jose"), source("faceset_002", "José"))
    assert [name for name, _ in read_rope(path)] == ["Jose (faceset_001)", "Jose (faceset_002)"]


def test_facefusion_gets_a_folder_of_pictures_in_rank_order(tmp_path: Path) -> None:
    paths = written("facefusion", tmp_path, source("faceset_001"), source("faceset_002"))
    found = {str(path.relative_to(tmp_path)): path.read_bytes().decode() for path in paths}
    assert found == {
        "faceset_001/0001.png": "faceset_001 1",
        "faceset_001/0002.png": "faceset_001 2",
        "faceset_002/0001.png": "faceset_002 1",
        "faceset_002/0002.png": "faceset_002 2",
    }


@pytest.mark.parametrize("consumer", list(CONSUMERS))
def test_the_same_face_set_gives_the_same_bytes(consumer: str) -> None:
    faceset = source("faceset_001")
    again = replace(faceset, values=dict(reversed(faceset.values.items())))

    def digests(files: list[ExportFile]) -> list[tuple[str, str]]:
        return [(file.path, file.sha256) for file in files]

    assert digests(CONSUMERS[consumer].files([faceset])) == digests(CONSUMERS[consumer].files([again]))


def test_titles_that_several_have_get_their_face_sets_name() -> None:
    titles = {"faceset_001": "Anna", "faceset_002": "Bo", "faceset_001_era_2010": "Anna"}
    assert unique_titles(titles) == {
        "faceset_001": "Anna (faceset_001)",
        "faceset_002": "Bo",
        "faceset_001_era_2010": "Anna (faceset_001_era_2010)",
    }
