"""The page of `first_look`: a row of faces per group, the groups of one, the files without a face."""

from pathlib import Path

import polars as pl

from facesets_dagster.analysis.first_look import FirstLook
from facesets_dagster.faces.photo_loader import LoadPhoto
from facesets_dagster.identities.first_look import NOFACE, SINGLE, SINGLETONS
from facesets_dagster.reports.contact_sheet import SheetRow, Tile
from facesets_dagster.reports.system_page import Section
from facesets_dagster.reports.thumbnails import of_faces, photo_by_face
from facesets_dagster.wording import counted

SHOWN_GROUPS, SHOWN_FACES, SHOWN_SINGLES = 40, 12, 64
"""Pictures on the page: of the largest groups, of each group, of the singletons."""


def first_look_sheet(found: FirstLook, load_photo: LoadPhoto, cache: Path) -> list[SheetRow]:
    """A row per group: nearest to the centroid first, its distance below each face; of singletons the largest."""
    shown = _shown(found.table)
    wanted = found.faces.filter(pl.col("face_id").is_in(shown["face_id"].implode()))
    pictures = of_faces(wanted, load_photo, cache)
    photos = photo_by_face(wanted)
    sizes = dict(found.groups.select("folder", "faces").iter_rows())
    singles = len(found.table.filter(pl.col("group") == SINGLE))
    rows = []
    for (folder,), members in shown.group_by("folder", maintain_order=True):
        tiles = [
            Tile(pictures[face_id], f"{distance:.2f}" if folder in sizes else f"{short:.0f} px", photos[face_id])
            for face_id, distance, short in members.select("face_id", "distance", "face_short").iter_rows()
            if face_id in pictures
        ]
        rows.append(SheetRow(str(folder), tiles, sizes.get(str(folder), singles)))
    return rows


def first_look_sections(found: FirstLook, rows: list[SheetRow]) -> list[Section]:
    """The page."""
    singles = found.table.filter(pl.col("group") == SINGLE).select("path", "face_id", "face_short")
    noface = found.table.filter(pl.col("folder") == NOFACE).select("path")
    distance = f"cut at {found.table['cluster_distance'][0]}" if len(found.table) else "without a face"
    return [
        Section(
            "Groups",
            f"Average linkage, {distance}. Nothing was gated: blurred, small and wrong faces are among them. The "
            "number below a face is its cosine distance to the centroid of its group; the table has "
            "the median of a group and its farthest face.",
            ("group", "faces", "photos", "median distance", "farthest"),
            found.groups.rows(),
            [row for row in rows if row.title != SINGLETONS],
        ),
        Section(
            SINGLETONS,
            f"{counted(len(singles), 'face is', 'faces are')} alone in a group.",
            ("photo", "face", "face_short, px"),
            singles.rows(),
            [row for row in rows if row.title == SINGLETONS],
        ),
        Section(
            NOFACE,
            f"{counted(len(noface), 'file was', 'files were')} read and no face was found.",
            ("photo",),
            noface.rows(),
        ),
    ]


def _shown(table: pl.DataFrame) -> pl.DataFrame:
    """The faces that get a picture, in the table's order."""
    singles = table.filter(pl.col("group") == SINGLE).sort("face_short", "face_id", descending=[True, False])
    groups = table.filter(pl.col("group").is_between(0, SHOWN_GROUPS - 1))
    groups = groups.filter(pl.int_range(pl.len()).over("group") < SHOWN_FACES)
    return pl.concat([groups, singles.head(SHOWN_SINGLES)])
