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
from facesets_dagster.assets._consent import ages_of
from facesets_dagster.assets.era_facesets import EraFacesetsConfig
from facesets_dagster.automation.attempts import require_rest
from facesets_dagster.cli.dagster_instance import instance_of
from facesets_dagster.cli.program import say
from facesets_dagster.cli.reembed_lines import plan_as_data, result_as_data, show_plan, show_result
from facesets_dagster.cli.tables import print_json
from facesets_dagster.errors import LibraryError, SettingsError
from facesets_dagster.home import begin_switch, finish_switch, pack_on_record, recorded_precision
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
            require_rest(instance)
        pace = pace_on_record(instance)
    plans = [] if before == pack and coming is None else foreseen(job)
    answer: dict[str, object] = {"pack": pack, "before": before, "dry_run": wishes.dry_run}
    answer["plan"] = [plan_as_data(library, plan, pace) for library, plan in plans]
    if not as_json:
        show_plan(pack, before, plans, pace)
    if not wishes.dry_run:
        _require_there(plans, wishes)
        answer["libraries"] = [result_as_data(one, job.cover_distance) for one in _carry_out(settings, pack, job)]
        answer["removed"] = remove_other_caches(job) if wishes.remove_old else []
    if as_json:
        print_json(answer)
    elif not wishes.dry_run:
        show_result(settings, pack, before, answer)


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
        cover_distance=thresholds.cover_distance,
        ages=ages_of(HomeResource.of(settings), embedder, home.folders(), max_pixels),
    )
    numbers = PackNumbers(
        run.export.outlier_distance,
        run.export.near_duplicate_similarity,
        run.export.session_similarity,
        EraFacesetsConfig.of_pack(thresholds),
    )
    return Reembedding(home, libraries, run, embedder.worker_count(), numbers, thresholds.cover_distance)


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
