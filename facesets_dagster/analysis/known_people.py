"""People whom another bucket founded and who have faces in this one: members already, or waiting to join."""

from dataclasses import dataclass

import polars as pl

from facesets_dagster.library.library import Library


@dataclass(frozen=True)
class KnownPeople:
    """Of one bucket: identity -> faces."""

    joined: dict[str, int]
    """Members through this bucket, because the identity covers them."""
    waiting: dict[str, int]
    """Covered, within reach, and nobody's member."""


def known_people_of(library: Library, bucket: str, decisions: pl.DataFrame) -> KnownPeople:
    """Asks the registry alone. `decisions`: the funnel of the bucket.

    A cluster that lies near a known person as a whole ends covered, too, but joins nobody: its faces lie farther away.
    """
    known = library.snapshot()
    rows = known.rows_of_bucket(bucket).filter(pl.col("joined_by") == "extended")
    counts = dict(rows.group_by("name").len().sort("name").iter_rows())
    live = {name for name, one in known.named(counts).items() if one.live and not one.is_era}
    near = decisions.filter((pl.col("state") == "covered") & (pl.col("nearest_distance") <= pl.col("threshold")))
    taken, leads = known.faces_of_people(near["face_id"].to_list()), known.redirects
    waiting: dict[str, int] = {}
    for face_id, name in near.select("face_id", "identity").sort("identity", "face_id").iter_rows():
        if face_id not in taken:
            end = leads.get(name, name)
            waiting[end] = waiting.get(end, 0) + 1
    return KnownPeople({name: count for name, count in counts.items() if name in live}, waiting)
