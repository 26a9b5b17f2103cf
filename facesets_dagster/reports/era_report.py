"""The sections of the write-up of `era_facesets`, and its table of eras for the metadata."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median

from facesets_dagster.identities.eras import REASONS
from facesets_dagster.library.library import Library
from facesets_dagster.library.numbering import faceset_folder
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.photos.dates import SOURCES
from facesets_dagster.publishing.era_facesets import EraResult
from facesets_dagster.publishing.eras.families import Family, PlannedEra
from facesets_dagster.reports.contact_sheet import SheetRow
from facesets_dagster.reports.markdown import Markdown, faceset_link, markdown_table
from facesets_dagster.reports.plots import bars
from facesets_dagster.reports.system_page import Section, row_of_faceset
from facesets_dagster.wording import counted

MAX_BARS = 24
"""What `plots.bars` draws."""
ERA_COLUMNS = ("identity", "person", "era", "kind", "years", "members", "joined now", "exported")


def era_rows(result: EraResult) -> list[list[object]]:
    """One row per era, columns as `ERA_COLUMNS`."""
    joined = result.joined()
    return [
        [
            family.parent.name,
            family.parent.label,
            era.name,
            "thin" if era.kind == "thin_era" else "era",
            f"{era.anchor.first_year}-{era.anchor.last_year}",
            len(era.members),
            joined[era.name],
            result.exported[era.name],
        ]
        for family in result.families
        for era in family.eras
    ]


def era_table(rows: Sequence[Sequence[object]]) -> Markdown:
    """The table for the UI, with links to the facesets."""
    shown = []
    for identity, person, era, kind, *numbers in rows:
        place = faceset_folder(str(era), "thin_era" if kind == "thin" else "era").split("/")
        shown.append([faceset_link(str(identity)), person, faceset_link(str(era), *place), kind, *numbers])
    return markdown_table(ERA_COLUMNS, shown, empty="There are no eras.")


def dated_by(result: EraResult) -> dict[str, int]:
    """Source of the date -> photos, all sources."""
    counts = Counter(found.source for found in result.dates.values())
    return {source: counts[source] for source in SOURCES}


def years_picture(result: EraResult) -> str:
    """Markdown: dated faces per year, or per few years where there are many, and first, median and last in words."""
    years = [int(year) for family in result.families for year in family.faces.years[family.faces.dated]]
    if not years:
        return "no face has a date"
    first, last = min(years), max(years)
    step = 1 + (last - first) // MAX_BARS
    counts = Counter((year - first) // step for year in years)
    words = f"{first} · median {median(years):.0f} · {last}" + (f", {step} years a bar" if step > 1 else "")
    return f"{bars([counts[place] for place in range((last - first) // step + 1)])}\n\n{words}"


def pictures(result: EraResult, library: Library) -> list[SheetRow]:
    """A row of the best faces per era."""
    return [
        row_of_faceset(library.folder / faceset_folder(era.name, era.kind), _title(family, era))
        for family in result.families
        for era in family.eras
    ]


def sections(result: EraResult, library: Library, parameters: Mapping[str, object]) -> list[Section]:
    """Everything that the page shows, in the order in which a reader asks."""
    sources, left, changed = dated_by(result), _left_faces(result), _changed(result)
    shown = sum(sources.values())
    return [
        Section("What changed", f"{counted(len(changed), 'era') if changed else 'Nothing'}.", ("era", "what"), changed),
        Section(
            "How photos were dated",
            f"{shown - sources['undated']} of {shown} photos have a year: by EXIF DateTimeOriginal, else by the file "
            "name, else by the nearest folder that names one. A range counts by its middle year. Nothing was guessed.",
            ("source", "photos"),
            [[source.replace("_", " "), count] for source, count in sources.items()],
        ),
        Section("Eras", _eras_text(result), ERA_COLUMNS, era_rows(result), pictures(result, library)),
        Section(
            "Faces in no era",
            f"{len(left)} of {result.faces()} faces. They stay members of their identity." if left else "None.",
            ("identity", "reason", "faces", "meaning"),
            _reasons(result),
        ),
        Section(
            "Which faces, and how near they came",
            "Cosine distance and years to an anchor: the nearest of those that look alike, else the nearest of all.",
            ("identity", "photo", "year", "dated by", "reason", "nearest era", "cos-dist", "years apart"),
            left,
        )
        if left
        else Section("Which faces", "Every face is in an era."),
        Section(
            "Parameters",
            "Of this run. Distances are cosine distances, 0 to 2; years are years.",
            ("parameter", "value"),
            _shown(parameters),
        ),
        Section(
            "How to run again",
            "Materialize era_facesets; without run config later photos are slotted into the eras that stand, with the "
            'numbers that those were made with. split: ["faceset_001"] (or ["*"]) also seeds new eras from the faces '
            "that joined none. A date that is wrong is mended in the photo's EXIF or in its file or folder name.",
        ),
    ]


def _shown(parameters: Mapping[str, object]) -> list[list[object]]:
    return [[name, ", ".join(value) if isinstance(value, list) else value] for name, value in parameters.items()]


def _title(family: Family, era: PlannedEra) -> str:
    return f"{era.name} · {family.parent.label}" if family.parent.label else era.name


def _eras_text(result: EraResult) -> str:
    if not result.families:
        return "No identity has eras. Name some in `split`."
    thin = sum(era.kind == "thin_era" for family in result.families for era in family.eras)
    total = sum(len(family.eras) for family in result.families)
    identities = counted(len(result.families), "identity", "identities")
    return f"{counted(total - thin, 'era')} and {thin} thin of {identities}. Their faces are copies."


def _changed(result: EraResult) -> list[list[object]]:
    outcome, moved = result.update.outcome, set(result.moved())
    rows: list[list[object]] = [[name, "founded"] for name in outcome.founded]
    rows += [[name, "thin before, substantive now" if name in moved else "changed"] for name in outcome.changed]
    rows += [[name, "back in use"] for name in outcome.revived]
    rows += [[name, "out of use: its identity is"] for name in result.orphans]
    rows += [[name, "out of use: no face is left in it"] for name in result.emptied]
    return rows


def _reasons(result: EraResult) -> list[list[object]]:
    rows: list[list[object]] = []
    for family in result.families:
        counts = Counter(face.reason for face in family.left)
        rows += [
            [family.parent.name, reason.replace("_", " "), counts[reason], meaning]
            for reason, meaning in REASONS.items()
            if counts[reason]
        ]
    return rows


def _left_faces(result: EraResult) -> Sequence[Sequence[object]]:
    places = {row[0]: row[1:] for row in result.rows.select("face_id", "sha256", "bucket", "path").iter_rows()}
    rows: list[list[object]] = []
    for family in result.families:
        for face in family.left:
            sha256, bucket, path = places[face.face_id]
            found = result.dates[sha256]
            nearest = None if face.anchor is None else family.anchor_names[face.anchor]
            source = found.source.replace("_", " ")
            reason = face.reason.replace("_", " ")
            photo = f"{bucket_title(bucket)}/{path}"
            rows.append([family.parent.name, photo, found.year, source, reason, nearest, face.distance, face.years])
    return rows
