"""Which ruling takes the place of which: the newest that says the same kind of thing of the same subject. Pure."""

from collections.abc import Collection, Sequence

from facesets_dagster.identities.rulings import STANDS_FOR, Ruling, in_order

_KINDS = ("name", "approve", "feature", "threshold", "assign")


def superseded_by(ruling: Ruling, in_force: Sequence[Ruling]) -> set[str]:
    """Ids of earlier rulings that say the same kind of thing of the same subject."""
    if ruling.kind not in _KINDS:
        return set()
    return {one.ruling_id for one in in_force if one.kind == ruling.kind and _same_subject(one, ruling)}


def freed_by_undoing(known: Sequence[Ruling], gone: Collection[str]) -> dict[str, str | None]:
    """Superseded ruling of which the one in its place is taken back -> the next later one that takes its place; None:
    it is in force again. So the rulings that are left stand as if those that are taken back had never been written.

    `known`: all that are in force or superseded, `gone` included; `gone`: ids that are taken back, of which some may be
    superseded themselves.
    """
    gone = set(gone)
    left = [one for one in in_order(known) if one.ruling_id not in gone]
    freed = [place for place, one in enumerate(left) if one.state == "superseded" and one.superseded_by in gone]
    return {
        left[place].ruling_id: next(
            (later.ruling_id for later in left[place + 1 :] if superseded_by(later, [left[place]])), None
        )
        for place in freed
    }


def _same_subject(earlier: Ruling, later: Ruling) -> bool:
    if later.kind in ("name", "approve", "feature"):
        return earlier.names.get(STANDS_FOR) == later.names.get(STANDS_FOR)
    if later.kind == "threshold":
        return all(earlier.payload.get(key) == later.payload.get(key) for key in ("model_id", "number"))
    if later.kind == "assign":
        spoken_of = {face.face_id for face in later.of_role("face")}
        return {face.face_id for face in earlier.of_role("face")} <= spoken_of
    return False
