"""The cache file: members are listed by their headers, pickles are never opened, rows are judged one by one."""

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from facesets_dagster.errors import LibraryError, SettingsError
from facesets_dagster.legacy.cache_file import find_caches, read_cache
from facesets_dagster.legacy.column_map import ColumnMap, load_map
from facesets_dagster.legacy.npz import list_members, read_member


class Bomb:
    """Loading it leaves a file behind."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str, int]]:
        return os.mkdir, (str(self.trace), 0o755)


def arrays(count: int = 3) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "embeddings": rng.normal(size=(count, 8)).astype(np.float32),
        "path": np.array([f"/photos/{row}.jpg" for row in range(count)]),
        "bbox": np.tile(np.array([0, 0, 10, 10], np.float32), (count, 1)),
    }


def written(target: Path, members: dict[str, np.ndarray]) -> Path:
    """As np.savez does, which cannot name a member `file`."""
    with zipfile.ZipFile(target, "w") as archive:
        for name, array in members.items():
            with archive.open(f"{name}.npy", "w") as stream:
                np.lib.format.write_array(stream, array, allow_pickle=True)
    return target


def mapped(tmp_path: Path, text: str) -> ColumnMap:
    (tmp_path / "map.yaml").write_text(text)
    return load_map(tmp_path / "map.yaml")


def test_members_are_listed_with_type_and_shape(tmp_path: Path) -> None:
    path = written(tmp_path / "c.npz", {"numbers": np.zeros((2, 3), np.float16), "words": np.array(["a", "bcd"])})
    assert [(one.name, one.dtype, one.shape, one.refused) for one in list_members(path)] == [
        ("numbers", "float16", (2, 3), None),
        ("words", "<U3", (2,), None),
    ]


def test_an_object_array_is_refused_by_name_and_its_pickle_does_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "it ran"
    path = written(tmp_path / "c.npz", {**arrays(), "noface": np.array([Bomb(trace)], object)})
    with np.load(path, allow_pickle=True) as found:  # the bomb is live ...
        assert found["noface"].tolist() == [None]
    trace.rmdir()
    cache = read_cache(path, load_map(None))  # ... and is not touched here
    assert not trace.exists()
    refused = {one.name: one.refused for one in cache.members if one.refused}
    assert list(refused) == ["noface"]
    assert "np.savez" in str(refused["noface"])
    assert (len(cache), cache.unusable, cache.noface) == (3, None, [])


def test_a_structured_array_with_objects_inside_is_refused_too(tmp_path: Path) -> None:
    kind = np.dtype([("path", object), ("size", np.int64)])
    path = written(tmp_path / "c.npz", {**arrays(), "meta": np.array([("a", 1)], kind)})
    assert [one.name for one in list_members(path) if one.refused] == ["meta"]


def test_a_cache_whose_paths_are_objects_cannot_be_used_and_says_what_to_do(tmp_path: Path) -> None:
    members = arrays()
    path = written(tmp_path / "c.npz", {**members, "path": members["path"].astype(object)})
    cache = read_cache(path, load_map(None))
    assert len(cache) == 0
    assert cache.unusable is not None
    assert cache.unusable.startswith("path cannot be used.")


def test_reading_a_pickled_member_raises_instead_of_loading_it(tmp_path: Path) -> None:
    trace = tmp_path / "it ran"
    path = written(tmp_path / "c.npz", {"bad": np.array([Bomb(trace)], object)})
    with pytest.raises(LibraryError, match="bad"):
        read_member(path, "bad")
    with zipfile.ZipFile(tmp_path / "raw.npz", "w") as archive:
        archive.writestr("sneaky.npy", pickle.dumps(Bomb(trace)))
        archive.writestr("readme.txt", "hello")
    assert [bool(one.refused) for one in list_members(tmp_path / "raw.npz")] == [True, True]
    assert not trace.exists()


def test_what_is_no_npz_teaches(tmp_path: Path) -> None:
    (tmp_path / "c.npz").write_bytes(b"no zip at all")
    with pytest.raises(LibraryError, match=r"Expected a NumPy \.npz"):
        list_members(tmp_path / "c.npz")


def test_a_map_that_names_absent_members_says_which_and_what_is_there(tmp_path: Path) -> None:
    path = written(tmp_path / "c.npz", arrays())
    columns = mapped(tmp_path, "cache: {embedding: vectors, bbox: boxes}")
    with pytest.raises(SettingsError) as error:
        read_cache(path, columns)
    text = str(error.value)
    assert "`embedding: vectors`, `bbox: boxes`" in text
    assert "embeddings: float32 (3, 8); path: <U13 (3,); bbox: float32 (3, 4)" in text


def test_a_member_of_another_shape_teaches(tmp_path: Path) -> None:
    path = written(tmp_path / "c.npz", {**arrays(), "bbox": np.zeros((2, 4))})
    with pytest.raises(SettingsError, match=r"shape \(2, 4\).*expected numbers of shape \(3, 4\)"):
        read_cache(path, load_map(None))


@pytest.mark.parametrize(("scale", "said"), [(1.0, "unit"), (20.0, "raw")])
def test_normalisation_is_detected_and_rows_stay_as_they_are(tmp_path: Path, scale: float, said: str) -> None:
    members = arrays()
    vectors = members["embeddings"] / np.linalg.norm(members["embeddings"], axis=1, keepdims=True) * np.float32(scale)
    cache = read_cache(written(tmp_path / "c.npz", {**members, "embeddings": vectors}), load_map(None))
    assert cache.normalisation == said
    assert np.array_equal(cache.embeddings, vectors)


def test_rows_that_say_nothing_are_told_apart(tmp_path: Path) -> None:
    members = arrays(5)
    members["embeddings"][0] = np.nan
    members["embeddings"][1] = 0
    members["bbox"][2] = [10, 10, 10, 20]
    members["path"][3] = ""
    cache = read_cache(written(tmp_path / "c.npz", members), load_map(None))
    assert cache.problems == ["nan_embedding", "nan_embedding", "bad_box", "no_source", None]


def test_other_names_boxes_and_bytes_are_read_by_the_map(tmp_path: Path) -> None:
    members = arrays(2)
    other = {
        "vec": members["embeddings"],
        "file": np.array([b"/a/\xff.jpg", b"/b.jpg"]),
        "rect": np.array([[1, 2, 10, 20], [0, 0, 5, 5]]),
        "points": np.arange(20).reshape(2, 10),
        "same": np.array([["/c.jpg", "/b.jpg"]]),
    }
    path = written(tmp_path / "c.npz", other)
    names = "embedding: vec, source: file, bbox: rect, bbox_format: xywh, kps: points, aliases: same, noface: null"
    columns = mapped(tmp_path, f"cache: {{{names}}}")
    cache = read_cache(path, columns)
    assert cache.sources == [os.fsdecode(b"/a/\xff.jpg"), "/b.jpg"]
    assert cache.bbox.tolist() == [[1, 2, 11, 22], [0, 0, 5, 5]]
    assert cache.kps is not None
    assert cache.kps.shape == (2, 5, 2)
    assert cache.aliases == {"/c.jpg": "/b.jpg"}


def test_a_cache_named_by_an_absolute_path_must_be_there(tmp_path: Path) -> None:
    assert find_caches(tmp_path, load_map(None)) == []
    columns = mapped(tmp_path, f"cache: {{files: ['{tmp_path / 'away' / 'c.npz'}']}}")
    with pytest.raises(SettingsError, match="is missing"):
        find_caches(tmp_path, columns)
