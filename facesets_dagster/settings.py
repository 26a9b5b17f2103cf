"""The settings of a home: the one place where the process environment (and `.env`) is read.

What belongs here: names, defaults and parsing of the `FACESETS_*` variables. What does not: run parameters (they live
in the `dg.Config` class of their asset) and anything that touches a file of the home (`facesets_dagster.home`).
"""

import difflib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from dotenv import dotenv_values

from facesets_dagster.embedding.precision import PRECISIONS
from facesets_dagster.errors import SettingsError

JOBS = ("discover_identities", "full_pipeline")
"""What sensor, schedule and `facesets run` can be set to."""
_OTHERS = ("FAILED_BUCKET", "FAILED_RUN", "FAILED_ERROR", "SHARED", "TEST_MODELS")
"""Rest of names that are no settings: told to the command of `FACESETS_ON_FAILURE`, or read by tests and benchmarks."""
_LIBRARY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")

PROVIDER_WORDS = {
    "cpu": ("CPUExecutionProvider",),
    "cuda": ("CUDAExecutionProvider", "CPUExecutionProvider"),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"),
    "coreml": ("CoreMLExecutionProvider", "CPUExecutionProvider"),
}


@dataclass(frozen=True)
class Settings:
    """Where things are and which model is meant; all paths absolute."""

    home: Path
    bucket_roots: tuple[Path, ...]
    models_root: Path
    model_pack: str | None
    """`FACESETS_MODEL_PACK`: a name, or the absolute path of a folder; None means what the home was made with."""
    providers: str | None
    """`FACESETS_PROVIDERS`: a word of `PROVIDER_WORDS` or a comma-separated list of ONNX Runtime names; None means
    the GPU where the installed ONNX Runtime is built for one, else the CPU."""
    precision: str | None
    """`FACESETS_PRECISION`: `fp32` or `fp16`; None means what the home was made with."""
    database_url: str
    library_name: str | None
    """`FACESETS_LIBRARY`: a library beside the default one; None means the default."""
    job: str
    """`FACESETS_JOB`: one of `JOBS`."""
    hand_sorted_root: Path | None
    legacy_roots: tuple[Path, ...]
    dagster_home: Path
    settle_seconds: float
    """`FACESETS_SETTLE_SECONDS`: how long a bucket must be quiet before the sensor runs it."""
    web_hosts: tuple[str, ...]
    """`FACESETS_WEB_HOSTS`: names beside localhost by which browsers may reach the web server."""
    pictures_in_ui: bool
    """`FACESETS_PICTURES_IN_UI` (`on` or `off`): contact sheets in the metadata of assets, which Dagster's event
    database keeps; off leaves links only."""
    on_failure: str | None
    """`FACESETS_ON_FAILURE`: a command that is run for every run that failed."""
    keep_retired_days: float
    """`FACESETS_KEEP_RETIRED_DAYS`: retired facesets, 0 = for ever."""
    keep_reports_days: float
    """`FACESETS_KEEP_REPORTS_DAYS`: reports of runs, 0 = for ever."""
    keep_runs_days: float
    """`FACESETS_KEEP_RUNS_DAYS`: runs in Dagster's database that a later run superseded, 0 = for ever."""
    automation: bool | None
    """`FACESETS_AUTOMATION` (`on` or `off`): sensor and schedule run by themselves; None means what the home says."""
    unknown: tuple[str, ...] = ()
    """What is wrong with `FACESETS_*` names that are set and mean nothing, a sentence each."""

    @property
    def cache_dir(self) -> Path:
        """Face tables and intermediate tables."""
        return self.home / "cache"

    @property
    def library_dir(self) -> Path:
        """The library of face sets."""
        return library_folder(self.home, self.library_name)

    @property
    def tables_dir(self) -> Path:
        """Tables between assets; each library has its own, because they speak of its identities."""
        return self.cache_dir / (f"tables_{self.library_name}" if self.library_name else "tables")

    @property
    def exports_dir(self) -> Path:
        """Face sets in the formats of other programs; each library has its own."""
        return self.home / (f"exports_{self.library_name}" if self.library_name else "exports")

    @property
    def reports_dir(self) -> Path:
        """Write-ups of runs."""
        return self.home / "reports"


def library_folder(home: Path, name: str | None) -> Path:
    """Where a library of this home lies; None is the default one."""
    return home / (f"facesets_swap_ready_{name}" if name else "facesets_swap_ready")


def registry_url(home: Path, name: str | None) -> str:
    """The SQLite registry of a library of this home."""
    return f"sqlite:///{home / (f'registry_{name}.db' if name else 'registry.db')}"


def library_names(home: Path) -> list[str]:
    """Names of the libraries beside the default one that were begun in this home."""
    folders = [path.name for path in home.glob("facesets_swap_ready_*") if path.is_dir()]
    registries = [path.stem for path in home.glob("registry_*.db")]
    begun = {name.removeprefix("facesets_swap_ready_") for name in folders}
    return sorted(begun | {name.removeprefix("registry_") for name in registries})


def checked_library_name(name: str) -> str:
    """The name of a library beside the default one; raises `SettingsError` for one that is no plain word."""
    if not _LIBRARY_NAME.fullmatch(name):
        raise SettingsError(
            f"{name!r} cannot name a library. Expected 1 to 40 letters, digits, `-` and `_`, beginning with a letter "
            "or digit, e.g. `fresh`."
        )
    return name


def load_settings(environment: dict[str, str] | None = None, working_directory: Path | None = None) -> Settings:
    """Reads `.env` of the working directory and the environment (which wins) into a `Settings`."""
    directory = working_directory or Path.cwd()
    if environment is None:
        from_file = {key: value for key, value in dotenv_values(directory / ".env").items() if value is not None}
        environment = {**from_file, **os.environ}

    def path_of(text: str) -> Path:
        path = Path(text).expanduser()
        return Path(os.path.normpath(path if path.is_absolute() else directory / path))

    asked: list[str] = []

    def value_of(name: str) -> str | None:
        asked.append(name)
        return environment.get(name, "").strip() or None

    def roots_of(name: str) -> tuple[Path, ...]:
        return tuple(path_of(part) for part in (value_of(name) or "").split(os.pathsep) if part.strip())

    def switch_of(name: str) -> bool | None:
        return _switch(name, value_of(name))

    def number_of(name: str, default: str, most: float, expected: str) -> float:
        return _number(name, value_of(name) or default, most, expected)

    def days_of(name: str, default: str) -> float:
        return number_of(name, default, 36_500, "days between 0 (keep for ever) and 36500, e.g. 365")

    home = path_of(value_of("FACESETS_HOME") or "data")
    pack = value_of("FACESETS_MODEL_PACK")
    hand_sorted, library = value_of("FACESETS_HAND_SORTED"), value_of("FACESETS_LIBRARY")
    database_url = value_of("FACESETS_DATABASE_URL")
    if library and database_url:
        raise SettingsError(
            "FACESETS_LIBRARY and FACESETS_DATABASE_URL are both set. A library beside the default one keeps its "
            "registry in the home: unset FACESETS_DATABASE_URL for it."
        )
    settings = Settings(
        home=home,
        bucket_roots=roots_of("FACESETS_BUCKETS") or (home / "buckets",),
        models_root=path_of(value_of("FACESETS_MODELS") or "~/.insightface"),
        model_pack=str(path_of(pack)) if pack and os.sep in pack else pack,
        providers=_checked_providers(value_of("FACESETS_PROVIDERS")),
        precision=_precision(value_of("FACESETS_PRECISION")),
        database_url=database_url or registry_url(home, library),
        library_name=checked_library_name(library) if library else None,
        job=_one_of("FACESETS_JOB", value_of("FACESETS_JOB") or JOBS[0], JOBS),
        hand_sorted_root=path_of(hand_sorted) if hand_sorted else None,
        legacy_roots=roots_of("FACESETS_LEGACY"),
        dagster_home=path_of(value_of("DAGSTER_HOME") or str(home / "dagster")),
        settle_seconds=number_of("FACESETS_SETTLE_SECONDS", "30", 86_400, "seconds between 0 and 86400, e.g. 30"),
        on_failure=value_of("FACESETS_ON_FAILURE"),
        keep_retired_days=days_of("FACESETS_KEEP_RETIRED_DAYS", "0"),
        keep_reports_days=days_of("FACESETS_KEEP_REPORTS_DAYS", "365"),
        keep_runs_days=days_of("FACESETS_KEEP_RUNS_DAYS", "365"),
        web_hosts=tuple(host.strip() for host in (value_of("FACESETS_WEB_HOSTS") or "").split(",") if host.strip()),
        pictures_in_ui=switch_of("FACESETS_PICTURES_IN_UI") is not False,
        automation=switch_of("FACESETS_AUTOMATION"),
    )
    return replace(settings, unknown=_unknown(environment, asked))


def _unknown(names: Iterable[str], known: list[str]) -> tuple[str, ...]:
    """A sentence for each name of ours that nothing reads."""
    found = []
    for name in sorted(set(names) - set(known)):
        head, _, rest = name.partition("_")
        if head != "FACESETS" or rest in _OTHERS:
            continue
        near = difflib.get_close_matches(rest, [word.partition("_")[2] for word in known], n=1)
        meant = f"Did you mean {head}_{near[0]}?" if near else "The README lists the settings."
        found.append(f"{name} is set and means nothing. {meant}")
    return tuple(found)


def _number(name: str, text: str, most: float, expected: str) -> float:
    """A number between 0 and `most`; `expected` says in the error what is."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= most:
        raise SettingsError(f"{name} is {text!r}. Expected {expected}.")
    return number


def _one_of(name: str, text: str, choices: tuple[str, ...]) -> str:
    if text not in choices:
        raise SettingsError(f"{name} is {text!r}. Expected {' or '.join(f'`{choice}`' for choice in choices)}.")
    return text


def _precision(text: str | None) -> str | None:
    return None if text is None else _one_of("FACESETS_PRECISION", text, PRECISIONS)


def _switch(name: str, text: str | None) -> bool | None:
    if text is None:
        return None
    if text.lower() not in ("on", "off"):
        raise SettingsError(f"{name} is {text!r}. Expected `on` or `off`.")
    return text.lower() == "on"


def _checked_providers(text: str | None) -> str | None:
    if text is None or text.lower() in PROVIDER_WORDS:
        return text.lower() if text else None
    if all(name.strip().endswith("ExecutionProvider") for name in text.split(",")):
        return text
    raise SettingsError(
        f"FACESETS_PROVIDERS is {text!r}. Expected one of {', '.join(sorted(PROVIDER_WORDS))}, or ONNX Runtime "
        "provider names separated by commas (CUDAExecutionProvider,CPUExecutionProvider). Unset it to take the GPU "
        "where the installed onnxruntime has one."
    )


def provider_names(text: str | None, available: list[str]) -> tuple[str, ...]:
    """ONNX Runtime names for a `providers` setting; `available` is what the installed ONNX Runtime was built with."""
    if text is None:
        text = "cuda" if "CUDAExecutionProvider" in available else "cpu"
    return PROVIDER_WORDS.get(text) or tuple(name.strip() for name in text.split(","))
