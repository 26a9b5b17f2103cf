"""Numbers of the home's model pack, measured on faces."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.analysis.pack_calibration import (
    evidence_of,
    folder_of_people,
    label_faces,
    measure_folder,
    measure_home,
)
from facesets_dagster.assets._asset import Result, library_asset
from facesets_dagster.assets._config import PhotoConfig
from facesets_dagster.assets._page import Page
from facesets_dagster.assets._scanning import list_and_scan
from facesets_dagster.assets._versions import text_version
from facesets_dagster.embedding.home_numbers import HomeNumbers
from facesets_dagster.embedding.thresholds import MEASURED_GATES, PackThresholds, thresholds_for
from facesets_dagster.errors import SettingsError
from facesets_dagster.identities.ruled_pairs import judged
from facesets_dagster.photos.bucket_key import CALIBRATION
from facesets_dagster.registry.rulings import rulings_in_force
from facesets_dagster.reports.calibration_page import curve_of, folder_sections, home_sections, numbers_table
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.resources.progress import ProgressResource


class PackCalibrationConfig(PhotoConfig):
    """What the numbers are measured on."""

    folder: str | None = Field(
        default=None,
        description=(
            "A folder with a sub-folder of photos for each person. null = the home's own photos, which can only show "
            "that a number is too loose."
        ),
    )
    remove: bool = Field(default=False, description="Measure nothing; go back to the shipped numbers.")
    retry_failed: bool = Field(default=False, description="Read photos again that could not be used before.")


@library_asset(kinds={"json"})
def pack_calibration(
    context: AssetExecutionContext,
    config: PackCalibrationConfig,
    home: HomeResource,
    embedder: EmbedderResource,
    progress: ProgressResource,
) -> Result:
    """Distances of the model pack, measured by the errors of the whole clustering and kept in `calibration.json`.

    From a folder with a sub-folder of photos for each person: the loosest distances at which clusters are nearly pure,
    with a margin, scored on people who had no part in the choice. Without one, from pairs of faces of one photo. All
    later runs of the home use these numbers while it has the same models; a bucket that was run with others is
    clustered again.
    """
    page, path = Page(context, home, embedder), embedder.calibration_file()
    if path is None:
        raise SettingsError("This code location has no home to keep the numbers in. Use `facesets calibrate`.")
    if config.remove:
        return _removed(page, path)
    if config.folder is None:
        return _from_photos(page, path, home, embedder)
    return _from_folder(context, page, path, config, home, embedder, progress)


def _removed(page: Page, path: Path) -> Result:
    there = path.exists()
    path.unlink(missing_ok=True)
    words = (
        "The home's own numbers are removed: the shipped ones hold." if there else "The home has no numbers of its own."
    )
    page.say(words)
    return page.result({"answer": words}, rows=0, version=text_version(words))


def _from_folder(
    context: AssetExecutionContext,
    page: Page,
    path: Path,
    config: PackCalibrationConfig,
    home: HomeResource,
    embedder: EmbedderResource,
    progress: ProgressResource,
) -> Result:
    folder = folder_of_people(Path(str(config.folder)))
    _, scan = list_and_scan(context, CALIBRATION, config, home, embedder, progress, folder=folder)
    tables, before = scan.tables, embedder.thresholds()
    labelled = label_faces(tables.faces, tables.files, max(before.min_clustered_px, MEASURED_GATES["min_clustered_px"]))
    numbers, found = measure_folder(labelled, page.say)
    data = {
        "folder": str(folder),
        "digest": labelled.digest,
        "photos": labelled.photos,
        "faces": len(labelled.faces.unit),
        "people": len(labelled.faces.names),
    }
    _home_numbers(embedder, data, numbers, evidence_of(found)).write(path)
    page.write(
        "Calibration", folder_sections(found, asdict(before), numbers, labelled.left_out), "curves and scores",
        changes=f"{len(numbers)} numbers",
    )  # fmt: skip
    wrong = max(one.scores.wrong_merges for one in found.crossed)
    return page.result(
        {
            "numbers": numbers_table(asdict(before), numbers),
            "wrong_pairs_on_the_other_half": wrong,
            **{f"{curve.name}_curve": curve_of(curve) for curve in found.curves},
            **data,
        },
        {"not_used": labelled.left_out[:100]},
        rows=len(numbers),
        version=text_version(repr(sorted(numbers.items()))),
    )


def _from_photos(page: Page, path: Path, home: HomeResource, embedder: EmbedderResource) -> Result:
    pack, before = embedder.pack(), embedder.thresholds()
    columns = ("face_id", "sha256", "face_short", "bbox", "embedding")
    tables = [home.face_store(bucket, pack.model_id, pack.dim).columns("faces", *columns) for bucket in home.buckets()]
    found = measure_home(tables, before)
    loose = found.looseness
    data = {"digest": found.digest, "faces": found.faces, "photos": loose.photos}
    words = "No distance is too loose for these photos; nothing was changed."
    if loose.too_loose:
        words = "Distances are too loose for these photos; tighter ones were written."
        shipped = _shipped_distances(embedder, before)
        _home_numbers(embedder, data, {**shipped, **loose.safe}, {"mixed": loose.mixed}).write(path)
    pairs = judged(rulings_in_force(home.library().registry), before.cover_distance)
    ruled = f"Nearest faces {pairs.in_words()}." if pairs.together or pairs.apart else None
    words = f"{words} {ruled}" if ruled else words
    page.say(words)
    page.write("Calibration", home_sections(loose, asdict(before)), "photos with several faces", changes=words)
    return page.result(
        {"answer": words, "numbers": numbers_table(asdict(before), loose.safe), "mixed": loose.mixed, **data},
        {"ruled_pairs": ruled},
        rows=len(loose.safe),
        version=text_version(repr(sorted(loose.safe.items()))),
    )


def _shipped_distances(embedder: EmbedderResource, before: PackThresholds) -> dict[str, float]:
    """Numbers that the home has measured already and that are kept."""
    shipped = asdict(thresholds_for(embedder.pack()))
    kept = {name: value for name, value in asdict(before).items() if value != shipped[name]}
    return {name: value for name, value in kept.items() if name != "calibrated"}


def _home_numbers(
    embedder: EmbedderResource, data: dict[str, Any], numbers: dict[str, float], evidence: dict[str, object]
) -> HomeNumbers:
    pack = embedder.pack()
    return HomeNumbers(
        pack.model_id, pack.name, datetime.now(UTC).isoformat(timespec="seconds"), data, numbers, evidence
    )
