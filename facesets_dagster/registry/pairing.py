"""What a registry knows of the library that it belongs to. Reads only, but for the id that it gets once.

Nothing is made here: a registry whose tables are absent is one that knows nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from facesets_dagster.registry import tables as t
from facesets_dagster.registry.dialect import insert_into
from facesets_dagster.registry.registry import Registry, file_of
from facesets_dagster.registry.schema import State

ID_KEY = "library_id"
"""Key of `meta`."""


@dataclass(frozen=True)
class RegistryFacts:
    """What a registry says of itself."""

    library_id: str | None
    """None before its first publication by a release that gives one."""
    identities: int
    generation: int

    @property
    def is_empty(self) -> bool:
        """Whether it knows nobody."""
        return self.identities == 0


_NOTHING = RegistryFacts(None, 0, 0)


def facts_of(registry: Registry) -> RegistryFacts:
    """Of a registry that is absent, empty or without tables, all that is zero.

    Raises `LibraryCorrupt` if the file is no database.
    """
    if file_of(registry.engine) is None:
        return _NOTHING
    known = sa.select(t.meta.c.key, t.meta.c.value).where(t.meta.c.key.in_([ID_KEY, "generation"]))
    some = sa.select(t.identities.c.identity_id).where(t.identities.c.identity_id > 0).limit(1).subquery()
    try:
        with registry.engine.connect() as connection:
            meta = {row.key: row.value for row in connection.execute(known)}
            people = connection.scalar(sa.select(sa.func.count()).select_from(some)) or 0
    except (sa.exc.OperationalError, sa.exc.ProgrammingError):
        if _has(registry, t.identities):
            raise
        return _NOTHING
    return RegistryFacts(meta.get(ID_KEY), int(people), int(meta.get("generation", 0)))


def knows(registry: Registry, state: State) -> bool:
    """Whether the registry was in this state once: a copy that is older, or went another way since, was not."""
    query = sa.select(t.generations.c.mark).where(t.generations.c.generation == state.generation)
    try:
        with registry.engine.connect() as connection:
            return connection.scalar(query) == state.mark
    except (sa.exc.OperationalError, sa.exc.ProgrammingError):
        if _has(registry, t.generations):
            raise
        return False  # of an older release


def published_digests(registry: Registry) -> Iterator[tuple[str, str, str]]:
    """Name, kind and digest of the manifest of each live faceset with a folder, one after the other."""
    own = t.identities.c
    query = sa.select(own.name, own.kind, own.manifest_sha256).where(own.live, own.manifest_sha256.is_not(None))
    with registry.engine.connect() as connection:
        for row in connection.execute(query.order_by(own.identity_id)):
            yield row[0], row[1], row[2]


def staged_folders(registry: Registry) -> set[str]:
    """Names of the staging folders of which an interrupted publication still owes moves."""
    with registry.engine.connect() as connection:
        return set(connection.scalars(sa.select(t.pending_moves.c.staging).distinct()))


def note_library_id(registry: Registry, library_id: str) -> str:
    """Gives the registry this id unless it has one; the one that it has."""
    with registry.engine.begin() as connection:
        insert = insert_into(connection, t.meta).on_conflict_do_nothing()
        connection.execute(insert, [{"key": ID_KEY, "value": library_id}])
        return str(connection.scalar(sa.select(t.meta.c.value).where(t.meta.c.key == ID_KEY)))


def _has(registry: Registry, table: sa.Table) -> bool:
    return sa.inspect(registry.engine).has_table(table.name)
