"""Merges by name: the domain call behind the job `apply_merges`.

Refuses rather than guesses: a name that is unknown, an era, out of use, of another model, in one photo with the other,
labelled differently, or rejected before, is not merged unless the request says so.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from facesets_dagster.embedding.embedder import ModelPack
from facesets_dagster.errors import PublishRefused, SettingsError
from facesets_dagster.identities.consolidation import keeper_of, photos_with_both
from facesets_dagster.identities.identity import Identity
from facesets_dagster.identities.merging import Merge, Pair
from facesets_dagster.library.library import Library
from facesets_dagster.library.model import require_model
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.publishing.merges.changes import Changes, Merging, Standing, standing
from facesets_dagster.publishing.merges.evidence import faces_by_photo
from facesets_dagster.publishing.merges.planner import MergePlanner
from facesets_dagster.publishing.publisher import Update, publish
from facesets_dagster.publishing.run import Run
from facesets_dagster.publishing.top_manifest import merge_top_manifest
from facesets_dagster.registry.merges import rejected_pairs

_MOST_NAMED = 5


@dataclass(frozen=True)
class MergeRequest:
    """A request, by name."""

    groups: Sequence[Sequence[str]]
    """Facesets that are one person; the most trusted keeps its name."""
    reject: Sequence[Sequence[str]] = ()
    """Pairs that are two people."""
    accept_again: Sequence[Sequence[str]] = ()
    """Pairs of which that is no longer said."""
    despite_veto: bool = False
    despite_labels: bool = False


@dataclass(frozen=True)
class ApplyResult:
    """What came of it."""

    update: Update[Merging]
    merged: list[Merge] = field(default_factory=list)
    already: list[Pair] = field(default_factory=list)
    """Name, keeper: merged by an earlier run."""
    rejected: list[Pair] = field(default_factory=list)
    accepted_again: list[Pair] = field(default_factory=list)


def apply_merges(run: Run, request: MergeRequest) -> ApplyResult:
    """Makes every group one identity, all or nothing; what was merged already stays as it is."""
    library = run.library
    merge_top_manifest(library, run.holder, run.say)  # what stands there is kept word for word
    planner = MergePlanner(run)
    update = publish(run, lambda: planner.plan(_changes(request, library, run.pack)))
    changes = update.notes.changes
    named = [name for group in request.groups for name in group]
    already = [merge for merge in changes.now.household.merges if merge.merged in named]
    return ApplyResult(
        update,
        changes.new_merges,
        [(merge.merged, changes.now.household.leads_to(merge.merged)) for merge in already],
        sorted(changes.reject),
        sorted(changes.accept_again),
    )


def merges_ahead(library: Library, request: MergeRequest) -> list[Merge]:
    """What `apply_merges` would do, without doing it; raises what it would raise, whatever model the home has."""
    return _changes(request, library, None).new_merges


def _changes(request: MergeRequest, library: Library, pack: ModelPack | None) -> Changes:
    now = standing(library)
    known = rejected_pairs(library.registry)
    reject, again = _rejected(request, now), _accepted_again(request, known, now)
    groups = [_group(names, now) for names in request.groups]
    _require_apart(groups)
    if pack is not None:
        require_model([person for group in groups for person in group], pack)
    after = now.household
    for group in groups:
        _require_one_label(group, despite=request.despite_labels)
        _require_not_rejected(group, now.household.leading((known | reject) - again))
        _require_not_seen_together(library, group, despite=request.despite_veto)
        keeper = keeper_of(group)
        for person in sorted(group, key=lambda person: (person.number, person.name)):
            if person is not keeper:
                after = after.merged_into(keeper.name, person.name)
    return Changes(now, after, frozenset(reject - known), frozenset(again))


def _group(names: Sequence[str], now: Standing) -> list[Identity]:
    """The live identities that become one; less than two where all of them are one already."""
    if len(set(names)) < 2:
        raise SettingsError(
            f"`merges` of applied_merges holds {list(names)}, expected groups of two or more different facesets, e.g. "
            "[[faceset_020, faceset_031]]. Nothing was changed."
        )
    people = {name: _person(name, now, "merges") for name in names}
    for name, person in people.items():
        if person.name not in people:
            raise SettingsError(
                f"{name} was merged into {person.name}. Name {person.name} in the group instead. Nothing was changed."
            )
    return sorted({person.name: person for person in people.values()}.values(), key=lambda person: person.name)


def _person(name: str, now: Standing, where: str) -> Identity:
    """The live identity that a name leads to. Raises `SettingsError` for a name that no person has."""
    identity = now.identities.get(now.household.leads_to(name))
    if identity is not None and identity.is_era:
        raise SettingsError(
            f"`{where}` names {name}, an era of {identity.parent}. Eras follow their person; name {identity.parent}. "
            "Nothing was changed."
        )
    if identity is None or not identity.live:
        state = (
            f"is out of use ({now.tombstone_reasons.get(identity.name)})" if identity is not None else "does not exist"
        )
        raise SettingsError(
            f"`{where}` names {name}, which {state}. Expected live facesets; `facesets status` lists them. Nothing was "
            "changed."
        )
    return identity


def _require_apart(groups: Sequence[Sequence[Identity]]) -> None:
    seen: set[str] = set()
    for group in groups:
        twice = sorted(seen & {person.name for person in group})
        if twice:
            raise SettingsError(
                f"{', '.join(twice)} is in two groups of `merges`. Put all facesets of that person into one "
                "group. Nothing was changed."
            )
        seen |= {person.name for person in group}


def _require_one_label(group: Sequence[Identity], *, despite: bool) -> None:
    labels = {person.name: person.label for person in group if person.label}
    if len(set(labels.values())) > 1 and not despite:
        told = ", ".join(f"{name} is {label!r}" for name, label in sorted(labels.items()))
        raise PublishRefused(
            f"Two labels in one group: {told}. If they are one person, `despite_labels: true` merges them, and the "
            f"label of {keeper_of(group).name} stays. Nothing was changed."
        )


def _require_not_rejected(group: Sequence[Identity], rejected: Mapping[Pair, Pair]) -> None:
    """`rejected`: a pair as it was named then -> the pair to which it leads now."""
    inside = {*_all_pairs(group)}
    found = [(now, pair) for pair, now in sorted(rejected.items()) if now in inside]
    if found:
        as_named = {now: "" if pair == now else f" (as {_and(pair)})" for now, pair in found[:_MOST_NAMED]}
        told = "; ".join(_and(now) + how for now, how in as_named.items())
        raise PublishRefused(f"{told}: rejected as two people. `accept_again` takes that back. Nothing was changed.")


def _require_not_seen_together(library: Library, group: Sequence[Identity], *, despite: bool) -> None:
    if despite or len(group) < 2:
        return
    shown = faces_by_photo(library, group)
    found = {pair: photos_with_both(shown[pair[0]], shown[pair[1]]) for pair in _all_pairs(group)}
    together = {pair: photos for pair, photos in found.items() if photos}
    if together:
        told = "; ".join(
            f"{first} and {second} in {len(photos)}, e.g. {', '.join(_described(library, first, photos[0]))}"
            for (first, second), photos in list(together.items())[:_MOST_NAMED]
        )
        raise PublishRefused(
            f"Photos show both: {told}. A person is in a photo only once, so they are two. If the photo is a collage "
            "or shows a mirror, `despite_veto: true` merges them. Nothing was changed."
        )


def _described(library: Library, name: str, photo: str) -> list[str]:
    """Bucket and path of the photo, by the members of a faceset that came from it; at most one."""
    rows = library.member_rows([name])
    if rows is None:
        return [photo]
    found = [
        f"{bucket_title(bucket)}/{path}"
        for face_id, bucket, path in rows.select("face_id", "bucket", "path").iter_rows()
        if face_id.startswith(photo)
    ]
    return found[:1] or [photo]


def _rejected(request: MergeRequest, now: Standing) -> set[Pair]:
    """The pairs as they are named. Raises `SettingsError` for one that is one identity by now."""
    pairs = _pairs(request.reject, now, "reject")
    for pair, (first, second) in sorted(now.household.leading(pairs).items()):
        if first == second:
            merged = [name for name in pair if name != first]
            raise SettingsError(
                f"`reject` holds {_and(pair)}, who are merged into one: {first}. Take that back first: the job "
                f"undo_merges with `undo: [{', '.join(merged)}]`. Nothing was changed."
            )
    return pairs


def _accepted_again(request: MergeRequest, known: Collection[Pair], now: Standing) -> set[Pair]:
    """All rejected pairs that are named, or lead to the same pair as a named one."""
    named = _pairs(request.accept_again, now, "accept_again")
    wanted = {pair for pair in now.household.leading(named).values() if pair[0] != pair[1]}
    return {pair for pair, leads_to in now.household.leading(known).items() if pair in named or leads_to in wanted}


def _pairs(named: Sequence[Sequence[str]], now: Standing, where: str) -> set[Pair]:
    pairs = set()
    for names in named:
        if len(set(names)) != 2:
            raise SettingsError(
                f"`{where}` of applied_merges holds {list(names)}, expected pairs of two different facesets. Nothing "
                "was changed."
            )
        first, second = sorted(names)
        unknown = [name for name in (first, second) if name not in now.identities]
        if unknown:
            raise SettingsError(
                f"`{where}` names {', '.join(unknown)}, which does not exist. `facesets status` lists those that do. "
                "Nothing was changed."
            )
        pairs.add((first, second))
    return pairs


def _all_pairs(group: Sequence[Identity]) -> list[Pair]:
    names = sorted(person.name for person in group)
    return [(first, second) for place, first in enumerate(names) for second in names[place + 1 :]]


def _and(pair: Pair) -> str:
    return " and ".join(pair)
