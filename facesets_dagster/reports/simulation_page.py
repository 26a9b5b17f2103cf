"""The page of `consumer_simulation`: a row per faceset, the worst first, and the pictures that failed."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from facesets_dagster.analysis.consumer_simulation import SeenFaceset, Simulation, archive_path
from facesets_dagster.analysis.simulation_verdicts import FailingPicture, Judged, Limits, failing_pictures
from facesets_dagster.export.as_roop import SeenPicture
from facesets_dagster.export.crop_check import CONSUMER_DET_SIZES
from facesets_dagster.reports.contact_sheet import SheetRow, Tile, rows_of
from facesets_dagster.reports.system_page import Section, not_published_sections
from facesets_dagster.reports.thumbnails import THUMBNAIL_PX, thumbnail
from facesets_dagster.wording import counted

_PER_FACESET = 8
_MAX_PICTURES = 160
_QUALITY = 85
_COLOURS = {CONSUMER_DET_SIZES[0]: "#16a34a", CONSUMER_DET_SIZES[1]: "#e5484d"}
FACESET_COLUMNS = (
    "faceset",
    "label",
    "pngs",
    "with_one_face",
    "mean_distance",
    "margin",
    "nearest_other",
    "largest_face_distance",
    "what_is_wrong",
)


def worst_first(rows: Sequence[Judged]) -> dict[str, list[Judged]]:
    """Faceset -> its rows; those with something wrong first, then by the distance of the mean."""
    facesets: dict[str, list[Judged]] = {}
    for row in rows:
        facesets.setdefault(row.faceset, []).append(row)

    def badness(name: str) -> tuple[int, float, str]:
        own = facesets[name]
        return -sum(not row.passed for row in own), -(_most(own, "mean_distance") or 0), name

    return {name: facesets[name] for name in sorted(facesets, key=badness)}


def faceset_rows(rows: Sequence[Judged], labels: Mapping[str, str | None]) -> list[tuple[object, ...]]:
    """`FACESET_COLUMNS`: of each faceset the worst over its archives and sizes."""
    return [
        (
            name,
            labels.get(name) or "",
            own[0].pngs,
            _faces_in_words(own),
            _most(own, "mean_distance"),
            _least_margin(own),
            next((row.nearest_other for row in own if row.margin == _least_margin(own)), None),
            _most(own, "largest_face_distance"),
            _wrong_in_words(own),
        )
        for name, own in worst_first(rows).items()
    ]


def simulation_sections(
    simulation: Simulation, rows: Sequence[Judged], limits: Limits, sheet: Sequence[SheetRow]
) -> list[Section]:
    """The page. `sheet`: of `failing_sheet`."""
    labels = {seen.faceset.name: seen.faceset.identity.label for seen in simulation.facesets}
    names = worst_first(rows)
    good = sum(all(row.passed for row in own) for own in names.values())
    return [
        Section(
            "Facesets",
            f"{good} of {counted(len(names), 'faceset')} as they should be, the others first. Each .fsz was opened as "
            "roop-unleashed does: every .png, every face found at detector size 640 and at 320, raw mean. Distances "
            f"are cosine distances; the mean may lie {limits.max_mean_distance:g} from the faceset's centroid and must "
            f"be {limits.min_margin:g} nearer to it than to any other person's. Margin: how much "
            "nearer it is, negative where another is nearer; largest face distance: of the face that lies farthest. "
            "The worst of both archives and sizes is shown; cache/tables/consumer_simulation/ has all.",
            FACESET_COLUMNS,
            faceset_rows(rows, labels),
        ),
        Section(
            "Pictures that failed",
            "Not exactly one face is found in them. Boxes: what is found at 640 (green) and at 320 (red)."
            if sheet
            else "None: in every picture exactly one face is found, at both sizes.",
            pictures=sheet,
        ),
        *not_published_sections(simulation.not_published_here),
    ]


def failing_sheet(simulation: Simulation) -> list[SheetRow]:
    """Pictures in which not exactly one face is found, at most `_PER_FACESET` of each faceset, eight in a row.

    Below each its archive (`001`, `001_top`), its name and the faces found.
    """
    tiles: list[Tile] = []
    for seen in simulation.facesets:
        if len(tiles) < _MAX_PICTURES:
            tiles += _tiles(seen, failing_pictures(seen)[:_PER_FACESET])
    return rows_of(tiles)


def _tiles(seen: SeenFaceset, failing: Sequence[FailingPicture]) -> list[Tile]:
    tiles, blank = [], Image.new("RGB", (THUMBNAIL_PX, THUMBNAIL_PX), "#888888")
    for one in failing:
        archive = archive_path(seen.faceset, one.archive)
        place = f"{archive.stem.removeprefix('faceset_')}/{one.file}"
        counts = ", ".join(f"{picture.faces} at {size}" for size, picture in one.at.items())
        readable = all(picture.readable for picture in one.at.values())
        data = _picture(archive, one.file) if readable else None
        if data is not None:
            tiles.append(Tile(_with_boxes(data, one.at), f"{place}: {counts}"))
        else:
            tiles.append(Tile(thumbnail(blank, _QUALITY), f"{place}: not readable"))
    return tiles


def _picture(archive: Path, file: str) -> bytes | None:
    """None where it cannot be read any more."""
    try:
        with zipfile.ZipFile(archive) as opened:
            return opened.read(file)
    except (OSError, zipfile.BadZipFile, KeyError):
        return None


def _with_boxes(data: bytes, at: Mapping[int, SeenPicture]) -> bytes:
    with Image.open(io.BytesIO(data)) as opened:
        picture = opened.convert("RGB")
    draw, width = ImageDraw.Draw(picture), max(picture.width // 64, 1)
    for place, (size, seen) in enumerate(sorted(at.items())):
        for box in seen.bbox.tolist():  # the later ones thinner, so that they do not hide the others
            draw.rectangle(box, outline=_COLOURS[size], width=max(width * (2 - place) // 2, 1))
    return thumbnail(picture, _QUALITY)


def _most(rows: Sequence[Judged], column: str) -> float | None:
    values = [getattr(row, column) for row in rows]
    return max((value for value in values if value is not None), default=None)


def _least_margin(rows: Sequence[Judged]) -> float | None:
    return min((row.margin for row in rows if row.margin is not None), default=None)


def _faces_in_words(rows: Sequence[Judged]) -> str:
    """`all`, or at each size how many of the pictures of the whole archive show exactly one face."""
    whole = [row for row in rows if row.archive == "all"]
    one = {row.det_size: row.pngs - row.without_face - row.with_several for row in whole}
    if all(one[row.det_size] == row.pngs for row in whole):
        return "all"
    return ", ".join(f"{count} at {size}" for size, count in one.items())


def _wrong_in_words(rows: Sequence[Judged]) -> str:
    """What is wrong, each reason once, with the sizes and archives where it is so."""
    places: dict[str, list[str]] = {}
    for row in rows:
        for text in (row.pictures_wrong, row.mean_wrong):
            if text is not None:
                places.setdefault(text, []).append(f"{row.archive} at {row.det_size}")
    return "; ".join(f"{text} ({', '.join(where)})" for text, where in places.items())
