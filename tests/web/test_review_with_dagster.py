"""Publishing from the review page with Dagster itself behind it: the run is started there, and the library follows."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from testing.dev_server import ask, dev_server
from testing.homes import RealHome
from testing.http import ask_http

ID = "01K00000000000000000000000"


PUBLISHED = ("rulings", "applied_rulings", "library", "top_manifest")


def out_of_date(address: str) -> dict[str, tuple[str, list[str]]]:
    """What the lineage page marks of the assets that a publication of rulings concerns: status and causes."""
    keys = ", ".join(f'{{path: ["{name}"]}}' for name in PUBLISHED)
    asked = f"{{ assetNodes(assetKeys: [{keys}]) {{ assetKey {{ path }} staleStatus staleCauses {{ reason }} }} }}"
    nodes = ask(address, asked)["assetNodes"]
    found = {
        node["assetKey"]["path"][0]: (node["staleStatus"], [cause["reason"] for cause in node["staleCauses"]])
        for node in nodes
    }
    assert set(found) == set(PUBLISHED)
    return {name: marked for name, marked in found.items() if marked != ("FRESH", [])}


def until(reached: Callable[[], bool]) -> None:
    """Raises AssertionError if it is not so within a quarter of an hour."""
    deadline = time.monotonic() + 900
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(2)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_ruling_of_the_page_is_published_by_a_run_of_dagster(embedded_models_root: Path, tmp_path: Path) -> None:
    home = RealHome(tmp_path / "home", "embedded", embedded_models_root).made()
    home.facesets("sample", str(home.folder / "buckets"))
    home.facesets("run")
    with dev_server(home, tmp_path / "dev.log") as address:
        people = ask_http(address, "/review/api/people").json
        name = people["name"][0]
        statement = {"ruling_id": ID, "kind": "name", "person": name, "text": "Anna of the review page"}
        own = {"Content-Type": "application/json", "X-Facesets-Review": "1", "Origin": address}

        def post(path: str, body: object) -> dict[str, object]:
            answer = ask_http(
                address, f"/review/api/{path}", method="POST", headers=own, body=json.dumps(body).encode()
            )
            assert answer.status < 300, answer.text
            return dict(answer.json)

        def publish() -> None:
            place = f"/review/api/runs/{post('publish', {})['run_id']}"
            until(lambda: ask_http(address, place).json["status"] in ("SUCCESS", "FAILURE"))
            assert ask_http(address, place).json["status"] == "SUCCESS"

        assert post("rulings", {"rulings": [statement], "seen": {}})["waiting"] == 1
        publish()
        after = ask_http(address, "/review/api/people").json
        assert (after["waiting"], after["label"][after["name"].index(name)]) == (0, "Anna of the review page")
        assert out_of_date(address) == {}
        post("rulings", {"rulings": [{**statement, "ruling_id": ID[:-1] + "1", "text": "Berta"}], "seen": {}})
        until(lambda: set(out_of_date(address)) == {"applied_rulings"})
        publish()
        assert out_of_date(address) == {}
        assert ask_http(address, "/").headers.get_all("content-security-policy")[-1] == "frame-ancestors 'none'"
