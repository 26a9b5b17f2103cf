"""Contact sheet and page of candidates: what is offered below what the faceset has."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from facesets_dagster.export.candidate_folder import WrittenFolder
from facesets_dagster.export.rendering import RenderedFace
from facesets_dagster.identities.candidates import Offer
from facesets_dagster.publishing.candidate_faces import CANDIDATES, Candidates
from facesets_dagster.reports.contact_sheet import PER_ROW, SheetRow, Tile, sheet_jpeg
from facesets_dagster.reports.markdown import Markdown, faceset_link, markdown_table
from facesets_dagster.reports.system_page import Section, row_of_faceset
from facesets_dagster.reports.thumbnails import of_file
from facesets_dagster.wording import counted

COLUMNS = ("folder", "person", "faces", "nearest", "farthest")


def draw_candidates(offer: Offer, faceset: Path | None, faces: tuple[RenderedFace, ...]) -> bytes:
    """A JPEG: the faceset's best faces, then what is offered, each with its distance."""
    distances = {face.face_id: face.distance for face in offer.faces}
    tiles = [Tile(face.picture.read(), f"{distances[str(face.row['face_id'])]:.3f}") for face in faces]
    rows = [row_of_faceset(faceset, offer.faceset or "")] if faceset is not None else []
    for start in range(0, len(tiles), PER_ROW):
        rows.append(SheetRow(f"{offer.folder}, {start + 1} and on", tiles[start : start + PER_ROW]))
    return sheet_jpeg([row for row in rows if row.tiles])


def pictures_of(written: Sequence[WrittenFolder], library_dir: Path) -> dict[str, list[SheetRow]]:
    """Folder -> rows for the page and the UI: the best faces of the faceset, then what it is offered."""
    found: dict[str, list[SheetRow]] = {}
    for folder in written:
        name, place = folder.offer.faceset, library_dir / CANDIDATES / folder.offer.folder
        known = row_of_faceset(library_dir / name, name) if name is not None else None
        tiles = [
            Tile(jpeg, f"{entry['distance']:.3f}", _photo_of(entry))
            for entry in folder.faces[:PER_ROW]
            if (jpeg := of_file(place / str(entry["file"]))) is not None
        ]
        offered = SheetRow(folder.offer.folder, tiles, len(folder.faces))
        found[folder.offer.folder] = [known, offered] if known is not None and known.tiles else [offered]
    return found


def _photo_of(entry: Mapping[str, object]) -> tuple[str, str] | None:
    source = entry.get("source")
    return (str(source["bucket"]), str(source["path"])) if isinstance(source, dict) else None


def table_of(written: Sequence[WrittenFolder], labels: dict[str, str | None]) -> list[tuple[object, ...]]:
    """Rows of `COLUMNS`: folder, the faceset's person, faces, least and largest distance."""
    rows: list[tuple[object, ...]] = []
    for folder in written:
        distances = [float(str(entry["distance"])) for entry in folder.faces]
        person = labels.get(folder.offer.faceset or "")
        rows.append((folder.offer.folder, person, len(distances), min(distances), max(distances)))
    return rows


def candidate_table(written: Sequence[WrittenFolder], labels: dict[str, str | None]) -> Markdown:
    """The table for the UI, with links to the folders."""
    rows = [(faceset_link(str(folder), CANDIDATES, str(folder)), *rest) for folder, *rest in table_of(written, labels)]
    return markdown_table(COLUMNS, rows, most=300, empty="There are no candidates.")


def candidate_sections(
    found: Candidates,
    pictures: Mapping[str, Sequence[SheetRow]],
    labels: dict[str, str | None],
    counts: dict[str, int],
) -> list[Section]:
    """The page. `pictures`: by folder; `counts`: faces that are in no folder, by reason."""
    near = [folder for folder in found.written if folder.offer.faceset is not None]
    new = [folder for folder in found.written if folder.offer.faceset is None]
    return [
        Section(
            "Near a faceset",
            "Not members: too far to be covered, near enough to look at. Above each offer the best faces of the "
            "faceset; below each face its cosine distance to the faceset's centroid. Nearest and farthest: the same.",
            COLUMNS,
            table_of(near, labels),
            [row for folder in near for row in pictures[folder.offer.folder]],
        ),
        Section(
            "New people, perhaps",
            "Groups near no faceset, with enough photos to be promising. Nearest and farthest: cosine distances to the "
            "centroid of the group. The numbers of the groups mean nothing outside of this run.",
            COLUMNS,
            table_of(new, labels),
            [row for folder in new for row in pictures[folder.offer.folder]],
        ),
        Section(
            "Left out",
            f"{counted(found.considered, 'face')} ended `small_cluster` in the funnel of a bucket and are not members; "
            f"{sum(len(folder.faces) for folder in found.written)} offered, the others not.",
            ("reason", "faces"),
            list(counts.items()),
        ),
    ]
