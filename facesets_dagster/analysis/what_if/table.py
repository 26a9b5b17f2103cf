"""The answers of a what-if as a table: counts per point, and the changes against the library."""

from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import polars as pl

from facesets_dagster.analysis.what_if.rehearsal import Person
from facesets_dagster.analysis.what_if.what_if import Answer, WhatIf
from facesets_dagster.identities.matching import match_by_overlap

_POINT = {
    "parameter": (
        pl.String,
        "the parameter that is swept; base, rebuilt (the base clustered again), point (one of `points`)",
    ),
    "value": (pl.Float64, "its value; null for base, rebuilt and points"),
    "title": (pl.String, "the point in words"),
    "mode": (
        pl.String,
        "what a run would do: unchanged, grow (members stay) or rebuild (everything is clustered again)",
    ),
}
_NUMBERS = {
    "cover_distance": pl.Float64,
    "cluster_distance": pl.Float64,
    "rematch_distance": pl.Float64,
    "outlier_distance": pl.Float64,
    "outlier_min_size": pl.Int64,
    "min_face_short_px": pl.Float64,
    "min_blur": pl.Float64,
    "min_det_score": pl.Float64,
    "min_faces": pl.Int64,
    "min_clustered_px": pl.Float64,
    "min_quality": pl.Float64,
    "join_two_faces": pl.Float64,
    "join_face_and_group": pl.Float64,
    "join_two_groups": pl.Float64,
    "join_quality_gain": pl.Float64,
    "look_similarity": pl.Float64,
    "export_min_face_short_px": pl.Float64,
    "export_outlier_distance": pl.Float64,
    "export_near_duplicate_similarity": pl.Float64,
    "export_fill_to": pl.Int64,
    "export_fill_floor_px": pl.Float64,
}
"""What a point can change."""
_GATES = {"face_short": "min_face_short_px", "blur": "min_blur", "det_score": "min_det_score", "quality": "min_quality"}
_SEVERAL = {
    "ignored": "faces that a ruling ignores, or of a person whom one ignores",
    "ruled_out": "faces of which a ruling says that they are not the person whose they were",
    "covered": "faces of identities of other buckets, or too near to a live identity to found one",
    "outlier": "faces far from their cluster",
    "small_cluster": "faces whose cluster has fewer than min_faces photos",
    "same_photo": "members left out for another face of the photo",
    "near_duplicate": "members left out for a better, almost equal face",
    "below_export_gate": "members too small to export",
    "export_outlier": "members too far from the centroid to export",
    "cut_off": "members whose crop reaches into what of a damaged photo could not be decoded",
    "crop_failed": "members of which a run could not make a good crop",
}
"""States of which the faces are counted under their own name, whichever gate or reason they name."""
_COUNTS = {
    "faces": "faces of the bucket; the states below and those exported sum to it",
    "identities": "live identities of the bucket after the run",
    "members": "faces of the bucket that would be members of them",
    "exported": "faces of the bucket in facesets; crops that no run has made are taken to be good",
    "never_rendered": "of these, faces of which no run has made a crop: at most so many could still fail",
    "impossible_pairs": "pairs of members of one identity that are on one photo, before same_photo resolves them",
    **{f"below_{gate}": f"faces below {number}" for gate, number in _GATES.items()},
    **_SEVERAL,
    "founded": "new identities",
    "grown": "live identities that would gain members",
    "revived": "retired identities that would be found again",
    "vanished": "live identities that would be retired",
}
_CHANGE = pl.Struct({"faceset": pl.String, "joined": pl.Int64, "left": pl.Int64})
_MOVE = pl.Struct({"source": pl.String, "target": pl.String, "faces": pl.Int64})
_LISTS = {
    "founded_names": (pl.List(pl.String), "the names that the new ones would get"),
    "revived_names": (pl.List(pl.String), "names"),
    "vanished_names": (pl.List(pl.String), "names"),
    "changes": (pl.List(_CHANGE), "live facesets whose members would change: how many would join and leave"),
    "moved": (pl.List(_MOVE), "faces that would go from one identity to another"),
}
WHAT_IF_SCHEMA = pl.Schema(
    {
        **{name: dtype() for name, (dtype, _) in _POINT.items()},
        **{name: dtype() for name, dtype in _NUMBERS.items()},
        **dict.fromkeys(_COUNTS, pl.Int64()),
        **{name: dtype for name, (dtype, _) in _LISTS.items()},
    }
)
WHAT_IF_COLUMNS = {name: words for name, (_, words) in [*_POINT.items(), *_LISTS.items()]} | _COUNTS


@dataclass(frozen=True)
class Change:
    """The changes against the library as it is."""

    joined: dict[str, int]
    """Live faceset -> faces that would join it."""
    left: dict[str, int]
    """Live faceset -> faces that would leave it; of one that vanishes, all."""
    moved: Counter[tuple[str, str]]
    """(from, to) -> faces."""

    def touched(self) -> list[str]:
        """Live facesets with other members, without those that vanish."""
        return sorted({*self.joined, *self.left})


def change_of(before: Mapping[str, AbstractSet[str]], answer: Answer) -> Change:
    """`before`: live identity of the bucket -> members."""
    people = answer.result.people
    owner = {face_id: name for name, person in people.items() for face_id in person.members}
    moved: Counter[tuple[str, str]] = Counter()
    for name, members in before.items():
        now = (owner.get(face_id) for face_id in members)
        moved.update((name, other) for other in now if other is not None and other != name)
    joined = {name: len(people[name].members - members) for name, members in before.items() if name in people}
    left = {name: len(members - people[name].members) for name, members in before.items() if name in people}
    return Change(
        {name: count for name, count in joined.items() if count},
        {name: count for name, count in left.items() if count},
        moved,
    )


def table_of(found: WhatIf) -> pl.DataFrame:
    """A row of `WHAT_IF_SCHEMA` per point."""
    return pl.DataFrame([_row(found, answer) for answer in found.answers], schema=WHAT_IF_SCHEMA)


def _row(found: WhatIf, answer: Answer) -> dict[str, object]:
    result, point = answer.result, answer.point
    people, change = result.people.values(), change_of(found.before, answer)
    states = Counter[str](dict(result.funnel.group_by("state").len().iter_rows()))
    several: Counter[str] = Counter()
    for state, count in states.items():
        several[state.split(":")[0]] += count
    exported = result.funnel.filter(pl.col("state") == "exported")["face_id"]
    return {
        "parameter": point.parameter,
        "value": point.value,
        "title": point.title,
        "mode": answer.mode,
        **point.numbers.flat(),
        "faces": len(result.funnel),
        "identities": len(people),
        "members": sum(len(person.here) for person in people),
        "exported": len(exported),
        "never_rendered": len(set(exported) - found.rendered),
        "impossible_pairs": sum(person.impossible_pairs for person in people),
        **{f"below_{gate}": states[f"below_gate:{gate}"] for gate in _GATES},
        **{state: several[state] for state in _SEVERAL},
        "founded": len(result.founded),
        "grown": len(change.joined),
        "revived": len(result.revived),
        "vanished": len(result.vanished),
        "founded_names": result.founded,
        "revived_names": result.revived,
        "vanished_names": result.vanished,
        "changes": [
            {"faceset": name, "joined": change.joined.get(name, 0), "left": change.left.get(name, 0)}
            for name in change.touched()
        ],
        "moved": [
            {"source": source, "target": target, "faces": count}
            for (source, target), count in sorted(change.moved.items())
        ],
    }


def admitted(base: Answer, answer: Answer) -> dict[str, Person]:
    """Name -> identity of a point that no identity of the base is the same person as, most faces first.

    Two are the same if one holds at least half of the smaller one's members (`identities.matching`).
    """
    there = dict(enumerate(base.result.people.values()))
    names = sorted(answer.result.people)
    here = {place: answer.result.people[name].members for place, name in enumerate(names)}
    known = match_by_overlap(here, {place: person.members for place, person in there.items()})
    new = [name for place, name in enumerate(names) if place not in known]
    people = answer.result.people
    return {name: people[name] for name in sorted(new, key=lambda name: (-len(people[name].members), name))}
