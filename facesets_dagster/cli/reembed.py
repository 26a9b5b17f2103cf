"""`facesets reembed`: another model pack for the home. A plan first, then the second cache, then the change itself."""

import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import dagster as dg

from facesets_dagster import __version__
from facesets_dagster.assets._asset import CODE_VERSION
from facesets_dagster.assets._config import ExportConfig, PhotoConfig
from facesets_dagster.assets.era_facesets import EraFacesetsConfig
from facesets_dagster.automation.attempts import runs_under_way
from facesets_dagster.cli.dagster_instance import instance_of
from facesets_dagster.cli.program import console, say
from facesets_dagster.cli.tables import print_json
from facesets_dagster.errors import LibraryError, SettingsError
from facesets_dagster.home import begin_switch, finish_switch, pack_on_record, recorded_precision
from facesets_dagster.identities.ruled_pairs import judged
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.library.home import Home
from facesets_dagster.library.library import Library
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.publishing.reembed.foreseen import Foreseen
from facesets_dagster.publishing.reembed.planner import PackNumbers
from facesets_dagster.publishing.reembedding import (
    Brought,
    Reembedding,
    foreseen,
    read_again,
    reembed,
    remove_other_caches,
)
from facesets_dagster.publishing.run import Run
from facesets_dagster.registry.rulings import rulings_in_force
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.resources.progress import ProgressResource
from facesets_dagster.settings import Settings, library_names
from facesets_dagster.wording import counted


@dataclass(frozen=True)
class Wishes:
    """What the command line says."""

    dry_run: bool
    despite_absent: bool
    remove_old: bool


def embedder_of(settings: Settings, pack: str) -> EmbedderResource:
    """The models of a pack, at the home's precision."""
    return EmbedderResource(
        model_pack=pack,
        models_root=str(settings.models_root),
        providers=settings.providers,
        precision=recorded_precision(settings),
        calibration=str(settings.calibration_file),
    )


def print_reembed(settings: Settings, pack: str, wishes: Wishes, *, as_json: bool) -> None:
    """Shows the plan and, unless it is a dry run, carries it out. Raises what speaks against it, in one sentence."""
    pack = os.path.abspath(Path(pack).expanduser()) if os.sep in pack else pack
    before, coming = _packs(settings, pack)
    job = _job(settings, embedder_of(settings, pack))
    with instance_of(settings) as instance:
        if not wishes.dry_run:
            _require_rest(instance)
        pace = pace_on_record(instance)
    plans = [] if before == pack and coming is None else foreseen(job)
    answer: dict[str, object] = {"pack": pack, "before": before, "dry_run": wishes.dry_run}
    answer["plan"] = [_plan_as_data(library, plan, pace) for library, plan in plans]
    if not as_json:
        _show(pack, before, plans, pace)
    if not wishes.dry_run:
        _require_there(plans, wishes)
        answer["libraries"] = [_result_as_data(one, job.cover_distance) for one in _carry_out(settings, pack, job)]
        answer["removed"] = remove_other_caches(job) if wishes.remove_old else []
    if as_json:
        print_json(answer)
    elif not wishes.dry_run:
        _show_result(settings, pack, before, answer)


def pace_on_record(instance: dg.DagsterInstance) -> float | None:
    """Photos per second of the home's last scan that read any; None where none is on record."""
    for record in instance.fetch_materializations(dg.AssetKey("face_cache"), limit=50).records:
        event = record.asset_materialization
        done = event.metadata.get("this_run") if event else None
        value = done.value.get("photos_per_second") if done is not None and isinstance(done.value, dict) else None
        if isinstance(value, int | float) and value > 0:
            return float(value)
    return None


def _packs(settings: Settings, pack: str) -> tuple[str | None, str | None]:
    if settings.library_name is not None:
        raise SettingsError("A pack is the whole home's. Unset FACESETS_LIBRARY. Nothing was changed.")
    before, coming = pack_on_record(settings)
    if coming is not None and coming != pack:
        raise SettingsError(
            f"The home is on its way to {coming}. Finish that first: `facesets reembed {coming}`. Nothing was changed."
        )
    return before, coming


def _job(settings: Settings, embedder: EmbedderResource) -> Reembedding:
    home, pack, thresholds = Home.of(settings), embedder.pack(), embedder.thresholds()
    max_pixels = PhotoConfig().max_pixels
    libraries = tuple(home.library(name) for name in (None, *library_names(settings.home)))
    run = Run(
        library=libraries[0],
        store_of=home.store_of(pack),
        embedder=embedder.embedder,
        pack=pack,
        folders=home.folders(),
        max_pixels=max_pixels,
        pictures=HomeResource.of(settings).pictures(pack, max_pixels),
        export=ExportConfig().resolved(thresholds),
        run_id=str(uuid.uuid4()),
        code_version=f"{__version__}/{CODE_VERSION}",
        say=say,
    )
    numbers = PackNumbers(
        run.export.outlier_distance,
        run.export.near_duplicate_similarity,
        run.export.session_similarity,
        EraFacesetsConfig.of_pack(thresholds),
    )
    return Reembedding(home, libraries, run, embedder.worker_count(), numbers, thresholds.cover_distance)


def _require_rest(instance: dg.DagsterInstance) -> None:
    """Raises `LibraryError` while runs are queued or at work: they would publish with the old pack."""
    runs = runs_under_way(instance)
    if runs:
        raise LibraryError(
            f"{counted(len(runs), 'run')} of this home {'is' if len(runs) == 1 else 'are'} under way ({runs[0]}). Wait "
            "for the end, or end them in the Dagster UI, and stop `make dev` meanwhile. Nothing was changed."
        )


def _require_there(plans: Sequence[tuple[Library, Foreseen]], wishes: Wishes) -> None:
    absent = {bucket: count for _, plan in plans for bucket, count in plan.photos.absent.items()}
    if absent and not wishes.despite_absent:
        listed = ", ".join(f"{bucket_title(bucket)} ({counted(count, 'photo')})" for bucket, count in absent.items())
        raise LibraryError(
            f"These buckets are not there now: {listed}. Their faces would go over only as far as face sets show them. "
            "Bring the folders back, or go on without them with --despite-absent. Nothing was changed."
        )


def _carry_out(settings: Settings, pack: str, job: Reembedding) -> list[Brought]:
    progress = ProgressResource()
    read_again(job, partial(progress.photos, say))
    return reembed(job, partial(begin_switch, settings, pack), partial(finish_switch, settings, pack))


def _plan_as_data(library: Library, plan: Foreseen, pace: float | None) -> dict[str, object]:
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


def _result_as_data(brought: Brought, distance: float) -> dict[str, object]:
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


def _show(pack: str, before: str | None, plans: Sequence[tuple[Library, Foreseen]], pace: float | None) -> None:
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


def _show_result(settings: Settings, pack: str, before: str | None, answer: dict[str, object]) -> None:
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
