"""Making a home: folders, `dagster.yaml`, Dagster's databases, and the record of the model pack. No Dagster import.

Made once, under a lock, because several processes that meet a fresh SQLite home at once corrupt it (dagster#27390).
The marker `home.json` is written last: a killed init is finished by the next one.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from filelock import FileLock

from facesets_dagster.dagster_yaml import require_driver, require_storage, storage_url, yaml_file, yaml_text
from facesets_dagster.embedding.packs import EMBEDDED, default_pack, pull_pack
from facesets_dagster.embedding.precision import FP32
from facesets_dagster.errors import SettingsError
from facesets_dagster.files.access import Access, keep_access, tighten
from facesets_dagster.files.parsing import parse_json
from facesets_dagster.files.writing import remove_leftovers, write_json, write_text
from facesets_dagster.settings import Settings, library_names
from facesets_dagster.wording import counted

SCHEMA_VERSION = 1
_SWITCHING = "switching_to"
"""Key of `home.json`: the pack that the home is on its way to."""
_SHARED_WITH, _NOT_SET = "shared_with", ""
"""Key of `home.json`: the group to which its files were given, null for nobody; absent from homes of older releases."""
Say = Callable[[str], None]


def init_home(settings: Settings, *, say: Say, automation: bool | None = None) -> None:
    """Makes the missing parts of a home. `automation`: whether sensor and schedule run by themselves."""
    require_library(settings)
    access = Access.of(settings.share_group)
    keep_access(access)
    recorded = _record(settings)
    if "dagster_ready" not in recorded or (automation is not None and recorded.get("automation") != automation):
        _make(settings, say, automation)
    require_storage(settings)
    recorded_precision(settings)
    _keep_to(access, settings, say, is_new=not recorded)
    if recorded_pack(settings) == EMBEDDED:
        pull_pack(EMBEDDED, settings.models_root, say)


def require_library(settings: Settings) -> None:
    """Raises `SettingsError` if `FACESETS_LIBRARY` names a library that does not exist."""
    name, there = settings.library_name, library_names(settings.home)
    if name is not None and name not in there:
        raise SettingsError(
            f"FACESETS_LIBRARY is {name!r}, and {settings.home} has no library of that name. Expected one of: "
            f"{', '.join(there) or 'none yet'}. Unset it for the default library. To begin "
            f"it, materialize refined_library with `new_library: {name}` while FACESETS_LIBRARY is unset."
        )


def recorded_pack(settings: Settings) -> str:
    """The pack of the home. Raises `SettingsError` if the settings name another one than the home was made with."""
    record = _record(settings)
    recorded, wanted = record.get("model_pack"), settings.model_pack
    if _SWITCHING in record:
        raise SettingsError(
            f"The home {settings.home} is on its way to the model pack {record[_SWITCHING]!r}, and nothing else can be "
            f"done until it is there. `facesets reembed {record[_SWITCHING]}` goes on where it was cut off."
        )
    if recorded is not None and wanted is not None and recorded != wanted:
        raise SettingsError(
            f"The home {settings.home} was made with the model pack {recorded!r}, FACESETS_MODEL_PACK is {wanted!r}. "
            "Distances between two models mean nothing, so nothing was done. Unset FACESETS_MODEL_PACK; "
            f"`facesets reembed {wanted}` gives the home the other pack."
        )
    return str(recorded or wanted or default_pack(settings.models_root))


def pack_on_record(settings: Settings) -> tuple[str | None, str | None]:
    """The pack of the home, and the one that it is on its way to; None where there is none."""
    record = _record(settings)
    pack, coming = record.get("model_pack"), record.get(_SWITCHING)
    return (str(pack) if pack else None), (str(coming) if coming else None)


def begin_switch(settings: Settings, pack: str) -> None:
    """Notes that the home gets another pack: from now on nothing but that works, until `finish_switch`."""
    write_json(settings.home / "home.json", {**_record(settings), _SWITCHING: pack})


def finish_switch(settings: Settings, pack: str) -> None:
    """The home has this pack."""
    record = {key: value for key, value in _record(settings).items() if key != _SWITCHING}
    write_json(settings.home / "home.json", {**record, "model_pack": pack})


def has_home(settings: Settings) -> bool:
    """Whether `facesets init` has made the home."""
    return "dagster_ready" in _record(settings)


def require_home(settings: Settings) -> None:
    """Raises `SettingsError` if there is no home; commands that only read make none."""
    if not has_home(settings):
        raise SettingsError(
            f"There is no home at {settings.home}. Set FACESETS_HOME to yours, or make one here with `facesets init`."
        )


def recorded_precision(settings: Settings) -> str:
    """The precision of the home's models. Raises `SettingsError` if the settings name another one."""
    record = _record(settings)
    recorded, wanted = record.get("precision", FP32 if record else None), settings.precision
    if recorded is not None and wanted is not None and recorded != wanted:
        raise SettingsError(
            f"The home {settings.home} was made with {recorded}, FACESETS_PRECISION is {wanted}. Their embeddings are "
            "not mixed, so nothing was done. Unset FACESETS_PRECISION, or set FACESETS_HOME to a new home."
        )
    return str(recorded or wanted or FP32)


def recorded_automation(settings: Settings) -> bool:
    """Whether sensor and schedule run by themselves: by the setting, else by the record of the home, else False."""
    return settings.automation if settings.automation is not None else bool(_record(settings).get("automation"))


def _record(settings: Settings) -> dict[str, object]:
    path = settings.home / "home.json"
    try:
        record = parse_json(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read ({error}). Restore it, or set FACESETS_HOME elsewhere.") from error
    if not isinstance(record, dict) or record.get("schema_version") != SCHEMA_VERSION:
        raise SettingsError(f"{path} has another schema than {SCHEMA_VERSION}. Use the release that wrote it.")
    return record


def _make(settings: Settings, say: Say, automation: bool | None) -> None:
    try:
        _make_folders(settings)
        with FileLock(settings.home / ".init.lock"):
            remove_leftovers(settings.home)
            record = _record(settings)
            if "dagster_ready" not in record:
                say(f"making the home {settings.home}")
                _make_dagster(settings)
            pack, precision = recorded_pack(settings), recorded_precision(settings)
            if "model_pack" not in record:
                say(f"model pack of this home: {pack}")
            created = record.get("created_at") or datetime.now(UTC).isoformat(timespec="seconds")
            switch = record.get("automation", False) if automation is None else automation
            fresh = {**record, "schema_version": SCHEMA_VERSION, "created_at": created, "model_pack": pack}
            inexact = {} if precision == FP32 else {"precision": precision}
            write_json(settings.home / "home.json", {**fresh, **inexact, "automation": switch, "dagster_ready": True})
    except OSError as error:
        raise SettingsError(
            f"The home {settings.home} cannot be made ({error}). Expected a folder that can be written. Set "
            "FACESETS_HOME to one."
        ) from error


def _keep_to(access: Access, settings: Settings, say: Say, *, is_new: bool) -> None:
    """Gives what earlier releases, or another setting, left the access of this home; says so if anything changed."""
    record = _record(settings)
    if record.get(_SHARED_WITH, _NOT_SET) == access.group:
        return
    photos = [*settings.bucket_roots, *settings.legacy_roots, *filter(None, [settings.hand_sorted_root])]
    own = [folder for folder in settings.own_folders if folder != settings.models_root]
    done = tighten(access, own, [*photos, settings.models_root])
    write_json(settings.home / "home.json", {**record, _SHARED_WITH: access.group})
    if done.changed and not is_new:
        others = "" if access.group else "; FACESETS_SHARE_GROUP names a group that may"
        left = f"; {done.refused} belong to other users and stay as they are" if done.refused else ""
        say(
            f"{counted(done.changed, 'file or folder', 'files and folders')} of the home can be read by {access.words} "
            f"alone now{left}{others}"
        )


def _make_folders(settings: Settings) -> None:
    folders = [settings.home, settings.cache_dir, settings.library_dir, settings.reports_dir, settings.dagster_home]
    if settings.bucket_roots == (settings.home / "buckets",):
        folders.append(settings.bucket_roots[0])
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)


def _make_dagster(settings: Settings) -> None:
    config = yaml_file(settings)
    if not config.exists():
        require_driver(settings)
        write_text(config, yaml_text(settings))
    require_storage(settings)
    url = storage_url(settings)
    if url is not None:  # its answer in a sentence, before Dagster's in pages
        from facesets_dagster.databases import look_at

        look_at(url, named_by=str(config))
    environment = {**os.environ, **settings.dagster_environment}
    command = [sys.executable, "-m", "dagster", "instance", "migrate"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SettingsError(
            f"Dagster's databases in {settings.dagster_home} cannot be made: {done.stderr.strip()[-1000:]}. Fix "
            "dagster.yaml there, or move that folder away and run `facesets init` again."
        )
