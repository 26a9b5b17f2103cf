"""`dagster.yaml` of a home: what Dagster's instance is made of. Written once, then its user's.

Where Dagster keeps runs and events follows `FACESETS_DAGSTER_DATABASE_URL` when the file is made. A password is never
written: whoever starts a run elsewhere puts this whole configuration on a command line, so it holds the name of an
environment variable.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from facesets_dagster.addresses import DAGSTER_DRIVER, DAGSTER_PASSWORD, DAGSTER_URL
from facesets_dagster.errors import SettingsError
from facesets_dagster.files.parsing import parse_yaml
from facesets_dagster.settings import Settings

if TYPE_CHECKING:
    import sqlalchemy as sa

_TEXT = """\
# Made by `facesets init`; your changes are kept.
telemetry:
  enabled: false
nux:
  enabled: false

run_monitoring:
  enabled: true
  # Slots of runs that died are given back after this time.
  free_slots_after_run_end_seconds: 60

concurrency:
  runs:
    # Runs from the UI and the sensor are processes of their own; each loads the models.
    max_concurrent_runs: 1
  pools:
    granularity: op

retention:
  sensor:
    purge_after_days:
      skipped: 7
      failure: 30
      success: -1
  schedule:
    purge_after_days: 90
"""


def yaml_file(settings: Settings) -> Path:
    """Where it lies."""
    return settings.dagster_home / "dagster.yaml"


def yaml_text(settings: Settings) -> str:
    """What a new home gets."""
    wanted = _wanted(settings)
    return _TEXT if wanted is None else f"{_TEXT}\n{_as_yaml(wanted)}"


def require_driver(settings: Settings) -> None:
    """Raises `SettingsError` if the settings keep Dagster's databases on a server and the extra is not installed."""
    if settings.dagster_database is not None:
        _require_package()


def require_storage(settings: Settings) -> None:
    """Raises `SettingsError` if `dagster.yaml` keeps runs and events elsewhere than the settings say, or in a way that
    cannot work: a password that is not set, the wrong driver.
    """
    wanted, found, path = _wanted(settings), _storage_of(settings), yaml_file(settings)
    if settings.dagster_database is not None and _without_password(found) != _without_password(wanted):
        where = "files in its folder" if found is None else "another place"
        raise SettingsError(
            f"{DAGSTER_URL} names {settings.dagster_database.shown}, and {path} keeps Dagster's runs and events in "
            f"{where}. Unset {DAGSTER_URL}, or give that file these lines in the place of its `storage` and run "
            "`dagster instance migrate`; runs on record stay where they are, the library does not need them. Nothing "
            f"was changed.\n{_as_yaml(wanted or {})}"
        )
    url = storage_url(settings)
    if url is None:
        return
    _require_package()
    if url.get_dialect().driver != "psycopg2":
        raise SettingsError(
            f"{path} keeps Dagster's runs and events on a server and names no driver, or another one than psycopg2: "
            "Dagster's storage needs that one, and SQLAlchemy 2.1 takes psycopg 3 where none is named. Expected "
            f"`scheme: {DAGSTER_DRIVER}` in `postgres_db`, or an address that begins with `{DAGSTER_DRIVER}://`. "
            "Nothing was changed."
        )


def storage_url(settings: Settings) -> "sa.URL | None":
    """Where `dagster.yaml` keeps runs and events on a PostgreSQL server; None where it does not.

    Raises `SettingsError` if it refers to an environment variable that is not set, or holds no address.
    """
    postgres = (_storage_of(settings) or {}).get("postgres")
    if not isinstance(postgres, dict):
        return None
    import sqlalchemy as sa

    environment = {**os.environ, **settings.dagster_environment}
    path = yaml_file(settings)
    try:
        if "postgres_url" in postgres:
            return sa.make_url(str(_value(postgres["postgres_url"], environment)))
        place = {key: _value(value, environment) for key, value in postgres["postgres_db"].items()}
        return sa.URL.create(
            str(place.get("scheme", "postgresql")), place["username"], place.get("password") or None,
            str(place["hostname"]).strip("[]"), int(place.get("port", 5432)), place["db_name"],
            place.get("params") or {},
        )  # fmt: skip
    except _NotSet as error:
        raise SettingsError(
            f"{path} refers to {error}, which is not set. Expected it in the environment, or for {DAGSTER_PASSWORD} in "
            "`.env` of the working directory. Nothing was changed."
        ) from None
    except (KeyError, TypeError, ValueError, AttributeError, sa.exc.ArgumentError):
        raise SettingsError(
            f"`storage` in {path} names no database. Expected `postgres: {{postgres_db: {{...}}}}` as in Dagster's "
            "documentation. Nothing was changed."
        ) from None


class _NotSet(Exception):
    """The name of an environment variable."""


def _value(given: Any, environment: dict[str, str]) -> Any:
    """A value as it stands, or of the environment variable that it names."""
    if not (isinstance(given, dict) and set(given) == {"env"}):
        return given
    name = str(given["env"])
    if not environment.get(name):
        raise _NotSet(name)
    return environment[name]


def _require_package() -> None:
    from facesets_dagster.databases import require_dagster_storage

    require_dagster_storage()


def _wanted(settings: Settings) -> dict[str, Any] | None:
    database = settings.dagster_database
    return None if database is None else database.storage(has_password=bool(settings.dagster_password))


def _storage_of(settings: Settings) -> dict[str, Any] | None:
    path = yaml_file(settings)
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if "storage" not in text:
        return None
    try:
        config = parse_yaml(text)
    except ValueError as error:
        raise SettingsError(f"{path} cannot be read ({error}). Expected YAML. Fix it. Nothing was changed.") from error
    storage = config.get("storage") if isinstance(config, dict) else None
    return storage if isinstance(storage, dict) else None


def _without_password(storage: dict[str, Any] | None) -> object:
    """To compare: where it is, not how one gets in."""
    postgres = (storage or {}).get("postgres")
    place = postgres.get("postgres_db") if isinstance(postgres, dict) else None
    if not isinstance(place, dict):
        return storage
    return {"port": 5432, **{key: value for key, value in place.items() if key != "password"}}


def _as_yaml(storage: dict[str, Any]) -> str:
    return str(yaml.safe_dump({"storage": storage}, sort_keys=False))
