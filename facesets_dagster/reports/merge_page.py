"""Pages of `merge_proposals` and of the two jobs: facesets side by side, and what was done."""

from collections.abc import Callable, Mapping, Sequence

import polars as pl

from facesets_dagster.analysis.merge_proposals import STATES, Proposals
from facesets_dagster.reports.contact_sheet import SheetRow
from facesets_dagster.reports.system_page import Section
from facesets_dagster.threads import in_threads
from facesets_dagster.wording import counted

_COLUMNS = ("rank", "id", "facesets", "persons", "gain", "distance", "median of faces", "near share", "copies")
_MAX_IN_MARKDOWN = 200
PROPOSED = "proposed"


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
    found: Proposals, sheet: Sequence[SheetRow], numbers: Mapping[str, float], shown: int
) -> list[Section]:
    """`sheet`: of the first `shown` proposals, in which every face is drawn; `numbers`: the resolved run config."""
    proposed = found.table.filter(pl.col("state") == PROPOSED)
    others = found.table.filter(pl.col("state") != PROPOSED)
    return [
        Section(
            "Proposed",
            f"{counted(len(proposed), 'group')} among {counted(len(found.people), 'faceset')}. In each all centroids "
            f"lie within {numbers['merge_distance']} of each other and at least {numbers['min_near_share']:.0%} of the "
            f"pairs of faces within {numbers['member_distance']}, and no photo shows two of them. Most gain first: "
            "exported faces that come to stand with the largest faceset. Nothing is changed; the job apply_merges "
            "merges the groups that it is told."
            + (f" Faces are shown of the first {shown} groups." if len(proposed) > shown else ""),
            _COLUMNS,
            _rows(proposed),
            sheet,
            all_pictures=True,
        ),
        Section("Ready to paste", "Run config of apply_merges; take out what is wrong.", ("merges:",), _yaml(proposed)),
        Section(
            "Near, and not proposed",
            "; ".join(f"{state}: {meaning}" for state, meaning in STATES.items() if state != PROPOSED) + ".",
            ("why", *_COLUMNS[1:], "photos with both"),
            [
                (row["state"], *cells[1:], len(row["veto_photos"]))
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


def told_sections(first: Section, others: Sequence[Section]) -> list[Section]:
    """What one of the two jobs did: the first section always, of the others those that hold something."""
    return [first, *(section for section in others if section.rows)]


def proposals_table(table: pl.DataFrame) -> str:
    """Markdown, at most 200 rows."""
    proposed = table.filter(pl.col("state") == PROPOSED)
    if proposed.is_empty():
        return "Nobody is proposed."
    lines = [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in _rows(proposed.head(_MAX_IN_MARKDOWN))]
    return "\n".join([f"| {' | '.join(_COLUMNS)} |", f"|{' --- |' * len(_COLUMNS)}", *lines])


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


def _yaml(proposed: pl.DataFrame) -> list[tuple[str]]:
    return [(f"- [{', '.join(names)}]",) for names in proposed["names"].to_list()]


def _cell(value: object) -> str:
    return str(value).replace("|", "/")
