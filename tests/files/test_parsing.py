"""Files that anybody may have written, settings, run config: what is wrong with them is said in a sentence."""

import math
import zipfile
from pathlib import Path

import numpy as np
import pytest

import facesets_dagster.definitions  # noqa: F401 - the assets and their run config are known
from facesets_dagster.assets._asset import _CONFIGS
from facesets_dagster.assets._config import LARGEST
from facesets_dagster.assets._run_config import problems_of
from facesets_dagster.cli.run import _run_config
from facesets_dagster.errors import FacesetsError, LibraryError, SettingsError
from facesets_dagster.files.parsing import parse_json, parse_yaml
from facesets_dagster.legacy.column_map import load_map
from facesets_dagster.legacy.npz import list_members, read_member
from facesets_dagster.photos.left_out import is_home
from facesets_dagster.photos.single_folders import single_folders
from facesets_dagster.settings import load_settings

DEEP = "[" * 200_000
LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))


@pytest.mark.parametrize("text", [DEEP, '{"a":' * 100_000, "{", "", "\x00", "\ud800"])
def test_json_that_is_none_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)


@pytest.mark.parametrize(
    "text", ["[" * 5000, LAUGHS, "&a [*a]", "a: [", "!!python/object/apply:os.system [ls]", "\x00"]
)
def test_yaml_that_is_none_or_expands_without_end_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_yaml(text)
    assert parse_yaml("a: &x [1]\nb: *x\n") == {"a": [1], "b": [1]}


@pytest.mark.parametrize("text", ["[" * 5000, LAUGHS, "&a [*a]", "a: [", "7", "\x07"])
def test_run_config_and_column_map_are_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    for read in (_run_config, load_map):
        with pytest.raises(SettingsError, match=r"config\.yaml .*[Ee]xpected") as caught:
            read(path)
        assert len(str(caught.value)) < 2000


def test_a_file_beside_photos_that_is_nested_without_end_is_no_home(tmp_path: Path) -> None:
    (tmp_path / "home.json").write_text(DEEP)
    assert not is_home(tmp_path)
    with pytest.raises(SettingsError, match=r"The list of bucket folders .* cannot be read"):
        single_folders(tmp_path / "home.json")


@pytest.mark.parametrize("data", [b"\xff\xfe\x00F\x00A", b"FACESETS_HOME=a\0b\n", bytes(range(256)) * 20])
def test_a_settings_file_that_is_binary_is_refused_in_a_sentence(
    tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_bytes(data)
    monkeypatch.delenv("FACESETS_HOME", raising=False)
    with pytest.raises(SettingsError, match="Expected"):
        load_settings(None, tmp_path)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**30, -(10**30), LARGEST + 1])
def test_no_number_of_any_run_config_is_endless(value: float) -> None:
    tried = 0
    for key, config in _CONFIGS.items():
        for name, field in config.model_fields.items():
            if field.annotation in (int, float, int | None, float | None):
                step = key.to_user_string()
                (said,) = problems_of({"ops": {step: {"config": {name: value}}}}, [step])
                assert said.startswith(f"{name} of {step} is {value!r}; it should "), said
                tried += 1
    assert tried > 40


def test_crops_of_100_million_pixels_a_side_are_refused() -> None:
    config = {"ops": {"swap_ready_facesets": {"config": {"crop_px": 100_000_000}}}}
    assert problems_of(config, ["swap_ready_facesets"]) == [
        "crop_px of swap_ready_facesets is 100000000; it should be less than or equal to 4096. It lies between 64 and "
        "4096."
    ]


def test_arrays_that_claim_more_than_their_file_holds_are_refused_and_take_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "cache.npz"
    header = np.lib.format.header_data_from_array_1_0(np.zeros(1, np.float32)) | {"shape": (10**12,)}
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("embeddings.npy", "w") as stream:
            np.lib.format.write_array_header_1_0(stream, header)
            stream.write(b"\0" * 64)
        with archive.open("sound.npy", "w") as stream:
            np.lib.format.write_array(stream, np.arange(3))
    claimed, sound = list_members(path)
    assert (claimed.refused, sound.refused) == (
        "its header claims 4,000,000,000,000 bytes and the file holds 192",
        None,
    )
    with pytest.raises(LibraryError, match=r"`embeddings` in the legacy cache .* claims 4,000,000,000,000 bytes"):
        read_member(path, "embeddings")
    with pytest.raises(FacesetsError, match="`absent` in the legacy cache"):
        read_member(path, "absent")
    assert read_member(path, "sound").tolist() == [0, 1, 2]
