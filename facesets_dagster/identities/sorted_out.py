"""Before clustering: which faces of a bucket are spoken for, and by whom; the rest is to be clustered.

Rulings speak first: whom they ignore founds and bridges nothing, who belongs to somebody is theirs whatever gates say,
and faces that are one person go the same way.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.identities.bindings import NO_BINDINGS, Bindings
from facesets_dagster.identities.cluster_table import DiscoveryParameters
from facesets_dagster.identities.consequences import completed, members_by_name
from facesets_dagster.identities.coverage_table import as_of_now
from facesets_dagster.identities.gates import Verdict, failed_gate
from facesets_dagster.identities.geometry import lengths, normalised, sums_by
from facesets_dagster.identities.joining import People
from facesets_dagster.identities.links import NO_LINKS, RowLinks, as_pairs


@dataclass(frozen=True)
class SortedOut:
    """A bucket before its clusters are cut: the verdicts on those who are spoken for, and the rest."""

    rows: pl.DataFrame
    """`face_id` and `model_id` of all faces, in the order of the coverage table."""
    verdicts: dict[str, Verdict]
    rest: pl.DataFrame
    """Rows of coverage and face table to be clustered, by face_id."""
    unit: NDArray[np.float32]
    """Unit embeddings (n, dim) of `rest`."""
    norms: NDArray[np.float64]
    """Lengths (n,) of its raw embeddings."""
    linked: NDArray[np.bool_]
    """(n,): large enough to be clustered."""
    names: tuple[str, ...]
    people: People
    """The bucket's own identities by name, which clusters may join; none when everything is clustered again."""
    mode: str
    links: RowLinks
    """Rows of `rest` that are one person, and that are two people."""
    refused: NDArray[np.int64]
    """(m, 2): a row of `rest`, and the one of `people` who never has it."""

    def refused_to_link(self) -> NDArray[np.int64]:
        """`refused` among the linked faces, by their rows."""
        place = np.where(self.linked, np.cumsum(self.linked) - 1, -1)
        refused = np.stack([place[self.refused[:, 0]], self.refused[:, 1]], axis=1)
        return refused[refused[:, 0] >= 0]

    def to_link(self) -> NDArray[np.float32]:
        """Unit embeddings (m, dim) of the linked faces."""
        return self.unit if self.linked.all() else self.unit[self.linked]


def sort_out(
    faces: pl.DataFrame,
    uncovered: pl.DataFrame,
    parameters: DiscoveryParameters,
    mode: str,
    own: AbstractSet[str],
    pinned: AbstractSet[str] = frozenset(),
    bindings: Bindings = NO_BINDINGS,
) -> SortedOut:
    """Who is spoken for, and who is left to be clustered; arguments as of `discover`."""
    uncovered = as_of_now(uncovered)
    if not bindings.is_empty():
        bindings = completed(bindings, members_by_name(dict(uncovered.select("face_id", "member_of").iter_rows())))
    rows = uncovered.join(parameters.judged(faces), on="face_id", how="left", maintain_order="left", suffix="_face")
    verdicts: dict[str, Verdict] = {}
    asked = rows.select(*_ASKED, *(gate.name for gate in parameters.gates()))
    for row in asked.iter_rows(named=True):
        verdict = _by_ruling(row, bindings, own)
        verdict = verdict or _spoken_for(row, mode, parameters, own if row["face_id"] not in pinned else frozenset())
        if verdict is not None:
            verdicts[row["face_id"]] = verdict
    if bindings.together:
        _go_together(asked, verdicts, bindings, parameters, own)
    rest = rows.filter(~pl.col("face_id").is_in(list(verdicts))).sort("face_id")
    raw = _raw(rest)
    linked = rest["face_short"].to_numpy() >= parameters.min_clustered_px
    if parameters.asks_quality:
        linked &= rest["quality"].to_numpy() >= parameters.min_quality
    names, people = _own_people(rows, verdicts, parameters, own if mode == "grow" else frozenset(), raw.shape[1])
    table, ids = rows.select("face_id", "model_id"), rest["face_id"].to_list()
    links, refused = bindings.links(ids), _refused(ids, names, verdicts, bindings)
    return SortedOut(table, verdicts, rest, normalised(raw), lengths(raw), linked, names, people, mode, links, refused)


def _raw(rows: pl.DataFrame) -> NDArray[np.float32]:
    return rows["embedding"].to_numpy() if len(rows) else np.zeros((0, 1), np.float32)


def _own_people(
    rows: pl.DataFrame,
    verdicts: Mapping[str, Verdict],
    parameters: DiscoveryParameters,
    own: AbstractSet[str],
    dim: int,
) -> tuple[tuple[str, ...], People]:
    """Names of the own identities with members or joining faces in the bucket, and what is known of them by these."""
    whose = {face: one.identity for face, one in verdicts.items() if one.state in ("member", "joining")}
    theirs = {face: name for face, name in whose.items() if name is not None and name in own}
    names = tuple(sorted(set(theirs.values())))
    if not names or parameters.join_rule() is None or dim == 1:
        return (), People.nobody(dim)
    members = rows.filter(pl.col("face_id").is_in(list(theirs)))
    raw, place = _raw(members), {name: index for index, name in enumerate(names)}
    at = np.array([place[theirs[face]] for face in members["face_id"]], np.int64)
    faces = np.bincount(at, minlength=len(names))
    quality = np.bincount(at, parameters.quality(lengths(raw)), len(names))
    return names, People(sums_by(at, normalised(raw), len(names)), faces, quality / faces)


_ASKED = (
    "face_id",
    "cover_distance",
    "member_of",
    "foreign",
    "foreign_distance",
    "own",
    "own_distance",
    "covered",
    "covered_by",
    "ignored_by",
    "ignored_distance",
    "ignored_reach",
)
"""Columns of the coverage table that decide whether a face is spoken for."""


def _by_ruling(row: dict[str, object], bindings: Bindings, own: AbstractSet[str]) -> Verdict | None:
    """The verdict on a face of which rulings say who it is; None for others.

    A member stays one until the ruling is published: what a run takes from somebody, undoing the ruling does not give
    back.
    """
    name, ruling = bindings.belongs.get(str(row["face_id"])), row["ignored_by"]
    if name is not None and row["member_of"] is not None:
        return Verdict("member", None, None, str(row["member_of"]))
    if name is not None:
        joins = name in own and not row["covered"]  # or it has the same bytes through another bucket already
        return Verdict("joining" if joins else "covered", None, None, name)
    if ruling is not None:
        distance, reach = (None if row[key] is None else float(str(row[key])) for key in _IGNORED)
        return Verdict("ignored", distance, reach, bindings.people.called(str(ruling)), str(ruling))
    return None


_IGNORED = ("ignored_distance", "ignored_reach")


def _go_together(
    asked: pl.DataFrame,
    verdicts: dict[str, Verdict],
    bindings: Bindings,
    parameters: DiscoveryParameters,
    own: AbstractSet[str],
) -> None:
    """Faces of one person go to the identity that the nearest of them goes to."""
    grouped = asked.filter(pl.col("face_id").is_in([face for group in bindings.together for face in group]))
    row_of = {row["face_id"]: row for row in grouped.iter_rows(named=True)}
    for group in bindings.together:
        rows = [row_of[face] for face in sorted(group & row_of.keys())]
        now = {row["face_id"]: verdicts.get(row["face_id"], _NOBODY) for row in rows}
        free = [row for row in rows if now[row["face_id"]].state not in ("member", "ignored")]
        led = [
            (_distance(row["own_distance" if one.identity == row["own"] else "foreign_distance"]), one.identity, row)
            for row in free
            if (one := now[row["face_id"]]).identity is not None
        ]
        if not led:
            continue
        distance, name, leader = min(led, key=lambda entry: entry[:2])
        limit = float(str(leader["cover_distance"]))
        for row in free:
            if now[row["face_id"]].identity == name:
                continue
            verdict = Verdict("covered", distance if np.isfinite(distance) else None, limit, name)
            if name in own:
                gates = parameters.gates()
                failed = failed_gate(gates, {gate.name: float(str(row[gate.name])) for gate in gates})
                verdict = replace(failed or Verdict("joining", distance, limit), identity=name)
            verdicts[row["face_id"]] = verdict


_NOBODY = Verdict("nobody")


def _refused(
    ids: Sequence[str], names: Sequence[str], verdicts: Mapping[str, Verdict], bindings: Bindings
) -> NDArray[np.int64]:
    """A row of the rest, and the one of the people who never has it."""
    if not names or not (bindings.refused or bindings.apart):
        return NO_LINKS.apart
    whose = {face: one.identity for face, one in verdicts.items() if one.state in ("member", "joining")}
    said, person = completed(bindings, members_by_name(whose)), {name: place for place, name in enumerate(names)}
    pairs = ((row, name) for row, face in enumerate(ids) for name in sorted(said.refused.get(face, ())))
    return as_pairs([(row, person[name]) for row, name in pairs if name in person])


def _spoken_for(
    row: dict[str, object], mode: str, parameters: DiscoveryParameters, own_names: AbstractSet[str]
) -> Verdict | None:
    """The verdict on a face that is not clustered, None for one of the rest."""
    limit = float(str(row["cover_distance"]))
    if row["member_of"] is not None and (mode == "grow" or row["member_of"] not in own_names):
        return Verdict("member", None, None, str(row["member_of"]))
    foreign, own = _distance(row["foreign_distance"]), _distance(row["own_distance"])
    if row["covered"]:  # without a threshold: the very same photo is a member through another bucket
        value = foreign if np.isfinite(foreign) else None
        return Verdict("covered", value, limit if foreign <= limit else None, str(row["covered_by"]))
    if mode == "grow" and own <= limit and own <= foreign:
        failed = failed_gate(parameters.gates(), {gate.name: float(str(row[gate.name])) for gate in parameters.gates()})
        return replace(failed or Verdict("joining", own, limit), identity=str(row["own"]))
    if foreign <= limit:
        return Verdict("covered", foreign, limit, str(row["foreign"]))
    return None


def _distance(value: object) -> float:
    number = np.inf if value is None else float(str(value))
    return np.inf if np.isnan(number) else number
