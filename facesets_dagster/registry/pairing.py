"""What a registry knows of the library that it belongs to. Reads only, but for the id that it gets once.

Nothing is made here: a registry whose tables are absent is one that knows nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

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

    library_id: str | None = None
    """None before its first publication by a release that gives one."""
    knows_somebody: bool = False
    state: State = field(default_factory=lambda: State(0, None))
    knows_mark: bool = False
    """Whether it was in the state that was asked about: a copy that is older, or went another way since, was not."""


def facts_of(registry: Registry, noted: State | None) -> RegistryFacts:
    """One query. Of a registry that is absent, empty or without tables, nothing.

    `noted`: the state that a library was brought up to. Raises `LibraryCorrupt` if the file is no database.
    """
    if file_of(registry.engine) is None:
        return RegistryFacts()
    generation = sa.cast(t.meta.c.value, sa.Integer)
    joined = t.meta.outerjoin(t.generations, t.generations.c.generation == generation)
    own, marks = t.meta.alias(), t.generations.alias()
    query = sa.select(
        generation,
        t.generations.c.mark,
        sa.select(own.c.value).where(own.c.key == ID_KEY).scalar_subquery(),
        sa.exists().where(t.identities.c.identity_id > 0),
        sa.select(marks.c.mark).where(marks.c.generation == (noted.generation if noted else -1)).scalar_subquery(),
    )
    try:
        with registry.engine.connect() as connection:
            row = connection.execute(query.select_from(joined).where(t.meta.c.key == "generation")).one_or_none()
    except (sa.exc.OperationalError, sa.exc.ProgrammingError):
        return _facts_of_an_older_release(registry)
    if row is None:
        return RegistryFacts()
    return RegistryFacts(row[2], bool(row[3]), State(int(row[0]), row[1]), noted is not None and row[4] == noted.mark)


def _facts_of_an_older_release(registry: Registry) -> RegistryFacts:
    """Without marks of generations; nothing where there are no tables."""
    if not sa.inspect(registry.engine).has_table(t.identities.name):
        return RegistryFacts()
    with registry.engine.connect() as connection:
        somebody = connection.scalar(sa.select(sa.exists().where(t.identities.c.identity_id > 0)))
    return RegistryFacts(None, bool(somebody))


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
