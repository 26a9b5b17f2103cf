"""What `facesets reembed` says: its plan and its result, as data and as lines."""

from collections.abc import Sequence

from facesets_dagster.cli.program import console
from facesets_dagster.identities.ruled_pairs import judged
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.library.library import Library
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.publishing.reembed.foreseen import Foreseen
from facesets_dagster.publishing.reembedding import Brought
from facesets_dagster.registry.rulings import rulings_in_force
from facesets_dagster.settings import Settings
from facesets_dagster.wording import counted


def plan_as_data(library: Library, plan: Foreseen, pace: float | None) -> dict[str, object]:
    """What would become of a library; `pace`: photos per second."""
    return {
        "library": library.folder.name,
        "photos_to_read": plan.photos.to_read,
        "seconds": round(plan.photos.to_read / pace) if pace else None,
        "bytes_needed": plan.photos.bytes_needed,
        "absent": dict(plan.photos.absent),
        "members_by_picture": plan.by_picture,
        "members_left_behind": dict(plan.left),
        "dormant": [_ruling(one) for one in plan.dormant],
    }


def result_as_data(brought: Brought, distance: float) -> dict[str, object]:
    """What became of it; `distance`: up to which the new pack takes faces for one person."""
    switched, pairs = brought.switched, judged(rulings_in_force(brought.library.registry), distance)
    return {
        "library": brought.library.folder.name,
        "facesets": sorted(brought.outcome.changed),
        "out_of_use": [one.name for one in switched.hollow],
        "members_by_picture": len(switched.seen.pictures),
        "members_left_behind": [
            {"bucket": bucket, "face_id": face_id, "why": why}
            for (bucket, face_id), why in sorted(switched.seen.left.items())
        ],
        "rulings": sum(one.state == "in_force" for one, _ in switched.rulings),
        "dormant": [_ruling(one) for one in switched.dormant()],
        "ruled_pairs": pairs.in_words() if pairs.together or pairs.apart else None,
    }


def _ruling(ruling: Ruling) -> dict[str, object]:
    return {"ruling_id": ruling.ruling_id, "kind": ruling.kind, "names": dict(ruling.names)}


def show_plan(pack: str, before: str | None, plans: Sequence[tuple[Library, Foreseen]], pace: float | None) -> None:
    """The plan as lines."""
    if not plans:
        _line(f"Nothing to carry over to {pack}.")
        return
    photos = plans[0][1].photos
    _line(f"From {before} to {pack}: {counted(photos.to_read, 'photo')} to read, about {_time(photos.to_read, pace)}.")
    _line(f"Disk: about {photos.bytes_needed / 1e6:.1f} MB for the second cache; the old one stays.")
    for library, plan in plans:
        _line(
            f"{library.folder.name}: {counted(plan.by_picture, 'member')} whose photo is gone, by the pictures of "
            f"their face sets; {counted(sum(plan.left.values()), 'member')} left behind, without photo and picture"
            f"{_of(plan.left)}; {counted(len(plan.dormant), 'ruling')} dormant{_listed(plan.dormant)}."
        )
    for bucket, count in photos.absent.items():
        _line(f"Not there now: {bucket_title(bucket)}, {counted(count, 'photo')}.")


def show_result(settings: Settings, pack: str, before: str | None, answer: dict[str, object]) -> None:
    """What was done, and what is to be done now."""
    libraries = answer["libraries"]
    assert isinstance(libraries, list)
    for one in libraries:
        _line(
            f"{one['library']}: {counted(len(one['facesets']), 'face set')} made anew; "
            f"{counted(len(one['members_left_behind']), 'member')} left behind; "
            f"{counted(one['rulings'] - len(one['dormant']), 'ruling')} in force, {len(one['dormant'])} dormant."
        )
        for name in one["out_of_use"]:
            _line(f"{name}: out of use, nothing of it can be exported with {pack}. Its number stays taken.")
        if one["ruled_pairs"]:
            _line(f"Nearest faces {one['ruled_pairs']}. `facesets calibrate FOLDER` measures the pack.")
        for ruling in one["dormant"]:
            _line(f"dormant: {ruling['kind']} {ruling['ruling_id']}")
    _line(f"The home has {pack}. Start `make dev` again; every bucket is due for a run.")
    removed = answer["removed"]
    assert isinstance(removed, list)
    if removed:
        _line(f"{counted(len(removed), 'cache')} of other packs removed.")
    elif before not in (None, pack):
        _line(f"The cache of {before} is kept: `facesets reembed {pack} --remove-old` removes it.")
    if settings.model_pack not in (None, pack):
        _line(f"FACESETS_MODEL_PACK is {settings.model_pack}: unset it, or no command works here.")


def _line(text: str) -> None:
    console().print(text, markup=False, soft_wrap=True)


def _time(photos: int, pace: float | None) -> str:
    if not pace:
        return "an unknown time (no scan is on record)"
    seconds = photos / pace
    took = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
    return f"{took} at the pace of the last scan, {pace:g} photos per second"


def _of(left: object) -> str:
    assert isinstance(left, dict)
    return f" ({', '.join(f'{name}: {count}' for name, count in left.items())})" if left else ""


def _listed(rulings: Sequence[Ruling]) -> str:
    return f" ({', '.join(f'{one.kind} {one.ruling_id}' for one in rulings)})" if rulings else ""
