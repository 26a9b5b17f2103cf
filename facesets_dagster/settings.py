"""The settings of a home: the one place where the process environment (and `.env`) is read.

What belongs here: names, defaults and bounds of the `FACESETS_*` variables. What does not: run parameters (they live
in the `dg.Config` class of their asset) and anything that touches a file of the home (`facesets_dagster.home`).
"""

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from facesets_dagster.addresses import DAGSTER_PASSWORD, DAGSTER_URL, DagsterDatabase, registry_url
from facesets_dagster.errors import SettingsError

Job = Literal["discover_identities", "full_pipeline"]
JOBS: tuple[Job, ...] = get_args(Job)
"""What sensor, schedule and `facesets run` can run."""
_NO_SETTINGS = ("FAILED_BUCKET", "FAILED_RUN", "FAILED_ERROR", "SHARED", "TEST_MODELS")
"""`FACESETS_*` names that are no settings: input of the `FACESETS_ON_FAILURE` command, or of tests and benchmarks."""
_LIBRARY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")

PROVIDER_WORDS = {
    "cpu": ("CPUExecutionProvider",),
    "cuda": ("CUDAExecutionProvider", "CPUExecutionProvider"),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"),
    "coreml": ("CoreMLExecutionProvider", "CPUExecutionProvider"),
}


def checked_library_name(name: str) -> str:
    """The name of a library beside the default one. Raises `SettingsError` if it is no plain word."""
    if not _LIBRARY_NAME.fullmatch(name):
        raise SettingsError(
            f"{name!r} cannot name a library. Expected 1 to 40 letters, digits, `-` and `_`, beginning with a letter "
            "or digit, e.g. `fresh`."
        )
    return name


def _expected(text: str) -> WrapValidator:
    """Replaces what pydantic says about a wrong value by the description of a right one."""

    def validate(value: object, handler: ValidatorFunctionWrapHandler) -> object:
        try:
            return handler(value)
        except ValidationError:
            raise PydanticCustomError("setting", text) from None

    return WrapValidator(validate)


def _absolute(text: str, info: ValidationInfo) -> Path:
    """A path; a relative one belongs to the working directory, which is the context of the validation."""
    return Path(os.path.normpath(Path(info.context or Path.cwd()) / Path(text).expanduser()))


def _roots(text: str, info: ValidationInfo) -> tuple[Path, ...]:
    return tuple(_absolute(part, info) for part in text.split(os.pathsep) if part.strip())


def _pack(text: str, info: ValidationInfo) -> str:
    return str(_absolute(text, info)) if os.sep in text else text


def _providers(text: str) -> str:
    if text.lower() in PROVIDER_WORDS:
        return text.lower()
    if all(name.strip().endswith("ExecutionProvider") for name in text.split(",")):
        return text
    raise PydanticCustomError(
        "setting",
        f"one of {', '.join(sorted(PROVIDER_WORDS))}, or ONNX Runtime provider names separated by commas "
        "(CUDAExecutionProvider,CPUExecutionProvider). Unset it to take the GPU where the installed onnxruntime has "
        "one",
    )


def _database(url: str) -> str:
    """The address of a database whose password, if it has one, ends where it should."""
    scheme, _, rest = url.partition("://")
    if scheme.partition("+")[0] == "sqlite":
        return url
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")
    try:
        is_plain = "@" not in place[0] + parts.path + parts.query + parts.fragment and (parts.port or 1) > 0
    except ValueError:  # what stands in the place of the port is none
        is_plain = False
    if scheme.partition("+")[0] not in ("postgresql", "postgres") or not rest or not is_plain:
        raise PydanticCustomError(
            "setting",
            "`sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`, with @ : / ? # in a password written "
            "as %40 %3A %2F %3F %23",
        )
    return url


def _dagster_database(url: str) -> DagsterDatabase:
    try:
        return DagsterDatabase.of(url)
    except ValueError:
        raise PydanticCustomError(
            "setting",
            "`postgresql://USER@HOST:PORT/DATABASE` without a password, which belongs in "
            f"{DAGSTER_PASSWORD}: this address is written to dagster.yaml, a password never is",
        ) from None


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


_Path = Annotated[Path, BeforeValidator(_absolute)]
_Roots = Annotated[tuple[Path, ...], BeforeValidator(_roots)]
_Switch = Annotated[bool, _expected("`on` or `off`")]
_Seconds = Annotated[float, Field(ge=0, le=86_400), _expected("seconds between 0 and 86400, e.g. 30")]
_Memory = Annotated[float, Field(ge=256), _expected("megabytes, at least 256, e.g. 4000")]
_FileSize = Annotated[float, Field(ge=1), _expected("megabytes, at least 1, e.g. 2000")]
_Patience = Annotated[float, Field(ge=0.1, le=86_400), _expected("seconds between 0.1 and 86400, e.g. 120")]
PHOTO_FILE_MB, PHOTO_SECONDS = 2000.0, 120.0
"""Defaults; also of processes that have no settings."""
BACKUPS_KEPT = 10
"""Default; also of a library that is opened without settings."""
_Days = Annotated[float, Field(ge=0, le=36_500), _expected("days between 0 (keep for ever) and 36500, e.g. 365")]

_Copies = Annotated[int, Field(ge=0, le=1000), _expected("a number between 0 (none) and 1000, e.g. 10")]

_Header = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$"), _expected("the name of a header, e.g. X-Forwarded-User")]


class Settings(BaseModel):
    """Places of things, the model pack, and what runs by itself; all paths absolute."""

    model_config = ConfigDict(frozen=True)

    home: _Path = Field("data", alias="FACESETS_HOME", validate_default=True)
    bucket_roots: _Roots = Field(alias="FACESETS_BUCKETS", default_factory=lambda given: (given["home"] / "buckets",))
    models_root: _Path = Field("~/.insightface", alias="FACESETS_MODELS", validate_default=True)
    model_pack: Annotated[str, BeforeValidator(_pack)] | None = Field(None, alias="FACESETS_MODEL_PACK")
    """A name, or the absolute path of a folder; None means the pack that the home was made with."""
    providers: Annotated[str, AfterValidator(_providers)] | None = Field(None, alias="FACESETS_PROVIDERS")
    """A word of `PROVIDER_WORDS` or a comma-separated list of ONNX Runtime names; None means the GPU where the
    installed ONNX Runtime is built for one, else the CPU."""
    precision: Annotated[Literal["fp32", "fp16"], _expected("`fp32` or `fp16`")] | None = Field(
        None, alias="FACESETS_PRECISION"
    )
    """None means the precision that the home was made with."""
    library_name: Annotated[str, AfterValidator(checked_library_name)] | None = Field(None, alias="FACESETS_LIBRARY")
    """A library beside the default one; None means the default."""
    server_url: Annotated[str, AfterValidator(_database)] | None = Field(
        None, alias="FACESETS_DATABASE_URL", repr=False
    )
    """Where the default library has its registry; None means a file in the home."""
    dagster_database: Annotated[DagsterDatabase, BeforeValidator(_dagster_database)] | None = Field(
        None, alias="FACESETS_DAGSTER_DATABASE_URL"
    )
    """Where Dagster keeps runs and events; None means what `dagster.yaml` says, files in the home if nothing."""
    dagster_password: str | None = Field(None, alias="FACESETS_DAGSTER_DATABASE_PASSWORD", repr=False)
    """Of that user there; None for none, or one that PostgreSQL's own files name."""
    job: Annotated[Job, _expected(" or ".join(f"`{job}`" for job in JOBS))] = Field(JOBS[0], alias="FACESETS_JOB")
    join_known: _Switch = Field(True, alias="FACESETS_JOIN_KNOWN")
    """Whether new photos of known people join their face sets in these jobs, or wait to be asked for."""
    hand_sorted_root: _Path | None = Field(None, alias="FACESETS_HAND_SORTED")
    legacy_roots: _Roots = Field((), alias="FACESETS_LEGACY")
    dagster_home: _Path = Field(alias="DAGSTER_HOME", default_factory=lambda given: given["home"] / "dagster")
    settle_seconds: _Seconds = Field(30.0, alias="FACESETS_SETTLE_SECONDS")
    """Time without changes after which the sensor runs a bucket."""
    web_hosts: Annotated[tuple[str, ...], BeforeValidator(_parts)] = Field((), alias="FACESETS_WEB_HOSTS")
    """Names beside localhost by which browsers may reach the web server."""
    review: Annotated[Literal["off", "read", "write"], _expected("`off`, `read` or `write`")] | None = Field(
        None, alias="FACESETS_REVIEW"
    )
    """What the review page may do; None means write where only this machine reaches it or visitors have names, else
    read."""
    review_user_header: _Header | None = Field(None, alias="FACESETS_REVIEW_USER_HEADER")
    """In which a trusted proxy says who the visitor is; with it, nobody without a name writes."""
    trusted_proxies: Annotated[tuple[str, ...], BeforeValidator(_parts)] = Field((), alias="FACESETS_TRUSTED_PROXIES")
    """Addresses from which that header is believed."""
    share_group: str | None = Field(None, alias="FACESETS_SHARE_GROUP")
    """Whose members may read and write the home beside its user; None means nobody."""
    ignore: Annotated[tuple[str, ...], BeforeValidator(_parts)] = Field((), alias="FACESETS_IGNORE")
    """Shell globs of files and folders of every bucket that are passed over."""
    links_to: _Roots = Field((), alias="FACESETS_LINKS_TO")
    """Folders to which symbolic links in a bucket may lead, beside the folders of photos that are set."""
    pictures_in_ui: _Switch = Field(True, alias="FACESETS_PICTURES_IN_UI")
    """Contact sheets in the metadata of assets, which Dagster's event database keeps; off leaves links only."""
    photo_memory_mb: _Memory | None = Field(None, alias="FACESETS_PHOTO_MEMORY_MB")
    """What reading and decoding photos may take in all; None = half of what the machine or its container has."""
    photo_file_mb: _FileSize = Field(PHOTO_FILE_MB, alias="FACESETS_PHOTO_FILE_MB")
    """Larger files are not read."""
    photo_seconds: _Patience = Field(PHOTO_SECONDS, alias="FACESETS_PHOTO_SECONDS")
    """What decoding one photo may take."""
    on_failure: str | None = Field(None, alias="FACESETS_ON_FAILURE")
    """A command that is run for each run that failed."""
    keep_retired_days: _Days = Field(0.0, alias="FACESETS_KEEP_RETIRED_DAYS")
    """Age at which retired facesets are removed; 0 = never."""
    keep_reports_days: _Days = Field(365.0, alias="FACESETS_KEEP_REPORTS_DAYS")
    """Age at which reports of runs are removed; 0 = never."""
    keep_runs_days: _Days = Field(365.0, alias="FACESETS_KEEP_RUNS_DAYS")
    """Age at which runs superseded by a later one leave Dagster's database; 0 = never."""
    registry_backups: _Copies = Field(BACKUPS_KEPT, alias="FACESETS_REGISTRY_BACKUPS")
    """Copies of the registry that are kept; one is made after each publication. 0 = none."""
    automation: _Switch | None = Field(None, alias="FACESETS_AUTOMATION")
    """Whether sensor and schedule run by themselves; None means what the home says."""
    unknown: tuple[str, ...] = ()
    """A sentence for each `FACESETS_*` name that is set and is no setting."""

    @property
    def database_url(self) -> str:
        """The address of this library's registry, with its password if it has one."""
        return self.registry_of(self.library_name)

    def registry_of(self, name: str | None) -> str:
        """The same of another library of this home; None is the default one."""
        return registry_of(self.home, name, self.server_url)

    @property
    def dagster_environment(self) -> dict[str, str]:
        """What processes of Dagster need of the environment, also where it stands in `.env` alone."""
        password = {DAGSTER_PASSWORD: self.dagster_password} if self.dagster_password else {}
        return {"DAGSTER_HOME": str(self.dagster_home), **password}

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
        """Tables between assets; each library has its own, because they name its identities."""
        return self.cache_dir / (f"tables_{self.library_name}" if self.library_name else "tables")

    @property
    def exports_dir(self) -> Path:
        """Face sets in the formats of other programs; each library has its own."""
        return self.home / (f"exports_{self.library_name}" if self.library_name else "exports")

    @property
    def reports_dir(self) -> Path:
        """Write-ups of runs."""
        return self.home / "reports"

    @property
    def calibration_file(self) -> Path:
        """Numbers that the home measured for its pack."""
        return self.home / "calibration.json"

    @property
    def folder_list(self) -> Path:
        """The list of folders that are buckets where they lie."""
        return self.home / "bucket_folders.json"

    @property
    def linked_roots(self) -> tuple[Path, ...]:
        """Folders to which symbolic links in a bucket may lead."""
        by_hand = (self.hand_sorted_root,) if self.hand_sorted_root else ()
        return (*self.bucket_roots, *by_hand, *self.legacy_roots, *self.links_to)

    @property
    def own_folders(self) -> tuple[Path, ...]:
        """Folders that the platform writes to: never buckets, wherever they lie."""
        return (
            *(self.home, self.cache_dir, self.library_dir, self.exports_dir, self.reports_dir, self.dagster_home),
            self.models_root,
        )


def library_folder(home: Path, name: str | None) -> Path:
    """The folder of a library of this home; None is the default one."""
    return home / (f"facesets_swap_ready_{name}" if name else "facesets_swap_ready")


def registry_of(home: Path, name: str | None, server: str | None) -> str:
    """As `addresses.registry_url`. Raises `SettingsError` for a name that the server would cut off."""
    try:
        return registry_url(home, name, server)
    except ValueError as error:
        raise SettingsError(
            f"The library {name!r} would get the schema {str(error)!r} on the registry's server, whose names have at "
            "most 63 bytes. Give it a shorter name, or the default library a shorter schema. Nothing was changed."
        ) from None


def library_names(home: Path) -> list[str]:
    """Names of the libraries of this home beside the default one."""
    folders = [path.name for path in home.glob("facesets_swap_ready_*") if path.is_dir()]
    registries = [path.stem for path in home.glob("registry_*.db")]
    begun = {name.removeprefix("facesets_swap_ready_") for name in folders}
    return sorted(begun | {name.removeprefix("registry_") for name in registries})


def load_settings(environment: Mapping[str, str] | None = None, working_directory: Path | None = None) -> Settings:
    """The settings in `.env` of the working directory and in the environment, which wins; empty means unset.

    Raises `SettingsError` if a value cannot be used.
    """
    directory = working_directory or Path.cwd()
    if environment is None:
        from_file = {key: value for key, value in _of_file(directory / ".env").items() if value is not None}
        environment = {**from_file, **os.environ}
    given = {name: text.strip() for name, text in environment.items() if text.strip()}
    for name, text in given.items():
        if "\0" in text:
            raise SettingsError(f"{name} holds a NUL character. Expected text; was `.env` written by a program?")
    if "FACESETS_LIBRARY" in given and given.get("FACESETS_DATABASE_URL", "").startswith("sqlite"):
        raise SettingsError(
            "FACESETS_LIBRARY is set, and FACESETS_DATABASE_URL names the file of one registry. A library beside the "
            "default one keeps its registry in a file of its own in the home: unset FACESETS_DATABASE_URL for it. On a "
            "server (postgresql://...) it gets a schema of its own."
        )
    try:
        return Settings.model_validate({**given, "unknown": _unknown(environment)}, context=directory)
    except ValidationError as error:
        # Defaults that need a wrong value are errors of their own: they are left out.
        wrong = [one for one in error.errors() if one["type"] == "setting"]
        sentences = [f"{one['loc'][0]} {_found(one)}. Expected {one['msg']}." for one in wrong]
        raise SettingsError(" ".join(sentences)) from None


def _found(error: Mapping[str, Any]) -> str:
    """What was found; an address may have a password in it."""
    is_secret = error["loc"][0] in ("FACESETS_DATABASE_URL", DAGSTER_URL)
    return "is no address of a database" if is_secret else f"is {error['input']!r}"


def _of_file(path: Path) -> Mapping[str, str | None]:
    try:
        return dotenv_values(path)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"The settings in {path} cannot be read ({error}). Expected lines of text, NAME=value. Fix the file, or "
            "move it away. Nothing was changed."
        ) from error


def ui_port() -> int:
    """Where `make dev` serves unless PORT names another port."""
    port = os.environ.get("PORT", "")
    return int(port) if port.isdecimal() else 3000


def _unknown(names: Iterable[str]) -> tuple[str, ...]:
    """A sentence for each name in our namespace that is no setting."""
    known = {field.alias for field in Settings.model_fields.values() if field.alias}
    rests = sorted(name.partition("_")[2] for name in known)
    found = []
    for name in sorted(set(names) - known):
        head, _, rest = name.partition("_")
        if head != "FACESETS" or rest in _NO_SETTINGS:
            continue
        near = difflib.get_close_matches(rest, rests, n=1)
        meant = f"Did you mean {head}_{near[0]}?" if near else "The README lists the settings."
        found.append(f"{name} is set and means nothing. {meant}")
    return tuple(found)


def provider_names(text: str | None, available: list[str]) -> tuple[str, ...]:
    """ONNX Runtime names for a `providers` setting; `available` is what the installed ONNX Runtime was built with."""
    if text is None:
        text = "cuda" if "CUDAExecutionProvider" in available else "cpu"
    return PROVIDER_WORDS.get(text) or tuple(name.strip() for name in text.split(","))
