"""What the environment says, and what is said of what it cannot say."""

import re
from pathlib import Path

import pytest

from facesets_dagster.errors import SettingsError
from facesets_dagster.settings import load_settings, provider_names
from testing.paths import REPOSITORY


def test_an_empty_environment_gives_the_defaults(tmp_path: Path) -> None:
    settings = load_settings({}, tmp_path)
    assert settings.home == tmp_path / "data"
    assert settings.bucket_roots == (tmp_path / "data" / "buckets",)
    assert settings.models_root == Path.home() / ".insightface"
    assert settings.database_url == f"sqlite:///{tmp_path}/data/registry.db"
    assert settings.dagster_home == tmp_path / "data" / "dagster"
    assert (settings.model_pack, settings.providers, settings.legacy_roots) == (None, None, ())
    assert (settings.settle_seconds, settings.automation) == (30.0, None)


def test_the_environment_wins_over_the_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("FACESETS_HOME=from the file\nFACESETS_MODEL_PACK=embedded\n")
    monkeypatch.setenv("FACESETS_HOME", str(tmp_path / "from the environment"))
    monkeypatch.delenv("FACESETS_MODEL_PACK", raising=False)
    settings = load_settings(None, tmp_path)
    assert settings.home == tmp_path / "from the environment"
    assert settings.model_pack == "embedded"


def test_roots_are_separated_by_colons_and_relative_ones_belong_to_the_working_directory(tmp_path: Path) -> None:
    environment = {"FACESETS_BUCKETS": f"{tmp_path}/one:two:", "FACESETS_LEGACY": "~/old"}
    settings = load_settings(environment, tmp_path)
    assert settings.bucket_roots == (tmp_path / "one", tmp_path / "two")
    assert settings.legacy_roots == (Path.home() / "old",)


def test_a_pack_is_a_name_or_a_folder_that_does_not_depend_on_the_working_directory(tmp_path: Path) -> None:
    assert load_settings({"FACESETS_MODEL_PACK": "buffalo_l"}, tmp_path).model_pack == "buffalo_l"
    assert load_settings({"FACESETS_MODEL_PACK": "packs/mine"}, tmp_path).model_pack == str(tmp_path / "packs" / "mine")
    assert load_settings({"FACESETS_MODEL_PACK": "../mine/"}, tmp_path).model_pack == str(tmp_path.parent / "mine")


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("FACESETS_PROVIDERS", "gpu", "Expected one of coreml, cpu, cuda, tensorrt"),
        ("FACESETS_PRECISION", "int8", "Expected `fp32` or `fp16`"),
        ("FACESETS_SETTLE_SECONDS", "soon", "Expected seconds between 0 and 86400"),
        ("FACESETS_SETTLE_SECONDS", "-1", "Expected seconds between 0 and 86400"),
        ("FACESETS_AUTOMATION", "maybe", "Expected `on` or `off`"),
        ("FACESETS_JOB", "everything", "Expected `discover_identities` or `full_pipeline`"),
    ],
)
def test_a_value_that_means_nothing_is_explained(tmp_path: Path, name: str, value: str, advice: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is '{value}'.*{advice}"):
        load_settings({name: value}, tmp_path)


def test_all_wrong_values_are_named_at_once_and_only_they(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"FACESETS_KEEP_RUNS_DAYS": "nan", "FACESETS_JOB": "x", "FACESETS_PRECISION": "y"}, tmp_path)
    assert re.findall(r"(\w+) is '(\w+)'", str(caught.value)) == [
        ("FACESETS_PRECISION", "y"),
        ("FACESETS_JOB", "x"),
        ("FACESETS_KEEP_RUNS_DAYS", "nan"),
    ]


def test_an_empty_value_in_the_environment_unsets_the_one_in_the_env_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("FACESETS_KEEP_REPORTS_DAYS=7\nFACESETS_WEB_HOSTS=one, two\n")
    monkeypatch.setenv("FACESETS_KEEP_REPORTS_DAYS", " ")
    settings = load_settings(None, tmp_path)
    assert (settings.keep_reports_days, settings.web_hosts) == (365, ("one", "two"))


def test_another_library_of_the_home_has_its_own_folder_registry_and_tables(tmp_path: Path) -> None:
    default, fresh = load_settings({}, tmp_path), load_settings({"FACESETS_LIBRARY": "fresh"}, tmp_path)
    assert fresh.library_dir == tmp_path / "data" / "facesets_swap_ready_fresh"
    assert fresh.database_url == f"sqlite:///{tmp_path}/data/registry_fresh.db"
    assert fresh.tables_dir != default.tables_dir
    with pytest.raises(SettingsError, match="cannot name a library"):
        load_settings({"FACESETS_LIBRARY": "../x"}, tmp_path)
    with pytest.raises(SettingsError, match="names the file of one registry"):
        load_settings({"FACESETS_LIBRARY": "fresh", "FACESETS_DATABASE_URL": "sqlite:///x.db"}, tmp_path)


def test_a_misspelt_name_is_told_with_the_one_that_was_meant(tmp_path: Path) -> None:
    settings = load_settings(
        {"FACESETS_BUKETS": "x", "FACESETS_HANDSORTED": "y", "FACESETS_ZZZ": "", "HOME": "/", "FACESETS_HOME": "h"},
        tmp_path,
    )
    assert settings.unknown == (
        "FACESETS_BUKETS is set and means nothing. Did you mean FACESETS_BUCKETS?",
        "FACESETS_HANDSORTED is set and means nothing. Did you mean FACESETS_HAND_SORTED?",
        "FACESETS_ZZZ is set and means nothing. The README lists the settings.",
    )
    for_hooks_and_tests = ("FACESETS_FAILED_BUCKET", "FACESETS_SHARED", "FACESETS_TEST_MODELS")
    assert load_settings(dict.fromkeys(for_hooks_and_tests, "x"), tmp_path).unknown == ()


def test_no_setting_counts_as_unknown(tmp_path: Path) -> None:
    readme = (REPOSITORY / "README.md").read_text()
    names = set(re.findall(r"^\| `(FACESETS_[A-Z_]+)`", readme, re.MULTILINE))
    assert len(names) >= 15
    assert load_settings(dict.fromkeys(names, ""), tmp_path).unknown == ()


def test_providers_follow_the_setting_and_else_the_installed_onnxruntime() -> None:
    assert provider_names(None, ["CPUExecutionProvider"]) == ("CPUExecutionProvider",)
    both = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    assert provider_names(None, both) == ("CUDAExecutionProvider", "CPUExecutionProvider")
    assert provider_names("cpu", both) == ("CPUExecutionProvider",)
    assert provider_names("ROCMExecutionProvider, CPUExecutionProvider", both)[0] == "ROCMExecutionProvider"


def test_the_readme_lists_every_setting() -> None:
    source = (REPOSITORY / "facesets_dagster" / "settings.py").read_text()
    readme = (REPOSITORY / "README.md").read_text()
    names = {word for word in source.replace('"', " ").replace("`", " ").split() if word.startswith("FACESETS_")}
    names = {name for name in names if name.isupper() and not name.endswith("_*")}
    assert len(names) >= 10
    rows = set(re.findall(r"^\| `(FACESETS_[A-Z_]+)`", readme, re.MULTILINE))
    assert names - rows == set()
