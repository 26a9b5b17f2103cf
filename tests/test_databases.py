"""Databases on a server: which addresses are understood, what `facesets init` writes, what `facesets doctor` says."""

import os
import socket
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.instance.ref import InstanceRef

from facesets_dagster.addresses import DAGSTER_PASSWORD, DagsterDatabase, registry_url
from facesets_dagster.dagster_yaml import require_storage, yaml_file, yaml_text
from facesets_dagster.databases import look_at, with_driver
from facesets_dagster.doctor import Finding, run_doctor
from facesets_dagster.errors import SettingsError
from facesets_dagster.registry.registry import registry_at
from facesets_dagster.settings import Settings, load_settings
from testing.postgres import PostgresServer

SERVER = "postgresql://me:secret@db.example:5433/facesets"
DAGSTER = "postgresql://me@db.example/dagster"


def settings_of(folder: Path, **more: str) -> Settings:
    return load_settings({"FACESETS_HOME": str(folder / "home"), **more}, folder)


def with_yaml(settings: Settings, text: str) -> Settings:
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    yaml_file(settings).write_text(text)
    return settings


def finding(settings: Settings, name: str) -> Finding:
    return next(one for one in run_doctor(settings) if one.name == name)


@pytest.fixture
def nobody_there() -> int:
    """A port at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("server", "name", "expected"),
    [
        (None, None, "sqlite:////home/registry.db"),
        (None, "fresh", "sqlite:////home/registry_fresh.db"),
        (SERVER, None, SERVER),
        (SERVER, "fresh", SERVER + "?options=-csearch_path%3D%22library_fresh%22"),
        (SERVER + "?sslmode=require", "A-b", SERVER + "?sslmode=require&options=-csearch_path%3D%22library_A-b%22"),
        (
            SERVER + "?options=-csearch_path%3Dfamily%20-cstatement_timeout%3D9",
            "fresh",
            SERVER + "?options=-cstatement_timeout%3D9%20-csearch_path%3D%22family_library_fresh%22",
        ),
        (
            SERVER + "?options=-c%20search_path%3D%22Ours%22,public",
            "x",
            SERVER + "?options=-csearch_path%3D%22Ours_library_x%22",
        ),
    ],
)
def test_every_library_has_a_registry_of_its_own(server: str | None, name: str | None, expected: str) -> None:
    assert registry_url(Path("/home"), name, server) == expected


def test_a_library_that_was_begun_in_a_file_stays_there(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, FACESETS_DATABASE_URL=SERVER, FACESETS_LIBRARY="fresh")
    assert settings.database_url.startswith(SERVER)
    settings.home.mkdir()
    (settings.home / "registry_fresh.db").touch()
    assert settings.database_url == f"sqlite:///{settings.home}/registry_fresh.db"
    assert settings.registry_of(None) == SERVER


def test_a_schema_whose_name_the_server_would_cut_off_is_refused(tmp_path: Path) -> None:
    long = SERVER + "?options=-csearch_path%3D" + "s" * 40
    settings = settings_of(tmp_path, FACESETS_DATABASE_URL=long, FACESETS_LIBRARY="n" * 20)
    with pytest.raises(SettingsError, match="whose names have at most 63 bytes"):
        _ = settings.database_url


@pytest.mark.parametrize(
    "url", ["postgresql://h/d", "postgresql+psycopg://me@h/d", "mysql://me@h/d", "postgresql://me@h", "nonsense",
            "postgresql://me:hunter2@h/d", "postgresql://me@h/d?password=hunter2", "postgresql://me@h:port/d"],
)  # fmt: skip
def test_an_address_of_dagsters_storage_holds_no_password_and_is_not_shown_if_it_does(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"FACESETS_DAGSTER_DATABASE_URL is no address.*belongs in") as caught:
        settings_of(tmp_path, FACESETS_DAGSTER_DATABASE_URL=url)
    assert "hunter2" not in str(caught.value)


def test_dagster_yaml_names_the_driver_and_refers_to_the_password(tmp_path: Path) -> None:
    more = {"FACESETS_DAGSTER_DATABASE_URL": f"{DAGSTER}?sslmode=require", DAGSTER_PASSWORD: "hunter2"}
    settings = settings_of(tmp_path, **more)
    text = yaml_text(settings)
    assert "hunter2" not in text + repr(settings)
    assert yaml.safe_load(text)["storage"]["postgres"]["postgres_db"] == {
        "scheme": "postgresql+psycopg2", "username": "me", "password": {"env": DAGSTER_PASSWORD},
        "hostname": "db.example", "port": 5432, "db_name": "dagster", "params": {"sslmode": "require"},
    }  # fmt: skip
    require_storage(with_yaml(settings, text))
    assert settings.dagster_environment[DAGSTER_PASSWORD] == "hunter2"
    # What a launcher puts on a command line.
    whole = dg.serialize_value(InstanceRef.from_dir(str(settings.dagster_home)))
    assert DAGSTER_PASSWORD in whole
    assert "hunter2" not in whole


def test_without_a_server_dagster_yaml_says_nothing_of_storage(tmp_path: Path) -> None:
    assert "storage" not in yaml.safe_load(yaml_text(settings_of(tmp_path)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("telemetry: {enabled: false}\n", "keeps Dagster's runs and events in files in its folder. Unset"),
        ("storage: {sqlite: {base_dir: /tmp}}\n", "in another place. Unset"),
    ],
)
def test_a_home_whose_runs_lie_elsewhere_is_refused_with_the_lines_to_write(
    text: str, expected: str, tmp_path: Path
) -> None:
    settings = with_yaml(settings_of(tmp_path, FACESETS_DAGSTER_DATABASE_URL=DAGSTER), text)
    with pytest.raises(SettingsError, match=expected) as caught:
        require_storage(settings)
    assert yaml.safe_load(str(caught.value).split("\n", 1)[1])["storage"] == DagsterDatabase.of(DAGSTER).storage(
        has_password=False
    )


@pytest.mark.parametrize(
    ("storage", "expected"),
    [
        ("{postgres_url: 'postgresql://me@h/d'}", "names no driver, or another one than psycopg2"),
        ("{postgres_db: {username: me, hostname: h, db_name: d}}", "names no driver, or another one than psycopg2"),
        ("{postgres_url: {env: NOBODY_SET_THIS}}", "refers to NOBODY_SET_THIS, which is not set"),
        ("{postgres_db: {username: me}}", "names no database"),
        ("{postgres_url: '%'}", "names no database"),
    ],
)
def test_a_storage_that_somebody_wrote_and_that_cannot_work_is_explained(
    storage: str, expected: str, tmp_path: Path
) -> None:
    settings = with_yaml(settings_of(tmp_path), f"storage: {{postgres: {storage}}}\n")
    with pytest.raises(SettingsError, match=expected):
        require_storage(settings)
    assert finding(settings, "dagster_storage").status == "problem"


def test_a_driver_that_is_not_installed_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("psycopg", "psycopg2"):
        monkeypatch.setitem(sys.modules, module, None)
    settings = settings_of(tmp_path, FACESETS_DATABASE_URL=SERVER, FACESETS_DAGSTER_DATABASE_URL=DAGSTER)
    with_yaml(settings, yaml_text(settings))
    for name, module in (("registry", "psycopg"), ("dagster_storage", "psycopg2")):
        found = finding(settings, name)
        assert found.status == "problem"
        assert f"{module} is not installed. Expected the extra `postgres`: `uv sync --extra postgres`" in found.advice


def test_a_server_that_does_not_answer_is_a_sentence_without_the_password(tmp_path: Path, nobody_there: int) -> None:
    place = f"127.0.0.1:{nobody_there}/facesets"
    settings = settings_of(
        tmp_path,
        FACESETS_DATABASE_URL=f"postgresql://me:hunter2@{place}",
        FACESETS_DAGSTER_DATABASE_URL=f"postgresql://me@{place}",
        FACESETS_DAGSTER_DATABASE_PASSWORD="hunter2",
    )
    with_yaml(settings, yaml_text(settings))
    for name in ("registry", "dagster_storage"):
        found = finding(settings, name)
        assert found.status == "problem"
        assert f"(127.0.0.1:{nobody_there}) cannot be used: " in found.advice
        assert "See that it runs" in found.advice
        assert "hunter2" not in found.found + found.advice


def test_the_doctor_names_driver_server_and_schema(postgres: PostgresServer, tmp_path: Path) -> None:
    schema = postgres.fresh().rpartition("%3D")[2]
    place = f"facesets@127.0.0.1:{postgres.port}/postgres?options=-csearch_path%3D{schema}"
    settings = settings_of(
        tmp_path, FACESETS_DATABASE_URL=f"postgresql://{place}", FACESETS_DAGSTER_DATABASE_URL=f"postgresql://{place}"
    )
    with_yaml(settings, yaml_text(settings))
    for name, driver in (("registry", "psycopg 3."), ("dagster_storage", "psycopg2 2.")):
        found = finding(settings, name)
        assert found.status == "ok"
        assert found.found.startswith("PostgreSQL ")
        assert f"database postgres, schema {schema}, driver {driver}" in found.found


def test_a_schema_that_is_not_there_is_made(postgres: PostgresServer, tmp_path: Path) -> None:
    server = postgres.fresh()
    settings = settings_of(tmp_path, FACESETS_DATABASE_URL=server, FACESETS_LIBRARY="Fresh-1")
    facts = look_at(with_driver(settings.database_url), named_by="FACESETS_DATABASE_URL")
    assert "the schema is made when it is first written to" in facts.text
    beside, default = registry_at(settings.database_url), registry_at(server)
    beside.create()
    default.create()
    schema = server.rpartition("%3D")[2] + "_library_Fresh-1"
    assert f"schema {schema}," in look_at(with_driver(settings.database_url), named_by="-").text
    assert beside.state() != default.state()


def test_a_password_that_stands_in_the_env_file_alone_reaches_what_dagster_starts(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"{DAGSTER_PASSWORD}=hunter2\nFACESETS_HOME={tmp_path / 'home'}\n")
    assert DAGSTER_PASSWORD not in os.environ
    assert load_settings(None, tmp_path).dagster_environment[DAGSTER_PASSWORD] == "hunter2"
