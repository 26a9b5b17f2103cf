"""The password of a registry on a server is shown nowhere: in no answer of the UI, no file, log or process list."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from facesets_dagster.errors import RegistryUnavailable, SettingsError
from facesets_dagster.registry.passwords import hidden, revealed
from facesets_dagster.registry.registry import open_registry
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.settings import load_settings
from testing.dev_server import ask, dev_server
from testing.fakes import write_person
from testing.homes import RealHome
from testing.http import HttpAnswer, ask_http

PASSWORD = "hunter2-in-the-address"
URL = f"postgresql://facesets:{PASSWORD}@127.0.0.1:1/registry?connect_timeout=1"
_EVERYTHING = """{
  repositoriesOrError { ... on RepositoryConnection { nodes {
    allTopLevelResourceDetails { name description configuredValues { key value type }
      configFields { name description defaultValueAsJson } nestedResources { name } }
    pipelines { name presets { runConfigYaml } } sensors { name } schedules { name } } } }
  instance { info daemonHealth { id allDaemonStatuses { lastHeartbeatErrors { message stack } } } }
  workspaceOrError { ... on Workspace { locationEntries { displayMetadata { key value }
    locationOrLoadError { __typename ... on PythonError { message stack } } } } }
  runsOrError { ... on Runs { results { runConfigYaml tags { key value }
    eventConnection { events { __typename ... on MessageEvent { message }
      ... on ErrorEvent { error { message stack errorChain { error { message stack } } } } } } } } }
}"""
_PAGES = (
    "/",
    "/graphql?query={version}",
    "/no-such-file.js",
    "/review/no-such-file.js",
    "/files/reports/",
    "/files/library/",
    "/files/buckets/trip/",
    "/review",
    "/review/api/people",
)


@dataclass(frozen=True)
class Served:
    """What a real server of such a home answered."""

    folder: Path
    answers: dict[str, HttpAnswer]
    shown: list[str]
    """Texts of all answers, logs and command lines."""


@pytest.fixture(scope="module")
def served(embedded_models_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Served:
    tmp_path = tmp_path_factory.mktemp("served")
    home = RealHome(tmp_path / "home", "embedded", embedded_models_root, {"FACESETS_DATABASE_URL": URL}).made()
    write_person(home.folder / "buckets" / "trip", 1, 1)
    child = home.start("run", "trip")
    said, _ = child.communicate()
    assert child.returncode == 1
    assert "The registry postgresql://facesets:***@127.0.0.1:1/registry" in said
    with dev_server(home, tmp_path / "dev.log") as address:
        everything = json.dumps(ask(address, _EVERYTHING))
        answers = {page: ask_http(address, page) for page in _PAGES}
        answers["refused"] = ask_http(address, "/", headers={"Host": "a@127.0.0.1"})
        commands = [
            " ".join(one.info["cmdline"] or ()) for one in psutil.process_iter(["cmdline"]) if one.pid != os.getpid()
        ]
    assert "database_url" in everything
    texts = [answer.text for answer in answers.values()]
    return Served(home.folder, answers, [everything, *texts, *commands, said, (tmp_path / "dev.log").read_text()])


@pytest.mark.timeout(900)
def test_no_answer_file_log_or_process_list_has_it(served: Served) -> None:
    files = {path: path.read_bytes() for path in served.folder.rglob("*") if path.is_file()}
    assert [text[:200] for text in served.shown if PASSWORD in text] == []
    assert [path for path, data in files.items() if PASSWORD.encode() in data] == []


@pytest.mark.timeout(900)
def test_every_answer_has_the_headers_that_keep_other_pages_out(served: Served) -> None:
    assert served.answers["refused"].status == 403
    for page, answer in served.answers.items():
        found = {name.lower(): value for name, value in answer.headers.items()}
        assert found["x-content-type-options"] == "nosniff", page
        assert found["x-frame-options"] == "DENY", page
        assert found["cross-origin-resource-policy"] == "same-origin", page
        assert found["referrer-policy"] in ("same-origin", "no-referrer"), page
        assert answer.headers.get_all("content-security-policy")[-1] == "frame-ancestors 'none'", page
        assert len(answer.headers.get_all("referrer-policy")) == 1, page


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (URL, "postgresql://facesets:***@127.0.0.1:1/registry?connect_timeout=1"),
        ("postgresql://a:%40%3A@[::1]:5432/db", "postgresql://a:***@[::1]:5432/db"),
        ("postgresql://h/db?user=a&password=geheim", "postgresql://h/db?user=a&password=***"),
        ("postgresql://h/db?sslpassword=geheim&x=%2F", "postgresql://h/db?sslpassword=***&x=%2F"),
        ("postgresql://a@h/db", "postgresql://a@h/db"),
        ("sqlite:////home/me/registry.db", "sqlite:////home/me/registry.db"),
    ],
)
def test_what_is_shown_of_an_address(url: str, shown: str) -> None:
    assert hidden(url) == shown
    assert revealed(shown) == url


def test_a_process_that_never_knew_the_password_says_so() -> None:
    with pytest.raises(SettingsError, match=r"not known to this process. Set FACESETS_DATABASE_URL"):
        revealed("postgresql://nobody:***@elsewhere/db")


def test_neither_settings_nor_the_home_print_it(tmp_path: Path) -> None:
    settings = load_settings({"FACESETS_HOME": str(tmp_path), "FACESETS_DATABASE_URL": URL}, tmp_path)
    resource = HomeResource.of(settings)
    home = resource.plain()
    assert home.database_url == URL
    assert PASSWORD not in f"{settings!r} {settings} {home!r} {resource!r}"
    with pytest.raises(RegistryUnavailable) as caught:
        open_registry(URL)
    assert PASSWORD not in f"{caught.value} {caught.value.__cause__}"
    assert str(caught.value).startswith("The registry postgresql://facesets:***@127.0.0.1:1/registry")


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{PASSWORD}@x@host/db",
        f"postgresql://me:{PASSWORD}/x@host/db",
        f"postgresql://me:{PASSWORD}#x@host/db",
        f"postgresql://me:{PASSWORD}?x@host/db",
        f"postgresql://me:{PASSWORD}",
        f"postgres//me:{PASSWORD}@host/db",
        f"mysql://me:{PASSWORD}@host/db",
        f"{PASSWORD}",
    ],
)
def test_an_address_that_is_none_is_refused_without_showing_it(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match=r"FACESETS_DATABASE_URL is no address of a database. Expected") as caught:
        load_settings({"FACESETS_HOME": str(tmp_path), "FACESETS_DATABASE_URL": url}, tmp_path)
    assert PASSWORD not in str(caught.value)
