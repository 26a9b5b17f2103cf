"""The page of `hand_sorted_facesets`: the person of each folder, and folders and photos without one."""

from collections.abc import Sequence

import polars as pl

from facesets_dagster.library.library import Library
from facesets_dagster.photos.bucket_key import HAND_SORTED
from facesets_dagster.publishing.hand_sorted_facesets import PeopleResult
from facesets_dagster.reports.markdown import Markdown, faceset_link, markdown_table
from facesets_dagster.reports.system_page import Section, row_of_faceset
from facesets_dagster.wording import counted

COLUMNS = ("folder", "faceset", "photos", "faces", "the person's", "share of photos", "members", "exported")


def people_rows(result: PeopleResult, library: Library, empty: Sequence[str]) -> list[list[object]]:
    """Rows of `COLUMNS`; `empty`: folders without a photo."""
    rows: list[list[object]] = []
    members = library.registry.members(list(result.names.values()))
    exported = library.registry.decisions(HAND_SORTED).filter(pl.col("state") == "exported")
    counts = dict(exported.group_by("identity").len().iter_rows())
    for person in result.people.people:
        name = result.names.get(person.folder)
        taken = len(result.people.members.get(person.folder, []))
        share = round(person.share, 3)
        more = [len(members.get(name, {})), counts.get(name, 0)] if name else [None, None]
        rows.append([person.folder, name, person.photos, person.faces, taken, share, *more])
    return rows + [[folder, None, 0, 0, 0, None, None, None] for folder in empty]


def hand_sorted_table(rows: Sequence[Sequence[object]]) -> Markdown:
    """The table for the UI, with links to the facesets."""
    shown = [(folder, faceset_link(str(name)) if name else "none", *rest) for folder, name, *rest in rows]
    return markdown_table(COLUMNS, shown, empty="There is no folder with photos.")


def hand_sorted_sections(
    result: PeopleResult, library: Library, rows: Sequence[Sequence[object]], empty: Sequence[str]
) -> list[Section]:
    """The page. `rows`: of `people_rows`."""
    undecided = [
        [person.folder, person.photos, person.faces, round(person.share, 3)]
        for person in result.people.people
        if person.centroid is None
    ]
    pictures = [row_of_faceset(library.folder / name, f"{name} · {folder}") for folder, name in result.names.items()]
    return [
        Section(
            "People",
            "The person of each folder is the one in most of its photos. Share of photos: those that show the person, "
            "0 to 1; the person's: faces of theirs; exported: pictures in the faceset.",
            COLUMNS,
            rows,
            pictures,
        ),
        Section(
            "Folders that were not taken",
            "No face was found, or no person is in more than half of the photos. Sort them again; nothing was guessed."
            if undecided
            else "Every folder has its person.",
            ("folder", "photos", "faces", "largest share"),
            undecided,
        ),
        Section(
            "Photos beside the folders",
            f"{counted(len(result.loose), 'photo is', 'photos are')} in no folder, and not used.",
            ("photo",),
            [[path] for path in result.loose],
        ),
        Section(
            "Folders without a photo",
            f"{counted(len(empty), 'folder holds', 'folders hold')} no photo. Links to folders are not followed.",
            ("folder",),
            [[folder] for folder in empty],
        ),
        Section(
            "How to run it again",
            "Materialize hand_sorted_facesets, or run full_pipeline. The same folders and numbers change nothing.",
        ),
    ]
