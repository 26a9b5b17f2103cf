"""The write-up of what is not the main chain (extend, eras ...): sections of text, table and pictures.

`reports/<bucket>/<run_id>.<asset>.html` and `.md`, listed in the index like every run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from facesets_dagster.files.writing import write_text
from facesets_dagster.library.faceset_manifest import ExportedFace, read_faceset
from facesets_dagster.photos.bucket_key import bucket_title, file_name
from facesets_dagster.reports.contact_sheet import PER_ROW, SheetRow, Tile
from facesets_dagster.reports.figures import Figure
from facesets_dagster.reports.index import RunLine, add_run
from facesets_dagster.reports.links import PhotoLinks, review_page_of
from facesets_dagster.reports.markdown import fenced, markdown_table
from facesets_dagster.reports.template import template
from facesets_dagster.reports.thumbnails import of_file
from facesets_dagster.wording import counted

MAX_ROWS = 500
MAX_PICTURES = 600


@dataclass(frozen=True)
class Section:
    """A heading, a sentence or two, a table, rows of pictures; what is empty is left out."""

    title: str
    text: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[object]] = ()
    """At most `MAX_ROWS` are shown, and how many more there are."""
    pictures: Sequence[SheetRow] = field(default=())
    figures: Sequence[Figure] = field(default=())
    """Plots, each with its words."""
    code: str = ""
    """Lines to be copied as they are."""
    all_pictures: bool = False
    """Beyond `MAX_PICTURES` too: the section has a limit of its own."""


def write_system_page(
    reports_dir: Path,
    bucket: str,
    run_id: str,
    system: str,
    title: str,
    sections: Sequence[Section],
    *,
    changes: str,
    folders: Mapping[str, Path],
) -> Path:
    """Writes page and text, enters the run into the index, and gives the page's path.

    `changes`: in a few words, empty for none; `folders`: bucket -> where its photos lie, for the links to them.
    """
    finished_at = datetime.now(UTC).isoformat(timespec="seconds")
    content = {
        "title": f"{title}: {bucket_title(bucket)}",
        "bucket": bucket_title(bucket),
        "system": system,
        "run_id": run_id,
        "finished_at": finished_at,
        "sections": _within_budget(sections),
        "max_rows": MAX_ROWS,
        "table": markdown_table,
        "photo_link": PhotoLinks(folders, reports_dir / file_name(bucket)).of,
        "fenced": fenced,
        "review": review_page_of(system),
    }
    page = reports_dir / file_name(bucket) / f"{run_id}.{system}.html"
    write_text(page, template("system.html").render(content))
    write_text(page.with_suffix(".md"), template("system.md").render(content))
    add_run(reports_dir, RunLine(bucket, run_id, finished_at, changes, system=system))
    return page


def not_published_sections(left_out: Mapping[str, Path]) -> list[Section]:
    """Adopted legacy facesets that a system could not read -> the library of their files; empty where all are here."""
    if not left_out:
        return []
    return [
        Section(
            "Not published here",
            f"{counted(len(left_out), 'adopted faceset is', 'adopted facesets are')} left out: the files lie in the "
            "legacy library. extended_facesets publishes one here as soon as it gives it a new face.",
            ("faceset", "legacy library"),
            [(name, str(root)) for name, root in sorted(left_out.items())],
        )
    ]


def row_of_faceset(folder: Path, title: str, most: int = PER_ROW) -> SheetRow:
    """The best faces of a faceset in place, at most so many, with rank and score."""
    manifest = read_faceset(folder)
    faces = manifest.shown_first() if manifest else ()
    return SheetRow(title, best_tiles(folder, faces[:most]), len(faces))


def best_tiles(folder: Path, faces: Sequence[ExportedFace]) -> list[Tile]:
    """Pictures of a faceset's exported faces, with rank and score, and whether they fill it up."""
    return [
        Tile(
            jpeg,
            f"{face.rank} · {face.rank_score:.2f}{' · filled' * face.filled}",
            (face.source.bucket, face.source.path),
        )
        for face in faces
        if (jpeg := of_file(folder / face.file)) is not None
    ]


def _within_budget(sections: Sequence[Section]) -> list[Section]:
    """At most `MAX_PICTURES` on the page, so that it opens anywhere, but for sections with a bound of their own."""
    left, shown = MAX_PICTURES, []
    for section in sections:
        if section.all_pictures:
            shown.append(section)
            continue
        rows = []
        for row in section.pictures:
            rows.append(replace(row, tiles=list(row.tiles)[:left]))
            left -= len(rows[-1].tiles)
        shown.append(replace(section, pictures=rows))
    return shown
