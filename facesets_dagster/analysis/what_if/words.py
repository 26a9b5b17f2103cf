"""The answers of a what-if in sentences."""

from collections.abc import Mapping, Sequence

from facesets_dagster.analysis.what_if.bucket import UNCHANGED
from facesets_dagster.analysis.what_if.points import BASE, REBUILT, SWEPT
from facesets_dagster.analysis.what_if.rehearsal import Person
from facesets_dagster.analysis.what_if.table import admitted, change_of
from facesets_dagster.analysis.what_if.what_if import Answer, WhatIf
from facesets_dagster.wording import counted

_MOST_NAMES = 8


def sentences(found: WhatIf) -> list[str]:
    """What clustering again alone would do, then the explicit points, then the sweeps."""
    rebuilt = differs_when_rebuilt(found)
    asked = [one for one in found.answers if one.point.parameter not in (BASE, REBUILT)]
    told = [f"{one.point.title} {outcome(found, one)}" for one in asked if one.point.value is None]
    alike: dict[tuple[str, str], list[str]] = {}  # values of a sweep with the same outcome, in one sentence
    for one in asked:
        if one.point.value is not None and one.point.numbers != found.base.point.numbers:
            alike.setdefault((one.point.parameter, outcome(found, one)), []).append(f"{one.point.value:g}")
    told += [f"{parameter} {', '.join(values)} {words}" for (parameter, words), values in alike.items()]
    return [*([rebuilt] if rebuilt else []), *told]


def base_in_words(base: Mapping[str, object]) -> str:
    """`cover_distance 0.45, cluster_distance 0.55, ...`; `base`: the table's row of the base point."""
    return ", ".join(f"{name} {base[name]:g}" for name in SWEPT)


def differs_when_rebuilt(found: WhatIf) -> str:
    """What clustering again would do at the very numbers of the base; empty where it is nothing."""
    if found.rebuilt is None or _is_same(found, found.rebuilt):
        return ""
    return (
        "A run with other numbers clusters everything again. With the numbers of the last run that alone would "
        f"{_difference(found, found.rebuilt)}; the sentences below compare with what stands."
    )


def outcome(found: WhatIf, answer: Answer) -> str:
    """What a point would do against the base; follows its title."""
    if answer.mode == UNCHANGED:
        return "is what the last run used: nothing would change."
    if _is_same(found, answer):
        return "would change nothing."
    return f"would {_difference(found, answer)}."


def _is_same(found: WhatIf, answer: Answer) -> bool:
    return _states(answer) == _states(found.base) and not _who_changes(found, answer)


def _difference(found: WhatIf, answer: Answer) -> str:
    """`admit 3 more identities (...), 14 more exported faces and lose ...`, and who changes in the library."""
    base = found.base
    more, less = admitted(base, answer), admitted(answer, base)
    exported = _states(answer).get("exported", 0) - _states(base).get("exported", 0)
    gains, losses = _identities(more, "more "), _identities(less, "")
    if exported:
        kind = "more exported face" if exported > 0 else "exported face"
        (gains if exported > 0 else losses).append(counted(abs(exported), kind))
    verbs = [f"{verb} {', '.join(what)}" for verb, what in (("admit", gains), ("lose", losses)) if what]
    words = " and ".join(verbs) or f"have as many identities and exported faces as before ({_moved(base, answer)})"
    pairs = _impossible(answer.result.people) - _impossible(base.result.people)
    if pairs:
        words += f", with {counted(abs(pairs), 'more impossible pair' if pairs > 0 else 'fewer impossible pair')}"
    return words + _who_changes(found, answer)


def _moved(base: Answer, answer: Answer) -> str:
    """States with other counts: `small_cluster 4 to 5`."""
    before, after = _states(base), _states(answer)
    states = [state for state in sorted(before.keys() | after.keys()) if before.get(state) != after.get(state)]
    words = [f"{state} {before.get(state, 0)} to {after.get(state, 0)}" for state in states]
    return ", ".join(words) or "the faces are others"


def _identities(people: Mapping[str, Person], more: str) -> list[str]:
    if not people:
        return []
    names = _shortened([f"{name}: {len(person.exported)} exported" for name, person in people.items()])
    return [f"{counted(len(people), f'{more}identity', f'{more}identities')} ({', '.join(names)})"]


def _who_changes(found: WhatIf, answer: Answer) -> str:
    """Against the library: facesets that vanish, come back or get other members; empty if none does."""
    change, result = change_of(found.before, answer), answer.result
    words = [f"{name} vanishes" for name in result.vanished]
    words += [f"{name} comes back" for name in result.revived]
    words += [f"{name} {_gains(change.joined.get(name, 0), change.left.get(name, 0))}" for name in change.touched()]
    words += [f"{count} from {source} to {target}" for (source, target), count in sorted(change.moved.items())]
    return f"; in the library {', '.join(_shortened(words))}" if words else ""


def _gains(joined: int, left: int) -> str:
    """`gains 2 faces and loses 1`."""
    told = [f"{verb} {count}" for verb, count in (("gains", joined), ("loses", left)) if count]
    first = joined or left
    return " and ".join([f"{told[0]} {'face' if first == 1 else 'faces'}", *told[1:]])


def _shortened(words: Sequence[str]) -> list[str]:
    rest = len(words) - _MOST_NAMES
    return [*words[:_MOST_NAMES], *([f"{rest} more"] if rest > 0 else [])]


def _states(answer: Answer) -> dict[str, int]:
    return dict(sorted(answer.result.funnel.group_by("state").len().iter_rows()))


def _impossible(people: Mapping[str, Person]) -> int:
    return sum(person.impossible_pairs for person in people.values())
