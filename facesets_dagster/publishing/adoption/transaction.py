"""The one transaction in which legacy facesets become identities of the registry. Called under the library's lock.

No file is moved or written: an adopted faceset's files stay where they are until it is published here.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from facesets_dagster.legacy.library_folder import LegacyFaceset
from facesets_dagster.photos.bucket_key import LEGACY
from facesets_dagster.registry import tables as t
from facesets_dagster.registry.registry import Registry
from facesets_dagster.registry.schema import next_generation


@dataclass(frozen=True)
class Adoption:
    """A legacy faceset as it should stand in the registry."""

    root: Path
    """The library that its files lie in."""
    faceset: LegacyFaceset
    members: Mapping[str, str]
    """face_id -> bucket."""
    centroid: NDArray[np.float32] | None
    """(dim,), unit length; None for a blind one."""
    is_new: bool


def adopt(registry: Registry, adoptions: Sequence[Adoption], *, model_id: str, run_id: str) -> None:
    """Writes it all or nothing; raises the library's generation."""
    with registry.engine.begin() as connection:
        generation = next_generation(connection)
        for adoption in adoptions:
            if adoption.is_new:
                _insert(connection, adoption.faceset, generation, run_id)
            _write_members(connection, adoption, run_id)
            centre = adoption.centroid
            known: dict[str, object] = {"centroid": None, "model_id": None}
            if centre is not None:
                known = {"centroid": centre.astype("float32").tobytes(), "model_id": model_id}
            name, entry = adoption.faceset.name, json.dumps(adoption.faceset.entry)
            connection.execute(sa.update(t.identities).where(t.identities.c.name == name).values(**known))
            connection.execute(sa.delete(t.adopted).where(t.adopted.c.name == name))
            connection.execute(sa.insert(t.adopted).values(name=name, root=str(adoption.root), entry=entry))


def _insert(connection: sa.Connection, faceset: LegacyFaceset, generation: int, run_id: str) -> None:
    """An era has its parent's number; the number of one without a parent is taken by the era itself.

    The label of one that exists is its owner's: it is written here only.
    """
    is_taken = connection.scalar(sa.select(t.numbers.c.name).where(t.numbers.c.number == faceset.number)) is not None
    if not is_taken:
        connection.execute(sa.insert(t.numbers).values(number=faceset.number, name=faceset.name, run_id=run_id))
    connection.execute(
        sa.insert(t.identities).values(
            name=faceset.name,
            number=faceset.number,
            kind=faceset.kind,
            parent=faceset.parent,
            bucket=LEGACY,
            label=faceset.label,
            live=True,
            founded=generation,
            run_id=run_id,
        )
    )


def _write_members(connection: sa.Connection, adoption: Adoption, run_id: str) -> None:
    name, columns = adoption.faceset.name, (t.members.c.face_id, t.members.c.bucket)
    rows = connection.execute(sa.select(*columns).where(t.members.c.name == name))
    known = {(row.face_id, row.bucket) for row in rows}
    wanted = set(adoption.members.items())
    for face_id, bucket in sorted(known - wanted):
        this = (t.members.c.name == name, t.members.c.face_id == face_id, t.members.c.bucket == bucket)
        connection.execute(sa.delete(t.members).where(*this))
    new = [
        {"name": name, "bucket": bucket, "face_id": face_id, "joined_by": "legacy", "run_id": run_id}
        for face_id, bucket in sorted(wanted - known)
    ]
    if new:
        connection.execute(sa.insert(t.members), new)
