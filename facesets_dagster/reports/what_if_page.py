"""The page of `what_if`: answers in sentences, a curve per parameter, new identities, changed facesets, the table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from facesets_dagster.analysis.what_if.points import BASE, REBUILT, SWEPT
from facesets_dagster.analysis.what_if.table import admitted
from facesets_dagster.analysis.what_if.what_if import Answer, WhatIf
from facesets_dagster.analysis.what_if.words import base_in_words
from facesets_dagster.faces.photo_loader import LoadPhoto
from facesets_dagster.reports.contact_sheet import PER_ROW, SheetRow, Tile
from facesets_dagster.reports.figures import Figure, curves_figure
from facesets_dagster.reports.markdown import Markdown, markdown_table
from facesets_dagster.reports.plots import curves
from facesets_dagster.reports.system_page import Section
from facesets_dagster.reports.thumbnails import of_faces, photo_by_face
from facesets_dagster.wording import counted

_ALWAYS = ("title", "mode", "identities", "members", "exported", "impossible_pairs")
_COUNTS = (
    "founded",
    "grown",
    "revived",
    "vanished",
    "covered",
    "outlier",
    "small_cluster",
    "below_face_short",
    "below_blur",
    "below_det_score",
    "same_photo",
    "near_duplicate",
    "below_export_gate",
    "export_outlier",
    "cut_off",
    "crop_failed",
)
"""Columns that the page and the UI show where one of them is not 0; the Parquet file has all."""

_CURVES = (
    "One parameter at a time, all others as in the base point (dashed line). Impossible pairs are pairs of faces "
    "of one photo in one identity: where they rise, people are being mixed."
)
_NEWCOMERS = "Identities that a point would have and the base has not, the faces that would be exported first."


@dataclass(frozen=True)
class Newcomer:
    """An identity that a point would have and the base has not."""

    title: str
    """`min_faces 4: faceset_031, 5 faces`."""
    faces: Sequence[str]
    """Faces to be shown, those that would be exported first."""


def curves_of(table: pl.DataFrame) -> dict[str, Markdown]:
    """Parameter -> Markdown with its small curve, for the parameters that were swept."""
    found = {}
    for parameter, rows, base in _swept(table):
        lines = {
            "identities": rows["identities"].to_list(),
            "exported faces": rows["exported"].to_list(),
            "impossible pairs": rows["impossible_pairs"].to_list(),
        }
        found[parameter] = curves(rows["value"].to_list(), lines, mark=base)
    return found


def figures_of(table: pl.DataFrame) -> list[Figure]:
    """The same for the page."""
    return [
        curves_figure(
            parameter,
            rows["value"].to_list(),
            {"identities": rows["identities"].to_list(), "impossible pairs": rows["impossible_pairs"].to_list()},
            ("exported faces", rows["exported"].to_list()),
            base,
        )
        for parameter, rows, base in _swept(table)
    ]


def newcomers(found: WhatIf, most: int) -> list[Newcomer]:
    """Identities that the base has not, at most `most`; each once: of an explicit point, or nearest to the base."""
    short = dict(found.faces.select("face_id", "face_short").iter_rows())
    asked = [one for one in found.answers if one.point.parameter not in (BASE, REBUILT)]
    shown: dict[frozenset[str], Newcomer] = {}
    for answer in sorted(asked, key=lambda one: _distance(found.base, one)):
        for name, person in admitted(found.base, answer).items() if len(shown) < most else ():
            here = sorted(person.here, key=lambda face: (face not in person.exported, -short.get(face, 0), face))
            title = (
                f"{answer.point.title}: {name}, {counted(len(person.members), 'face')}, {len(person.exported)} exported"
            )
            shown.setdefault(frozenset(person.members), Newcomer(title, here[:PER_ROW]))
    return list(shown.values())[:most]


def _distance(base: Answer, answer: Answer) -> tuple[int, float]:
    """Explicit points first, then a parameter after the other."""
    parameter, value = answer.point.parameter, answer.point.value
    if value is None:
        return -1, 0
    return SWEPT.index(parameter), abs(value - base.point.numbers.flat()[parameter])


def sheet_of(new: Sequence[Newcomer], faces: pl.DataFrame, pictures: Mapping[str, bytes]) -> list[SheetRow]:
    """A row per newcomer: below each face its shorter side in px."""
    short = dict(faces.select("face_id", "face_short").iter_rows())
    photos = photo_by_face(faces)
    return [
        SheetRow(
            one.title,
            [Tile(pictures[face], f"{short[face]:.0f} px", photos[face]) for face in one.faces if face in pictures],
        )
        for one in new
    ]


def what_if_sheet(found: WhatIf, most: int, load_photo: LoadPhoto, cache: Path) -> list[SheetRow]:
    """At most `most` identities that would be new. Cut out of the photos; none where those are not there now."""
    new = newcomers(found, most)
    wanted = found.faces.filter(pl.col("face_id").is_in([face for one in new for face in one.faces]))
    return sheet_of(new, wanted, of_faces(wanted, load_photo, cache)) if new else []


def points_markdown(points: pl.DataFrame) -> Markdown:
    """The table for the UI."""
    shown = _shown(points)
    return markdown_table(shown.columns, shown.rows())


def what_if_sections(table: pl.DataFrame, sentences: Sequence[str], sheet: Sequence[SheetRow]) -> list[Section]:
    """The page. `table`: `WHAT_IF_SCHEMA`, the base first."""
    base, shown = table.row(0, named=True), _shown(table)
    return [
        Section(
            "Answers",
            f"Compared with the base point ({base_in_words(base)}): "
            f"{counted(base['identities'], 'identity', 'identities')}, {base['exported']} of "
            f"{counted(base['faces'], 'face')} exported. No model was run and nothing was changed; crops that no run "
            "has made are taken to be good (never_rendered in the table counts them).",
            ("what would change",),
            [(text,) for text in sentences],
        ),
        *([Section("Curves", _CURVES, figures=figures)] if (figures := figures_of(table)) else []),
        *([Section("Identities that would be new", _NEWCOMERS, pictures=sheet)] if sheet else []),
        Section(
            "Facesets that would change",
            "Live facesets of this bucket that would lose or gain members, vanish or come back.",
            ("point", "faceset", "joined", "left"),
            _changes(table),
        ),
        Section(
            "Points",
            "Identities are people, the other columns faces; impossible pairs: two faces of one photo in one identity. "
            "Without columns that are 0 throughout. All columns and the names: cache/tables/what_if/, "
            f"{counted(len(table), 'row')}.",
            shown.columns,
            shown.rows(),
        ),
    ]


def _shown(table: pl.DataFrame) -> pl.DataFrame:
    """The points as people want to see them."""
    return table.select(*_ALWAYS, *(name for name in _COUNTS if table[name].sum())).rename({"title": "point"})


def _changes(table: pl.DataFrame) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for row in table.iter_rows(named=True):
        rows += [(row["title"], change["faceset"], change["joined"], change["left"]) for change in row["changes"]]
        rows += [(row["title"], f"{name} vanishes", None, None) for name in row["vanished_names"]]
        rows += [(row["title"], f"{name} comes back", None, None) for name in row["revived_names"]]
        rows += [
            (row["title"], f"{move['source']} to {move['target']}", move["faces"], move["faces"])
            for move in row["moved"]
        ]
    return rows


def _swept(table: pl.DataFrame) -> list[tuple[str, pl.DataFrame, float]]:
    """Parameter, its rows by value, the base's value; of parameters with two values and more."""
    base = table.row(0, named=True)
    found = []
    for parameter in SWEPT:
        rows = table.filter(pl.col("parameter") == parameter).sort("value")
        if len(rows) > 1:
            found.append((parameter, rows, float(base[parameter])))
    return found
