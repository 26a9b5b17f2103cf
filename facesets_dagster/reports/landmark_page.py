"""The page of `face_landmarks`: faces with pose, gender and age below them, and what made the values."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from facesets_dagster.analysis.face_landmarks import Enriched
from facesets_dagster.analysis.published_facesets import PublishedFaceset
from facesets_dagster.embedding.landmarks import ExtraModel
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.reports.contact_sheet import SheetRow, Tile, rows_of
from facesets_dagster.reports.system_page import Section, not_published_sections
from facesets_dagster.reports.thumbnails import of_file
from facesets_dagster.wording import counted

_MAX_FACES = 200


def landmark_sheet(table: pl.DataFrame, facesets: Sequence[PublishedFaceset]) -> list[SheetRow]:
    """The faces of the table as the library shows them, eight in a row, each with what is known of it."""
    files = {(faceset.name, face.face_id): faceset.folder / face.file for faceset in facesets for face in faceset.faces}
    tiles = []
    for row in table.head(_MAX_FACES).iter_rows(named=True):
        jpeg = of_file(files[row["faceset"], row["face_id"]])
        if jpeg is not None:
            tiles.append(
                Tile(jpeg, f"{row['faceset'].removeprefix('faceset_')}: {in_words(row)}", (row["bucket"], row["path"]))
            )
    return rows_of(tiles)


def in_words(row: dict[str, object]) -> str:
    """`M 41, yaw -12`; what is not known is left out."""
    parts = []
    if row.get("gender") is not None:
        parts.append(f"{'M' if row['gender'] == 1 else 'F'} {row['age']}")
    pose = row.get("pose")
    if isinstance(pose, list):
        parts.append(f"yaw {pose[1]:.0f}")
    return ", ".join(parts)


def landmark_sections(
    table: pl.DataFrame,
    found: Enriched,
    models: Sequence[ExtraModel],
    sheet: list[SheetRow],
    pack: str,
    not_published_here: Mapping[str, Path],
) -> list[Section]:
    """Faces, models, photos that could not be read, facesets that lie elsewhere."""
    rows = [
        (row["faceset"], row["rank"], row["face_id"], bucket_title(row["bucket"]), row["path"], in_words(row))
        for row in table.iter_rows(named=True)
    ]
    told = (
        "Gender (F, M) and age in years are guesses of a model; yaw is the turn of the head in degrees."
        if models
        else f"The pack {pack} has no landmark models."
    )
    return [
        Section(
            "Faces",
            f"{counted(len(table), 'face')}. {told} All values are in the table "
            "cache/tables/face_landmarks/all.parquet.",
            ("faceset", "rank", "face", "bucket", "photo", "found"),
            rows,
            sheet,
        ),
        Section(
            "Models",
            "What made the values; they are kept by these digests.",
            ("quantity", "file", "sha256", "computed now"),
            [(model.task, model.file.name, model.sha256[:16], found.computed[model.task]) for model in models],
        ),
        Section(
            "Photos that could not be read",
            f"{counted(len(found.unreadable), 'face has', 'faces have')} no values for that reason.",
            ("face", "why"),
            sorted(found.unreadable.items()),
        ),
        *not_published_sections(not_published_here),
    ]
