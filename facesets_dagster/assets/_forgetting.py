"""Forgetting, made of the resources: for the job, the command, and runs that find a call that was cut off."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import dagster as dg

from facesets_dagster import __version__
from facesets_dagster.assets._asset import CODE_VERSION
from facesets_dagster.assets._config import ExportConfig, PhotoConfig
from facesets_dagster.assets._consent import ages_of
from facesets_dagster.assets._dagster_traces import clear_instance
from facesets_dagster.library import forget_files
from facesets_dagster.publishing.forgetting.carrying_out import Forgetting, Forgotten, finish
from facesets_dagster.publishing.forgetting.subjects import Subjects
from facesets_dagster.publishing.run import Run
from facesets_dagster.reports.forgotten import clear_reports
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.settings import library_names

Say = Callable[[str], None]


def forgetting_of(
    home: HomeResource,
    embedder: EmbedderResource,
    instance: dg.DagsterInstance,
    run_id: str,
    say: Say,
    *,
    via: str = "job",
) -> Forgetting:
    """What the domain needs. The home's own library comes first, those beside it after."""
    plain, pack, thresholds = home.plain(), embedder.pack(), embedder.thresholds()
    max_pixels = PhotoConfig().max_pixels
    libraries = [plain.library()]
    for name in library_names(plain.folder):
        beside = plain.library(name)
        if beside.folder != libraries[0].folder:
            libraries.append(beside)
    run = Run(
        library=libraries[0],
        store_of=plain.store_of(pack),
        embedder=embedder.embedder,
        pack=pack,
        folders=plain.folders(),
        max_pixels=max_pixels,
        pictures=home.pictures(pack, max_pixels),
        export=ExportConfig().resolved(thresholds),
        run_id=run_id,
        code_version=f"{__version__}/{CODE_VERSION}",
        say=say,
        cover_distance=thresholds.cover_distance,
        ages=ages_of(home, embedder, plain.folders(), max_pixels),
    )
    return Forgetting(
        Subjects(plain, tuple(libraries), pack.model_id, pack.dim, thresholds.cover_distance),
        run,
        [path for path in sorted(plain.folder.glob("exports*")) if path.is_dir()],
        [partial(clear_reports, Path(home.reports_dir)), partial(clear_instance, instance)],
        via,
        _passed_over(home),
    )


def finish_pending(
    home: HomeResource, embedder: EmbedderResource, instance: dg.DagsterInstance, run_id: str, say: Say
) -> Forgotten | None:
    """Finishes what a call that was cut off has begun; costs a look at one file where nothing was."""
    if not forget_files.pending_file(home.plain().folder).exists():
        return None
    say("finishing what was begun to be forgotten")
    return finish(forgetting_of(home, embedder, instance, run_id, say))


def _passed_over(home: HomeResource) -> list[Path]:
    """What the last search does not look into: photos and models, which are never written to, and one page."""
    plain = home.plain()
    singles = plain.single_folders().values()
    sorted_by_hand = [plain.hand_sorted_root] if plain.hand_sorted_root else []
    index = Path(home.reports_dir) / "index.html"  # made anew of registry and list of runs; its words are ours
    return [*plain.bucket_roots, *singles, *sorted_by_hand, *plain.legacy_roots, plain.folder / "models", index]
