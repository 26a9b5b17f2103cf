"""Publishing from the review page with Dagster itself behind it: the run is started there, and the library follows."""

import json
import time
from pathlib import Path

import pytest

from testing.dev_server import dev_server
from testing.homes import RealHome
from testing.http import ask_http

ID = "01K00000000000000000000000"


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

        assert post("rulings", {"rulings": [statement], "seen": {}})["waiting"] == 1
        run = post("publish", {})["run_id"]
        deadline = time.monotonic() + 900
        while (status := ask_http(address, f"/review/api/runs/{run}").json["status"]) not in ("SUCCESS", "FAILURE"):
            assert time.monotonic() < deadline, status
            time.sleep(2)
        assert status == "SUCCESS"
        after = ask_http(address, "/review/api/people").json
        assert (after["waiting"], after["label"][after["name"].index(name)]) == (0, "Anna of the review page")
        assert ask_http(address, "/").headers.get_all("content-security-policy")[-1] == "frame-ancestors 'none'"
