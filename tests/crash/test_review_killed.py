"""The server of the review page killed while it writes, rulings sent twice, two clients: nothing is lost or double."""

import http.client
import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from facesets_dagster.registry import tables as t
from facesets_dagster.registry.ruling_rows import new_id
from facesets_dagster.registry.rulings import all_rulings
from testing.fake_home import FakeHome, fake_home_in
from testing.http import HttpAnswer, ask_http
from testing.made_up_registry import fill
from testing.paths import REPOSITORY
from testing.served_files import served_review

PEOPLE = 30
MOMENTS = [pytest.param(seed, marks=() if seed < 3 else pytest.mark.slow) for seed in range(50)]


def names(count: int = PEOPLE) -> list[str]:
    return [f"faceset_{number:03d}" for number in range(1, count + 1)]


def statements() -> list[dict[str, object]]:
    """Names, pairs that are two people, and ignores, each with the id that its sender made."""
    people = names()
    said: list[dict[str, object]] = [{"kind": "name", "person": one, "text": f"Person {one}"} for one in people[:10]]
    said += [{"kind": "different", "person": people[10], "other": other} for other in people[11:20]]
    said += [{"kind": "ignore", "person": one} for one in people[20:]]
    return [{"ruling_id": new_id(), **one} for one in said]


def send(address: str, statement: dict[str, object]) -> HttpAnswer:
    own = {"Content-Type": "application/json", "X-Facesets-Review": "1", "Origin": address}
    body = json.dumps({"rulings": [statement], "seen": {}}).encode()
    return ask_http(address, "/review/api/rulings", method="POST", headers=own, body=body)


@contextmanager
def alone(folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The server as a process; killed at the end, if it still is."""
    command = [sys.executable, "-m", "testing.review_alone", str(folder)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip(), server
        finally:
            server.send_signal(signal.SIGKILL)


def on_record(home: FakeHome) -> Counter[object]:
    with home.library.registry.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        return Counter(connection.scalars(sa.select(t.rulings.c.ruling_id)))


@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", MOMENTS)
def test_what_a_killed_server_acknowledged_is_on_record_and_sent_again_it_is_one(tmp_path: Path, seed: int) -> None:
    wanted, acknowledged = statements(), list[object]()
    with fake_home_in(tmp_path) as home:
        fill(home.library, PEOPLE, 2 * PEOPLE)
        with alone(tmp_path) as (address, server):
            enough = random.Random(seed).randrange(1, len(wanted))
            dying = threading.Event()

            def kill() -> None:
                dying.wait(60)
                time.sleep(random.Random(seed).uniform(0, 0.05))
                server.send_signal(signal.SIGKILL)

            killer = threading.Thread(target=kill)
            killer.start()
            for statement in wanted:
                try:
                    answer = send(address, statement)
                except (OSError, http.client.HTTPException):
                    break
                assert answer.status == 201, answer.text
                acknowledged.append(statement["ruling_id"])
                if len(acknowledged) == enough:
                    dying.set()
            dying.set()
            killer.join()
        assert acknowledged
        found = on_record(home)
        assert set(acknowledged) <= found.keys()
        assert len(found.keys() - set(acknowledged)) <= 1, "more than the one that was under way"
        with alone(tmp_path) as (address, _):
            for statement in wanted:
                before = statement["ruling_id"] in found
                assert send(address, statement).status == (200 if before else 201)
        assert on_record(home) == Counter(one["ruling_id"] for one in wanted)


@pytest.mark.timeout(120)
def test_two_clients_who_send_the_same_at_once_make_one_ruling_each(tmp_path: Path) -> None:
    wanted = statements()
    with fake_home_in(tmp_path) as home:
        fill(home.library, PEOPLE, 2 * PEOPLE)
        with served_review(home.settings) as address, ThreadPoolExecutor(4) as clients:
            answers = list(clients.map(lambda statement: send(address, statement).status, [*wanted, *wanted]))
        assert set(answers) <= {200, 201}
        assert on_record(home) == Counter(one["ruling_id"] for one in wanted)
        rulings = all_rulings(home.library.registry)
        assert [one.sequence for one in rulings] == list(range(1, len(wanted) + 1))
        assert {one.state for one in rulings} == {"in_force"}
