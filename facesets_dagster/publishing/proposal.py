"""What the tables of a bucket propose: who is spoken for, and which clusters may found somebody."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.identities.bindings import NO_BINDINGS, Bindings
from facesets_dagster.identities.gates import Verdict
from facesets_dagster.identities.geometry import normalised
from facesets_dagster.registry.joins import JOIN_SCHEMA


@dataclass(frozen=True)
class Proposal:
    """Face ids and numbers, nothing that has to be derived again."""

    bucket: str
    mode: str
    """`grow` or `rebuild` (`identities.discovery`)."""
    min_faces: int
    rematch_distance: float
    verdicts: Mapping[str, Verdict]
    """face_id -> verdict of `identities.discovery`."""
    clusters: Mapping[int, AbstractSet[str]]
    """Cluster label -> faces that passed gates and outlier rejection."""
    photo_of: Mapping[str, str]
    """face_id -> content digest."""
    unit: Mapping[str, NDArray[np.float32]]
    """face_id -> unit embedding (dim,)."""
    look_of: Mapping[str, int] = field(default_factory=dict)
    """face_id -> number of its look inside its cluster, where photos may be copies of one."""
    joins: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=JOIN_SCHEMA))
    """Joins of the second stage (`JOIN_SCHEMA`)."""
    bindings: Bindings = NO_BINDINGS
    """What rulings say of the bucket's faces."""

    def photos(self, faces: AbstractSet[str]) -> int:
        """How many photos they come from; copies that look the same are one."""
        return len({self.look_of.get(face, self.photo_of[face]) for face in faces})

    def joins_after(self, before: pl.DataFrame) -> pl.DataFrame:
        """Joins on record after the run: of faces that were members before it, those of `before` stay."""
        members = [face_id for face_id, verdict in self.verdicts.items() if verdict.state == "member"]
        return pl.concat([before.filter(pl.col("face_id").is_in(members)), self.joins]).sort("face_id")


def units_of(rows: pl.DataFrame) -> dict[str, NDArray[np.float32]]:
    """face_id -> unit embedding (dim,) of rows of the face table."""
    ids = rows["face_id"].to_list()
    return dict(zip(ids, normalised(rows["embedding"].to_numpy()), strict=True)) if ids else {}


def proposal_of(
    bucket: str,
    table: pl.DataFrame,
    *,
    min_faces: int,
    rematch_distance: float,
    photo_of: Mapping[str, str],
    unit: Mapping[str, NDArray[np.float32]],
    bindings: Bindings = NO_BINDINGS,
) -> Proposal:
    """What a cluster table proposes. `photo_of`: face_id -> content digest; `unit`: face_id -> (dim,)."""
    survivors = table.filter(pl.col("state").is_in(["candidate", "small_cluster"]))
    clusters: dict[int, set[str]] = {}
    for label, face_id in survivors.select("cluster", "face_id").iter_rows():
        clusters.setdefault(label, set()).add(face_id)
    ruling = "ruling" if "ruling" in table.columns else pl.lit(None, pl.String)  # older tables have none
    decided = table.select("face_id", "state", "value", "threshold", "identity", ruling)
    return Proposal(
        bucket=bucket,
        mode=table["mode"][0] if len(table) else "grow",
        min_faces=min_faces,
        rematch_distance=rematch_distance,
        verdicts={face_id: Verdict(*verdict) for face_id, *verdict in decided.iter_rows()},
        clusters=clusters,
        photo_of=photo_of,
        unit=unit,
        look_of=_looks(table),
        joins=_joins(table),
        bindings=bindings,
    )


def _looks(table: pl.DataFrame) -> dict[str, int]:
    """None in a table of an older release."""
    if "look" not in table.columns:
        return {}
    return dict(table.filter(pl.col("look").is_not_null()).select("face_id", "look").iter_rows())


def _joins(table: pl.DataFrame) -> pl.DataFrame:
    faces = pl.col("join_faces").list
    joined = table.filter(pl.col("join_distance").is_not_null())
    columns = {"distance": "join_distance", "threshold": "join_threshold"}
    found = joined.select("face_id", **columns, faces=faces.first(), others=faces.last())
    return found.cast(JOIN_SCHEMA)
