"""What one reviewer decides is told to the others."""

import json
from pathlib import Path

from testing.fake_home import FakeHome
from testing.http import ask_http
from testing.rulings import AUTHOR, decide, three_people
from testing.served_files import served_review


def test_a_ruling_is_told_once_to_a_page_that_does_not_know_it(fake_home: FakeHome, tmp_path: Path) -> None:
    three_people(fake_home)
    with served_review(fake_home.settings) as address:
        state = ask_http(address, "/review/api/people").json["state"]
        decide(fake_home, lambda rulings: rulings.name("faceset_001", "Anna"))
        stream = ask_http(address, f"/review/api/events?state={state}")
        assert stream.headers["content-type"].startswith("text/event-stream")
        (event,) = [part for part in stream.text.split("\n\n") if "data:" in part]
        told = json.loads(event.split("data: ", 1)[1])
        assert (told["waiting"], told["by"]) == (1, AUTHOR.name)
        assert told["said"] == {"key": "said.name", "values": {"person": "faceset_001", "text": "Anna"}}
        known = event.split("id: ", 1)[1].split("\n", 1)[0]
        again = ask_http(address, "/review/api/events", headers={"Last-Event-ID": known})
        assert "data:" not in again.text
