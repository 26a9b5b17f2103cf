"""The page of `consumer_exports`: exports, files in the way, consumers that do not fit the model pack."""

from facesets_dagster.analysis.consumer_exports import Exports
from facesets_dagster.reports.contact_sheet import SheetRow, Tile, rows_of
from facesets_dagster.reports.markdown import Markdown, markdown_table
from facesets_dagster.reports.system_page import Section, not_published_sections
from facesets_dagster.reports.thumbnails import of_file
from facesets_dagster.wording import counted

_COLUMNS = ("consumer", "facesets", "files", "written", "removed", "in the way", "left out", "others that stay")
_MAX_FACES = 200


def export_sheet(result: Exports) -> list[SheetRow]:
    """The best face of each faceset with the title that the programs show, eight in a row."""
    tiles = []
    for faceset in result.facesets[:_MAX_FACES]:
        best = faceset.faces[0]
        jpeg = of_file(faceset.folder / best.file)
        if jpeg is not None:
            tiles.append(Tile(jpeg, result.titles[faceset.name], (best.source.bucket, best.source.path)))
    return rows_of(tiles)


def export_table(result: Exports) -> Markdown:
    """The table for the UI."""
    return markdown_table(_COLUMNS, _rows(result), empty="No consumer was chosen.")


def export_sections(result: Exports, sheet: list[SheetRow], doubt: str | None) -> list[Section]:
    """`doubt`: what to know of embeddings of another recogniser than the swapper's."""
    foreign = [(str(export.folder), path) for export in result.exports for path in export.outcome.foreign]
    left_out = [(export.consumer.name, name, why) for export in result.exports for name, why in export.left_out.items()]
    return [
        Section(
            "Exports",
            f"{doubt or 'Each in its own folder below exports/.'} Files: all that are there now; written: by this run; "
            "removed: of facesets that are gone; in the way: files that somebody changed; left out: facesets that "
            "the program cannot take. Others that stay: live facesets that were not named, whose earlier files were "
            "left as they are.",
            _COLUMNS,
            _rows(result),
        ),
        Section(
            "Facesets",
            "With the name that the programs show: the label, else the faceset's name.",
            ("faceset", "name", "faces"),
            [(faceset.name, result.titles[faceset.name], len(faceset.faces)) for faceset in result.facesets],
            sheet,
        ),
        Section(
            "In the way",
            f"{counted(len(foreign), 'file is', 'files are')} not as written here, and left alone. Move them "
            "away to have them "
            "exported again.",
            ("folder", "file"),
            foreign,
        ),
        Section(
            "Left out",
            f"{counted(len(left_out), 'faceset')} could not be exported to a consumer. Where a photo cannot be read, "
            "what was exported earlier stays.",
            ("consumer", "faceset", "why"),
            left_out,
        ),
        Section(
            "Withheld",
            f"`consent.yaml` withholds {counted(len(result.withheld), 'faceset')}; files of them are removed.",
            ("faceset", "why"),
            sorted(result.withheld.items()),
        ),
        *not_published_sections(result.not_published_here),
        Section(
            "Not exported",
            "Consumers that do not fit this home's model pack."
            if result.refused
            else "Every chosen consumer was exported.",
            ("consumer", "why"),
            sorted(result.refused.items()),
        ),
    ]


def _rows(result: Exports) -> list[tuple[object, ...]]:
    return [
        (
            export.consumer.name,
            len(export.facesets),
            len(export.outcome.kept) + len(export.outcome.written),
            len(export.outcome.written),
            len(export.outcome.removed),
            len(export.outcome.foreign),
            len(export.left_out),
            len(export.unnamed),
        )
        for export in result.exports
    ]
