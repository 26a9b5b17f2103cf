"""Merges by name as rulings: what the jobs `apply_merges` and `undo_merges` are asked for.

Refuses rather than guesses: a name that is unknown, an era, out of use, of another model, in one photo with the other,
labelled differently, or said to be another person, is not merged unless the request says so.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from facesets_dagster.embedding.embedder import ModelPack
from facesets_dagster.errors import PublishRefused, SettingsError
from facesets_dagster.identities.consolidation import keeper_of, photos_with_both
from facesets_dagster.identities.identity import Identity
from facesets_dagster.identities.merging import Merge, Pair
from facesets_dagster.identities.projection import leading_to
from facesets_dagster.identities.rulings import Ruling, RulingFace
from facesets_dagster.library.library import Library
from facesets_dagster.library.model import require_model
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.publishing.rulings.evidence import faces_by_photo
from facesets_dagster.publishing.rulings.standing import Standing, projected_now, standing
from facesets_dagster.publishing.rulings.subjects import Subjects
from facesets_dagster.publishing.rulings.writing import Author
from facesets_dagster.registry.merges import merged_once

_MOST_NAMED = 5
ALL = "*"
"""In a request to undo: every merge that is in force."""


@dataclass(frozen=True)
class MergeRequest:
    """A request, by name."""

    groups: Sequence[Sequence[str]] = ()
    """Facesets that are one person; the most trusted keeps its name."""
    reject: Sequence[Sequence[str]] = ()
    """Pairs that are two people."""
    accept_again: Sequence[Sequence[str]] = ()
    """Pairs of which that is no longer said."""
    despite_veto: bool = False
    despite_labels: bool = False


@dataclass(frozen=True)
class Asked:
    """What a request comes to."""

    merges: list[Merge] = field(default_factory=list)
    """That are not made yet."""
    already: list[Pair] = field(default_factory=list)
    """Name, keeper: merged before."""
    reject: list[Pair] = field(default_factory=list)
    take_back: list[Ruling] = field(default_factory=list)
    """Rulings that say that two are two people, and are no longer to."""
    accepted_again: list[Pair] = field(default_factory=list)
    """The pairs of these, as they were named."""


def asked_for(library: Library, request: MergeRequest, pack: ModelPack | None) -> Asked:
    """What a request comes to. Raises `SettingsError` or `PublishRefused` with what speaks against it; another model's
    people are refused where a pack is given.
    """
    now, after = projected_now(library)
    other = {name: label for name, label in after.labels.items() if name in now.identities}
    other = {name: label for name, label in other.items() if label != now.identities[name].label}
    people = {name: replace(now.identities[name], label=label) for name, label in other.items()}
    now = replace(now, identities={**now.identities, **people})
    known = _said_to_differ(now)
    reject, again = _rejected(request, now), _accepted_again(request, known, now)
    groups = [_group(names, now) for names in request.groups]
    _require_apart(groups)
    if pack is not None:
        require_model([person for group in groups for person in group], pack)
    merges: list[Merge] = []
    for group in groups:
        _require_one_label(group, despite=request.despite_labels)
        _require_not_rejected(group, _leading((known.keys() | reject) - again, now))
        _require_not_seen_together(library, group, despite=request.despite_veto)
        keeper = keeper_of(group)
        in_order = sorted(group, key=lambda person: (person.number, person.name))
        merges += [Merge(person.name, keeper.name) for person in in_order if person is not keeper]
    named = [name for group in request.groups for name in group]
    already = [(merge.merged, leading_to(merge.merged, now.merges)) for merge in now.merges if merge.merged in named]
    taken = [known[pair] for pair in sorted(again)]
    return Asked(merges, already, sorted(reject - known.keys()), taken, sorted(again))


def rulings_for(asked: Asked, subjects: Subjects, author: Author, *, despite_veto: bool) -> list[Ruling]:
    """The rulings that make a request true, in its order."""
    found: list[Ruling] = []
    for merge in asked.merges:
        payload = {"keeper": "b", **({"despite_veto": True} if despite_veto else {})}
        names = {"a": merge.merged, "b": merge.keeper}
        found.append(author.ruling("same", names=names, faces=_sides(subjects, names), payload=payload))
    for first, second in asked.reject:
        names = {"a": first, "b": second}
        found.append(author.ruling("different", names=names, faces=_sides(subjects, names)))
    return found


def merges_to_undo(library: Library, names: Sequence[str], pack: ModelPack | None) -> tuple[list[Ruling], list[str]]:
    """The rulings behind the merges of these names, the newest first for all of them, and names that stand alone
    already. Raises `SettingsError` for a name that was never merged.
    """
    now = standing(library)
    by_name = {merge.merged: merge for merge in now.merges}
    wanted = list(by_name)[::-1] if ALL in names else list(dict.fromkeys(names))
    once = merged_once(library.registry)
    for name in wanted:
        if name not in by_name and name not in once:
            raise SettingsError(
                f"`undo` of applied_rulings names {name}, which was never merged. Merged now: "
                f"{', '.join(by_name) or 'nobody'}. Nothing was changed."
            )
    back = [now.identities[name] for name in wanted if name in by_name]
    if pack is not None:
        require_model(back, pack)
    behind = {(ruling.names.get("a"), ruling.names.get("b")): ruling for ruling in now.rulings if ruling.kind == "same"}
    found = [ruling for name in wanted if name in by_name for ruling in _rulings_of(by_name[name], behind)]
    return found, sorted(name for name in wanted if name not in by_name)


def _rulings_of(merge: Merge, behind: Mapping[tuple[str | None, str | None], Ruling]) -> list[Ruling]:
    """The rulings that named either side of a merge so; those whose names led there by another one count too."""
    exact = [ruling for pair, ruling in behind.items() if set(pair) == {merge.merged, merge.keeper}]
    return exact or [ruling for pair, ruling in behind.items() if merge.merged in pair]


def _sides(subjects: Subjects, names: Mapping[str, str]) -> tuple[RulingFace, ...]:
    return tuple(face for role, name in names.items() for face in subjects.of_identity(name, role))


def _said_to_differ(now: Standing) -> dict[Pair, Ruling]:
    """Pairs of names, in order, of which a ruling in force says that they are two people."""
    found: dict[Pair, Ruling] = {}
    for ruling in now.rulings:
        if ruling.kind == "different" and len(ruling.names) == 2:
            first, second = sorted(ruling.names.values())
            found[first, second] = ruling
    return found


def _leading(pairs: Collection[Pair], now: Standing) -> dict[Pair, Pair]:
    """Each pair of names -> the two identities that they lead to, in order; one identity twice if they are one."""
    found = {}
    for pair in pairs:
        first, second = sorted(leading_to(name, now.merges) for name in pair)
        found[pair] = (first, second)
    return found


def _group(names: Sequence[str], now: Standing) -> list[Identity]:
    """The live identities that become one; less than two where all of them are one already."""
    if len(set(names)) < 2:
        raise SettingsError(
            f"`merges` of applied_rulings holds {list(names)}, expected groups of two or more different facesets, e.g. "
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
    identity = now.identities.get(leading_to(name, now.merges))
    if identity is not None and identity.is_era:
        raise SettingsError(
            f"`{where}` names {name}, an era of {identity.parent}. Eras follow their person; name {identity.parent}. "
            "Nothing was changed."
        )
    if identity is None or not identity.live:
        state = f"is out of use ({now.tombstones[identity.name].reason})" if identity is not None else "does not exist"
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
    for pair, (first, second) in sorted(_leading(pairs, now).items()):
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
    wanted = {pair for pair in _leading(named, now).values() if pair[0] != pair[1]}
    return {pair for pair, leads_to in _leading(known, now).items() if pair in named or leads_to in wanted}


def _pairs(named: Sequence[Sequence[str]], now: Standing, where: str) -> set[Pair]:
    pairs = set()
    for names in named:
        if len(set(names)) != 2:
            raise SettingsError(
                f"`{where}` of applied_rulings holds {list(names)}, expected pairs of two different facesets. Nothing "
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
