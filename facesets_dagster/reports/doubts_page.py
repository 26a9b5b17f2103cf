"""The page of `doubtful_faces`: questions by kind, the most worth an answer first, with the faces they are about."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from facesets_dagster.faces.photo_loader import LoadPhoto
from facesets_dagster.identities.doubts import KINDS
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.reports.contact_sheet import SheetRow, Tile
from facesets_dagster.reports.markdown import Markdown, markdown_table
from facesets_dagster.reports.system_page import Section
from facesets_dagster.reports.thumbnails import of_faces, photo_by_face
from facesets_dagster.wording import counted

_COLUMNS = ("rank", "question", "faces", "value", "threshold", "change", "bucket", "photo")
_TITLES = {
    "between_two": "Between two people",
    "near_join": "Joined at nearly the largest distance",
    "near_outlier": "Nearly outliers, or nearly none",
    "same_photo": "Twice in one photo",
    "few_photos": "Left over near a person",
    "near_people": "Two people, or one",
}
_PER_KIND = 40
"""Doubts of a kind that are shown with pictures."""
_FACES = 7
"""Of a doubt of many faces, those that are shown."""


def doubt_sheets(
    table: pl.DataFrame, faces: pl.DataFrame, load_photo: LoadPhoto, cache: Path
) -> dict[str, list[SheetRow]]:
    """Kind -> a row of pictures per doubt: the faces in doubt, then those to compare with; `faces`: face table."""
    shown = table.group_by("kind", maintain_order=True).head(_PER_KIND).sort("rank")
    ids = {face_id for found in shown["face_ids"].to_list() for face_id in found[:_FACES]}
    wanted = faces.filter(
        pl.col("face_id").is_in([*ids, *shown["identity_face_id"].drop_nulls(), *shown["other_face_id"].drop_nulls()])
    )
    pictures, photos = of_faces(wanted, load_photo, cache), photo_by_face(wanted)
    sheets: dict[str, list[SheetRow]] = {}
    for row in shown.iter_rows(named=True):
        tiles = [Tile(pictures[one], words, photos[one]) for one, words in _captions(row) if one in pictures]
        title = f"{row['rank']}. {row['question']} ({row['value']:.3f} against {row['threshold']:.3f})"
        sheets.setdefault(row["kind"], []).append(SheetRow(title, tiles))
    return sheets


def _captions(row: Mapping[str, Any]) -> list[tuple[str | None, str]]:
    """face_id and what it is: of two people a face each, else the faces in doubt and whom they are compared with."""
    compared = [(row["identity_face_id"], row["identity"]), (row["other_face_id"], row["other"])]
    if row["kind"] == "near_people":
        return compared
    if row["kind"] == "same_photo":
        compared = [(row["other_face_id"], "the other face"), compared[0]]
    return [*((face_id, "in doubt") for face_id in row["face_ids"][:_FACES]), *compared]


def doubt_sections(
    table: pl.DataFrame, sheets: Mapping[str, list[SheetRow]], numbers: Mapping[str, float]
) -> list[Section]:
    """`numbers`: `margin` and the distances of the run."""
    first = Section(
        "What is in doubt",
        f"{counted(len(table), 'question')}, most change first. A number within {numbers['margin']} of its threshold "
        "is in doubt: at the threshold another answer is as likely as not. Change is that chance times the faces that "
        "would move. Nothing is changed here; an answer is a ruling: `facesets rule same`, `different`, `not-person`, "
        "`assign` or `allow-together`.",
        ("kind", "questions", "faces", "change"),
        [(_TITLES[kind], count, faces, round(change, 1)) for kind, count, faces, change in counts(table)],
    )
    kinds = [kind for kind in KINDS if kind in sheets]
    return [first, *(_section(kind, table.filter(pl.col("kind") == kind), sheets[kind]) for kind in kinds)]


def _section(kind: str, rows: pl.DataFrame, sheet: list[SheetRow]) -> Section:
    shown = f" The first {_PER_KIND} with pictures." if len(rows) > _PER_KIND else ""
    text = f"{counted(len(rows), 'question')}: {KINDS[kind]}.{shown}"
    return Section(_TITLES[kind], text, _COLUMNS, _rows(rows), sheet)


def counts(table: pl.DataFrame) -> list[tuple[str, int, int, float]]:
    """Kind, questions, faces that would move, change; in the order of `KINDS`."""
    found = table.group_by("kind").agg(pl.len(), pl.col("moved").sum(), pl.col("change").sum())
    by_kind = {kind: (kind, questions, faces, change) for kind, questions, faces, change in found.iter_rows()}
    return [by_kind[kind] for kind in KINDS if kind in by_kind]


def doubts_table(table: pl.DataFrame) -> Markdown:
    """The table for the UI."""
    return markdown_table(_COLUMNS, _rows(table), most=100, empty="Nothing is in doubt.")


def _rows(table: pl.DataFrame) -> list[tuple[object, ...]]:
    return [
        (
            row["rank"],
            row["question"],
            row["moved"],
            round(row["value"], 3),
            round(row["threshold"], 3),
            round(row["change"], 2),
            bucket_title(row["bucket"]) if row["bucket"] is not None else "",
            row["path"] or "",
        )
        for row in table.iter_rows(named=True)
    ]
