"""The page of `merge_proposals`: facesets side by side."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from facesets_dagster.analysis.merge_proposals import STATES, Proposals
from facesets_dagster.analysis.rulings_on import RulingOn
from facesets_dagster.faces.photo_loader import LoadPhoto
from facesets_dagster.library.library import Library
from facesets_dagster.library.membership import StoreOf, rows_of_members
from facesets_dagster.reports.contact_sheet import PER_ROW, SheetRow, Tile
from facesets_dagster.reports.markdown import Markdown, markdown_table
from facesets_dagster.reports.system_page import Section, row_of_faceset
from facesets_dagster.reports.thumbnails import of_faces, photo_by_face
from facesets_dagster.threads import in_threads
from facesets_dagster.wording import counted

_COLUMNS = ("rank", "id", "facesets", "persons", "gain", "distance", "median of faces", "near share", "copies")
PROPOSED = "proposed"
SHOWN = 300
"""Proposals with pictures; the table has them all."""
PICTURES = 3000
"""Of all of them; where they are many, each faceset has fewer, but two."""


def proposals_sheet(
    found: Proposals,
    library: Library,
    store_of: StoreOf,
    photos_of: Callable[[pl.DataFrame], LoadPhoto],
    cache: Path,
) -> list[SheetRow]:
    """The faces of each faceset of the first `SHOWN` proposals. `photos_of`: face rows -> how to open their photos."""
    proposed = found.table.filter(pl.col("state") == PROPOSED).head(SHOWN)
    digests = library.registry.manifest_digests()
    most = max(2, min(PER_ROW, PICTURES // max(1, sum(map(len, proposed["names"])))))

    def row_of(name: str, title: str) -> SheetRow:
        if digests[name] is not None:
            return row_of_faceset(library.folder / name, title, most)
        places = library.snapshot().places(name)  # a legacy faceset that was never published here
        rows = rows_of_members(library, store_of, places) if places else None
        if rows is None:
            return SheetRow(title, [])
        mine = rows.filter(pl.col("face_id").is_in(list(places))).sort("face_id").head(most)
        pictures, photos = of_faces(mine, photos_of(mine), cache), photo_by_face(mine)
        return SheetRow(title, [Tile(jpeg, "", photos[face_id]) for face_id, jpeg in pictures.items()], len(places))

    return side_by_side(proposed, row_of)


def side_by_side(table: pl.DataFrame, row_of: Callable[[str, str], SheetRow]) -> list[SheetRow]:
    """A row of faces for each faceset of each row of the table. `row_of`: name, title -> the row; called in threads."""
    rows = []
    for entry in table.iter_rows(named=True):
        head = f"{entry['rank']}. " if entry["rank"] else f"{entry['state']}: "
        for name, label, kind in zip(entry["names"], entry["labels"], entry["kinds"], strict=True):
            stays = ", stays" if name == entry["keep"] else ""
            person = f" {label}" if label else ""
            rows.append((name, f"{head}{name}{person} ({kind}{stays})"))
    return in_threads(lambda row: row_of(*row), rows)


def proposal_sections(
    found: Proposals,
    sheet: Sequence[SheetRow],
    numbers: Mapping[str, float],
    rejected_by: Mapping[frozenset[str], RulingOn],
) -> list[Section]:
    """`sheet`: of the first `SHOWN` proposals, in which every face is drawn; `numbers`: the resolved run config;
    `rejected_by`: two names -> the ruling that says that they are two people.
    """
    proposed = found.table.filter(pl.col("state") == PROPOSED)
    others = found.table.filter(pl.col("state") != PROPOSED)
    return [
        Section(
            "Proposed",
            f"{counted(len(proposed), 'group')} among {counted(len(found.people), 'faceset')}. In each all centroids "
            f"lie within {numbers['merge_distance']} of each other and at least {numbers['min_near_share']:.0%} of the "
            f"pairs of faces within {numbers['member_distance']}, and no photo shows two of them. Most gain first: "
            "exported faces that come to stand with the largest faceset. Distance: the largest cosine distance between "
            "two centroids; median of faces: of the pairs of faces; near share: of those pairs that are near, 0 to 1; "
            "copies: faces that two of them have. Nothing is changed; the job apply_merges "
            "merges the groups that you name."
            + (f" Faces are shown of the first {SHOWN} groups." if len(proposed) > SHOWN else ""),
            _COLUMNS,
            _rows(proposed),
            sheet,
            all_pictures=True,
        ),
        Section(
            "Ready to paste",
            "Run config of the job apply_merges, for its launchpad; take out what is wrong. On the command line: "
            "`facesets rule same A B`, and `facesets rule different A B` for two who are two."
            if len(proposed)
            else "Nothing is proposed.",
            code=ready_to_paste(proposed),
        ),
        Section(
            "Near, and not proposed",
            "; ".join(f"{state}: {meaning}" for state, meaning in STATES.items() if state != PROPOSED) + ".",
            ("why", *_COLUMNS[1:], "photos with both", "ruling"),
            [
                (row["state"], *cells[1:], len(row["veto_photos"]), _ruling(row, rejected_by))
                for row, cells in zip(others.iter_rows(named=True), _rows(others), strict=True)
            ],
        ),
        Section(
            "Not compared",
            "No centroid or no face is known of these.",
            ("faceset",),
            [(n,) for n in found.without_faces],
        ),
    ]


def _ruling(row: Mapping[str, Any], rejected_by: Mapping[frozenset[str], RulingOn]) -> str:
    """Of a rejected pair: who said so, when, and the ruling to undo."""
    one = rejected_by.get(frozenset(row["names"])) if row["state"] == "rejected" else None
    return f"{one.by}; {one.ruling_id}" if one else ""


def proposals_table(proposals: pl.DataFrame) -> Markdown:
    """The table for the UI."""
    proposed = proposals.filter(pl.col("state") == PROPOSED)
    return markdown_table(_COLUMNS, _rows(proposed), most=200, empty="No merge is proposed.")


def _rows(table: pl.DataFrame) -> list[tuple[object, ...]]:
    return [
        (
            row["rank"],
            row["proposal_id"],
            " + ".join(row["names"]),
            ", ".join(sorted({label for label in row["labels"] if label})),
            row["gain"],
            round(row["distance"], 3),
            round(row["median_member_distance"], 3),
            round(row["near_share"], 3),
            row["shared_faces"],
        )
        for row in table.iter_rows(named=True)
    ]


def ready_to_paste(proposals: pl.DataFrame) -> str:
    """The run config of the job `apply_merges` for what is proposed, as its launchpad takes it; empty for nothing."""
    groups = proposals.filter(pl.col("state") == PROPOSED)["names"].to_list()
    lines = [f"      - [{', '.join(names)}]" for names in groups]
    head = ["ops:", "  applied_rulings:", "    config:", "      merges:"]
    return "\n".join([*head, *lines]) if lines else ""
