"""Covered faces of a bucket become members of the identities that cover them: the call behind `extended_facesets`."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.bindings import bindings_of
from facesets_dagster.library.coverage import coverage_now
from facesets_dagster.library.faceset_manifest import read_faceset
from facesets_dagster.library.library import Library
from facesets_dagster.library.membership import bucket_faces
from facesets_dagster.library.numbering import faceset_folder
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.publishing.funnel import inputs_digest
from facesets_dagster.publishing.gallery import Gallery, Terms
from facesets_dagster.publishing.outcome import Outcome
from facesets_dagster.publishing.publisher import Plan, Update, publish
from facesets_dagster.publishing.run import Run
from facesets_dagster.publishing.staging import terms_in_place
from facesets_dagster.publishing.transaction import Wanted
from facesets_dagster.wording import counted

_EXTENSION = {
    "identity": (pl.String, "faceset of a known person: this bucket did not found it"),
    "kind": (pl.String, "auto, hand_sorted or discovered"),
    "label": (pl.String, "the person's name"),
    "faces": (pl.Int64, "its members from this bucket"),
    "joined": (pl.Int64, "of these, joined in this run"),
    "members": (pl.Int64, "members from all buckets, curated or not"),
    "exported_before": (pl.Int64, "faces exported before; null for a legacy faceset that had no folder here"),
    "exported": (pl.Int64, "faces exported after it, ranked again"),
    "run_id": (pl.String, "the run"),
}
EXTENSION_SCHEMA = pl.Schema({name: dtype for name, (dtype, _) in _EXTENSION.items()})
_MOST_NAMES = 10
EXTENSION_COLUMNS = {name: words for name, (_, words) in _EXTENSION.items()}


@dataclass(frozen=True)
class ExtendInputs:
    """A bucket, and the largest distance of its covered faces from the identities that cover them."""

    bucket: str
    coverage: pl.DataFrame
    """Its coverage, maybe of an older library: made anew if the library has moved on."""
    route_distance: float
    only_news: bool
    """Whether a bucket that was extended with the same photos and numbers before is left as it is."""


@dataclass(frozen=True)
class ExtendResult:
    """What came of it."""

    outcome: Outcome
    """`unchanged`: the inputs of the last time were found again."""
    table: pl.DataFrame
    """Rows of `EXTENSION_SCHEMA`: every known person with members from the bucket."""
    joined: dict[str, pl.DataFrame]
    """Identity -> rows of the face table of the faces that joined in this run."""
    distance: dict[str, float]
    """face_id of those -> cos-dist to the centroid as it was before."""
    lost: list[str]
    """Members of the identities concerned that are members of the same identity no longer; must be empty."""

    def sentences(self) -> list[str]:
        """`10 faces joined faceset_007 (Anna)`, for every faceset that grew in this run."""
        labels = dict(self.table.select("identity", "label").iter_rows())
        return [joined_words(name, labels.get(name), len(faces)) for name, faces in self.joined.items()]


def joined_words(name: str, label: str | None, faces: int) -> str:
    """`10 faces joined faceset_007 (Anna)`."""
    return f"{counted(faces, 'face')} joined {name}{f' ({label})' if label else ''}"


def waiting_words(bucket: str, waiting: Mapping[str, int]) -> str:
    """How many of a bucket wait to join whom (identity -> faces), and the command for them; empty if nobody does."""
    if not waiting:
        return ""
    names = [f"{count} of {name}" for name, count in list(waiting.items())[:_MOST_NAMES]]
    more = f" and {len(waiting) - _MOST_NAMES} more people" if len(waiting) > _MOST_NAMES else ""
    faces = counted(sum(waiting.values()), "face of a known person waits", "faces of known people wait")
    command = f"facesets join {shlex.quote(bucket_title(bucket))}"
    return f"{faces} to join: {', '.join(names)}{more}. `{command}` takes them in."


def waiting_faces(library: Library, coverage: pl.DataFrame, route_distance: float) -> dict[str, list[str]]:
    """Identity -> covered faces within reach, or given to it by a ruling, that are not members yet.

    A copy of a member of another bucket adds nothing and stays `covered`.
    """
    reached = (pl.col("foreign_distance") <= route_distance) | pl.col("given")
    near = coverage.filter(pl.col("covered") & reached.fill_null(False))
    known = library.snapshot()
    taken, merged = known.faces_of_people(near["face_id"].to_list()), known.redirects
    waiting: dict[str, list[str]] = {}
    for name, face_id in near.select("covered_by", "face_id").sort("covered_by", "face_id").iter_rows():
        if face_id not in taken:
            waiting.setdefault(merged.get(name, name), []).append(face_id)
    return waiting


@dataclass(frozen=True)
class _Before:
    """The identities concerned as they were when the plan was made."""

    members: Mapping[str, Mapping[str, str]]
    exported: Mapping[str, int | None]


@dataclass
class _Grown:
    """What several rounds of joining came to."""

    outcome: Outcome = field(default_factory=Outcome)
    exported_before: dict[str, int | None] = field(default_factory=dict)
    members_before: dict[str, set[str]] = field(default_factory=dict)
    joined: dict[str, set[str]] = field(default_factory=dict)
    distance: dict[str, float] = field(default_factory=dict)

    def add(self, update: Update[_Before], coverage: pl.DataFrame) -> bool:
        """Takes in a round; False if no further face joined in it."""
        before, distance = update.notes, dict(coverage.select("face_id", "foreign_distance").iter_rows())
        self.outcome = _both(self.outcome, update.outcome)
        somebody = False
        for wanted in update.plan.wanted:
            if wanted.identity is None:
                continue
            name = wanted.identity.name
            new = wanted.members.keys() - before.members[name].keys()
            somebody = somebody or bool(new - self.joined.get(name, set()))
            self.exported_before.setdefault(name, before.exported[name])
            self.members_before.setdefault(name, set()).update(before.members[name])
            self.joined.setdefault(name, set()).update(new)
            self.distance.update((face_id, distance[face_id]) for face_id in new)
        return somebody


def extend_bucket(run: Run, inputs: ExtendInputs) -> ExtendResult:
    """Adds the waiting faces, ranks and publishes their identities again, and returns what changed for each.

    A person who has grown may reach further faces of the bucket: they join as well, until nobody waits. So the library
    comes out the same whether or not a run was killed on the way.
    """
    library, bucket, store = run.library, inputs.bucket, run.store_of(inputs.bucket)
    faces, grown = bucket_faces(store, library, bucket), _Grown()
    cover_distance = None if inputs.coverage.is_empty() else float(inputs.coverage["cover_distance"][0])
    digest, last = _digest(run, bucket, faces, cover_distance), library.registry.extension(bucket)
    if inputs.only_news and last is not None and last in ((digest, None), (digest, inputs.route_distance)):
        grown.outcome = Outcome(unchanged=True)
        return _result(run, bucket, faces, grown)
    while True:
        now = replace(inputs, coverage=coverage_now(library, store, bucket, inputs.coverage, run.pack))
        if not waiting_faces(library, now.coverage, inputs.route_distance):
            library.finish_moves(f"run {run.run_id}", run.say)  # what a publication would have done
            break
        if not grown.add(_joined(run, now, faces), now.coverage):
            break
    library.registry.note_extension(bucket, digest, inputs.route_distance)
    return _result(run, bucket, faces, grown)


def _joined(run: Run, inputs: ExtendInputs, faces: pl.DataFrame) -> Update[_Before]:
    return publish(run, lambda: _plan(run, inputs, faces))


def note_as_judged(run: Run, bucket: str, faces: pl.DataFrame, cover_distance: float) -> None:
    """Records that a bucket was published: with the same inputs nobody joins by itself, extended or not."""
    digest, last = _digest(run, bucket, faces, cover_distance), run.library.registry.extension(bucket)
    if last is None or last[0] != digest:
        run.library.registry.note_extension(bucket, digest, None)


def _digest(run: Run, bucket: str, faces: pl.DataFrame, cover_distance: float | None) -> str:
    """Photos, numbers, model and rulings, and whom people asserted: a new hand-sorted person may be in any bucket."""
    asserted = sorted(one.name for one in run.library.snapshot().people() if one.kind in ("auto", "hand_sorted"))
    pack, ids = run.pack, faces["face_id"].to_list()
    said = bindings_of(run.library, bucket, pack.model_id, pack.dim, ids).of_named_faces().digest()
    head = [run.code_version, pack.model_id, cover_distance, asserted]
    return inputs_digest(faces, head if said is None else [*head, said])


def _both(first: Outcome, second: Outcome) -> Outcome:
    """A faceset that the first round published is the first round's."""
    known = first.declared()
    return Outcome(
        founded=[*first.founded, *(name for name in second.founded if name not in known)],
        changed=[*first.changed, *(name for name in second.changed if name not in known)],
        touched_undeclared=sorted({*first.touched_undeclared, *second.touched_undeclared}),
    )


def _result(run: Run, bucket: str, faces: pl.DataFrame, grown: _Grown) -> ExtendResult:
    joined = {
        name: faces.filter(pl.col("face_id").is_in(list(new))) for name, new in sorted(grown.joined.items()) if new
    }
    after, lost = run.library.registry.members(sorted(grown.members_before)), list[str]()
    for name, before in sorted(grown.members_before.items()):
        lost += sorted(before - after.get(name, {}).keys())
    return ExtendResult(grown.outcome, _table(run, bucket, grown), joined, grown.distance, lost)


def _table(run: Run, bucket: str, grown: _Grown) -> pl.DataFrame:
    """The known people of the bucket as they stand, and what this run added to them."""
    known = run.library.snapshot()
    here = dict(known.rows_of_bucket(bucket).group_by("name").len().iter_rows())
    people = [one for one in known.named(sorted(here)).values() if one.live and not one.is_era]
    people = [one for one in people if one.bucket != bucket]
    sizes = {name: len(members) for name, members in known.members(one.name for one in people).items()}
    rows = []
    for one in people:
        exported = _exported(run.library, one)
        rows.append(
            {
                "identity": one.name,
                "kind": one.kind,
                "label": one.label,
                "faces": here[one.name],
                "joined": len(grown.joined.get(one.name, ())),
                "members": sizes[one.name],
                "exported_before": grown.exported_before.get(one.name, exported),
                "exported": exported,
                "run_id": run.run_id,
            }
        )
    return pl.DataFrame(rows, schema=EXTENSION_SCHEMA)


def _plan(run: Run, inputs: ExtendInputs, faces: pl.DataFrame) -> Plan[_Before]:
    registry = run.library.registry
    waiting = waiting_faces(run.library, inputs.coverage, inputs.route_distance)
    live = {one.name: one for one in registry.identities() if one.live and one.name in waiting}
    known = registry.members(list(live))
    members = {name: known.get(name, {}) for name in live}
    wanted = [
        Wanted({**members[name], **dict.fromkeys(joining, "extended")}, _terms(run, live[name], inputs), live[name])
        for name, joining in waiting.items()
        if name in live
    ]
    gallery = Gallery(run, faces, Terms("discovered", inputs.bucket, {}, run.export), list(waiting))
    return Plan(wanted, gallery, _Before(members, {name: _exported(run.library, one) for name, one in live.items()}))


def _terms(run: Run, identity: Identity, inputs: ExtendInputs) -> Terms:
    """An identity keeps the numbers that it was exported with."""
    terms = terms_in_place(run.library.folder, identity, run.export)
    extended = {"extended_facesets": {"route_distance": inputs.route_distance}}
    return replace(terms, bucket=identity.bucket or inputs.bucket, parameters={**terms.parameters, **extended})


def _exported(library: Library, identity: Identity) -> int | None:
    manifest = read_faceset(library.folder / faceset_folder(identity.name, identity.kind))
    return len(manifest.faces) if manifest else None
