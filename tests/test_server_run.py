"""The sample with its registry *and* Dagster's runs and events on one PostgreSQL server, through the command line."""

import json
from pathlib import Path

import psycopg
import pytest

from testing.homes import RealHome
from testing.postgres import PostgresServer

PASSWORD = "hunter2-of-dagster"


@pytest.mark.slow
def test_the_sample_with_registry_and_runs_on_one_server(
    postgres: PostgresServer, sample: Path, embedded_models_root: Path, tmp_path: Path
) -> None:
    schema = postgres.fresh().rpartition("%3D")[2]
    place = f"facesets@127.0.0.1:{postgres.port}/postgres?options=-csearch_path%3D{schema}"
    more = {
        "FACESETS_BUCKETS": str(sample),
        "FACESETS_DATABASE_URL": f"postgresql://{place}",  # no driver is named in either
        "FACESETS_DAGSTER_DATABASE_URL": f"postgresql://{place}",
        "FACESETS_DAGSTER_DATABASE_PASSWORD": PASSWORD,
    }
    home = RealHome(tmp_path / "home", "embedded", embedded_models_root, more)
    home.facesets("init", "--automation")
    first = json.loads(_json(home.facesets("run", "trip", "--json")))["buckets"]
    assert [(row["bucket"], row["result"], row["problem"]) for row in first] == [("trip", "done", None)]
    again = json.loads(_json(home.facesets("run", "trip", "--json")))["buckets"]
    assert [row["result"] for row in again] == ["same"]
    assert "sound" in home.facesets("verify")
    with psycopg.connect(f"host=127.0.0.1 port={postgres.port} user=facesets dbname=postgres") as connection:
        for table in ("identities", "members", "runs", "event_logs", "dynamic_partitions"):
            (count,) = connection.execute(f"SELECT count(*) FROM {schema}.{table}").fetchone() or (0,)
            assert count > 0, table
    assert not [path for path in home.folder.rglob("*.db*") if "cache" not in path.parts]
    for path in home.folder.rglob("*"):
        assert not path.is_file() or PASSWORD.encode() not in path.read_bytes(), path


def _json(said: str) -> str:
    return said[said.index("{") : said.rindex("}") + 1]
