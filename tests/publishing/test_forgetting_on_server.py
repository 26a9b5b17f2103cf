"""Forgetting with the registry on a PostgreSQL server: no file of a table holds what was forgotten."""

from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

from facesets_dagster.registry.forgotten import purge
from facesets_dagster.registry.registry import Registry
from facesets_dagster.resources.home import HomeResource
from testing.fake_home import FakeHome, fake_home_in
from testing.fakes import write_looks
from testing.forgetting import forget, kept_instance, person
from testing.postgres import PostgresServer
from testing.rulings import decide, obey

LABEL = "Quintessa"


def execute(registry: Registry, *statements: str) -> None:
    with registry.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def files_with(server: PostgresServer, words: set[bytes]) -> list[str]:
    """Files of tables and indexes on the server that hold one of these, after all that it has in memory is written."""
    found = []
    for path in sorted((server.folder / "data" / "base").rglob("*")):
        data = path.read_bytes() if path.is_file() else b""
        if any(word in data for word in words):
            found.append(str(path.relative_to(server.folder)))
    return found


def known_of(home: FakeHome, faceset: str) -> set[bytes]:
    """What the registry says of this person alone: label, faces, photos."""
    pack = home.embedder.pack()
    faces = HomeResource.of(home.settings).face_store("holiday", pack.model_id, pack.dim).columns("faces")
    own = home.library.registry.members([faceset])[faceset]
    rows = faces.filter(pl.col("face_id").is_in(list(own)))
    return {LABEL.encode(), *(text.encode() for text in (*rows["face_id"], *rows["sha256"]))}


@pytest.mark.slow
def test_a_person_is_in_no_file_of_a_table(tmp_path: Path, postgres: PostgresServer) -> None:
    with fake_home_in(tmp_path, postgres.fresh()) as made, kept_instance(made) as home:
        for one in (1, 2):
            write_looks(home.buckets / "holiday", one, (-0.9, -0.45, 0.0, 0.45, 0.9))
        home.run("holiday", osrc_clusters={"min_faces": 3})
        decide(home, lambda ask: ask.name("faceset_001", LABEL))
        obey(home)
        registry, words = home.library.registry, known_of(home, "faceset_001")
        execute(registry, "ANALYZE", "CHECKPOINT")
        assert len(files_with(postgres, words)) > 3, "rows, indexes and statistics"
        kept = home.library.registry.members(["faceset_002"])
        forget(home, person("faceset_001"))
        execute(registry, "CHECKPOINT")
        assert files_with(postgres, words) == []
        assert home.library.registry.members(["faceset_002"]) == kept
        assert home.flaws() == []
        home.run("holiday", osrc_clusters={"min_faces": 3})
        assert [one.name for one in home.library.snapshot().people()] == ["faceset_002"]
        execute(registry, "CHECKPOINT")
        assert files_with(postgres, words) == []


def test_tables_of_others_on_the_same_server_are_not_waited_for(postgres: PostgresServer) -> None:
    registry = Registry(postgres.fresh())
    registry.create()
    execute(registry, "CREATE TABLE of_another_program (x int)")
    with registry.engine.begin() as other:
        other.execute(sa.text("LOCK TABLE of_another_program IN ACCESS EXCLUSIVE MODE"))
        purge(registry)
