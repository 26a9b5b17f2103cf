"""Made-up identities and drawn rulings on them, without photos and without a registry."""

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from facesets_dagster.identities.identity import Identity
from facesets_dagster.identities.merging import Rows
from facesets_dagster.identities.projection import PART, Base
from facesets_dagster.identities.ruling_closure import contradiction
from facesets_dagster.identities.rulings import STANDS_FOR, Ruling, RulingFace

NAMES = [f"faceset_{number:03d}" for number in range(1, 7)]


def identity(name: str, number: int, *, parent: str | None = None, kind: str = "discovered") -> Identity:
    """A live identity of bucket `a`."""
    return Identity(number, name, number, kind, parent, "a", None, True, number, "m", np.zeros(4, np.float32))


def made_up_base(sizes: Sequence[int]) -> Base:
    """Identities with so many faces each, and an era of the first with its first two faces."""
    identities = {name: identity(name, place) for place, name in enumerate(NAMES[: len(sizes)], start=1)}
    members: dict[str, Rows] = {
        name: {f"{name[-3:]}-{face}": ("ab"[face % 2], "founded") for face in range(size)}
        for name, size in zip(identities, sizes, strict=True)
    }
    era = f"{NAMES[0]}_era_2010"
    identities[era] = identity(era, 1, parent=NAMES[0], kind="era")
    members[era] = dict(list(members[NAMES[0]].items())[:2])
    return Base(identities, members, {name: None for name in identities if name != era}, {})


def face(face_id: str, role: str, bucket: str = "a") -> RulingFace:
    """A face without a vector; the ruling names the first bucket that it is in."""
    return RulingFace(role, face_id, (0, 0, 1, 1), 1, 1, face_id, bucket, "m")


def people(base: Base) -> list[str]:
    """Names of people, eras aside."""
    return [name for name in base.members if not base.identities[name].is_era]


@st.composite
def rulings(draw: st.DrawFn, base: Base, most: int = 8) -> list[Ruling]:
    """Rulings that do not contradict each other, each with a sequence; splits are named by `with_names`."""
    found: list[Ruling] = []
    for place in range(1, draw(st.integers(1, most)) + 1):
        one = draw(_ruling(base, f"R{place:02d}", place))
        if contradiction([*found, one]) is None:
            found.append(one)
    return found


@st.composite
def _ruling(draw: st.DrawFn, base: Base, ruling_id: str, place: int) -> Ruling:
    kind = draw(st.sampled_from(["name", "same", "different", "not_person", "assign", "split", "ignore", "not_a_face"]))
    first, second = draw(st.permutations(people(base)))[:2]
    mine = sorted(base.members[first])
    some = draw(st.lists(st.sampled_from(mine), min_size=1, max_size=2, unique=True))
    anchors = tuple(face(one, STANDS_FOR) for one in mine if one not in some)[:3]
    spoken_of = tuple(face(one, "face") for one in some)
    head = {"made_at": "", "made_by": "t", "via": "cli", "sequence": place}
    about, pair = {STANDS_FOR: first}, {"a": first, "b": second}
    sides = tuple(face(one, role) for role, name in pair.items() for one in sorted(base.members[name])[:3])
    if kind in ("same", "different"):
        keeper = {"keeper": draw(st.sampled_from("ab"))} if kind == "same" else {}
        return Ruling(ruling_id, kind, faces=sides, names=pair, payload=keeper, **head)  # type: ignore[arg-type]
    if kind == "split" and len(mine) > 2:
        rest = tuple(face(one, PART + "b") for one in mine[2:] if draw(st.booleans()))
        parts = (face(mine[0], "a"), face(mine[1], "b"), *rest)
        return Ruling(ruling_id, kind, faces=parts, names={"a": first}, **head)  # type: ignore[arg-type]
    if kind == "assign":
        theirs = tuple(face(one, STANDS_FOR) for one in sorted(base.members[second])[:3])
        return Ruling(ruling_id, kind, faces=(*spoken_of, *theirs), names={STANDS_FOR: second}, **head)  # type: ignore[arg-type]
    if kind == "name":
        return Ruling(ruling_id, kind, faces=anchors, names=about, payload={"text": f"P{place}"}, **head)  # type: ignore[arg-type]
    if kind == "ignore":
        return Ruling(ruling_id, kind, faces=anchors, names=about, **head)  # type: ignore[arg-type]
    if kind == "not_person":
        return Ruling(ruling_id, kind, faces=(*spoken_of, *anchors), names=about, **head)  # type: ignore[arg-type]
    return Ruling(ruling_id, "not_a_face", faces=spoken_of, **head)  # type: ignore[arg-type]
