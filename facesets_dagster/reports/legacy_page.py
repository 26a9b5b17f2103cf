"""What the write-up of a legacy import says: people, how their faces were found, what was not found, the caches."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from facesets_dagster.faces.photo_loader import LoadPhoto
from facesets_dagster.legacy.matching import Fate, count_reasons
from facesets_dagster.library.library import Library
from facesets_dagster.photos.listing import escape_path
from facesets_dagster.publishing.legacy_library import LegacyResult
from facesets_dagster.reports.contact_sheet import SheetRow, Tile
from facesets_dagster.reports.markdown import Markdown, escape, faceset_link, markdown_table
from facesets_dagster.reports.system_page import Section
from facesets_dagster.reports.thumbnails import of_faces, photo_by_face

MAX_FACESETS = 60
"""Facesets with pictures; eras have none, they are copies."""
MAX_FACES = 4

FACESET_COLUMNS = ("faceset", "kind", "person", "parent", "faces named", "members", "state")
WAYS = {
    "cache": "photo of a bucket, in its face cache before",
    "bytes": "same bytes as a photo of a bucket",
    "source": "photo read by this asset",
    "legacy_cache": "photo is gone; the legacy cache is of this model",
}
REASONS = {
    "source_missing": "no file is there, and no legacy cache has the face",
    "unreadable_file": "the file cannot be opened",
    "no_source": "the entry names no photo",
    "no_box": "the entry has no box",
    "bad_box": "the box is not four numbers with an area",
    "no_face_found": "the photo was read and shows no face to this model",
    "no_face_at_box": "no face overlaps the box",
    "iou_too_low": "the nearest face overlaps the box too little",
    "face_taken": "the face there belongs to another box that fits better",
    "duplicate": "the same face was named before",
    "other_model": "only a legacy cache has it, and that is of another model",
    "model_not_shown": "only a legacy cache has it, and too few shared faces show whether it is of this model",
    "ambiguous": "another legacy person claims it and is nearer",
    "member_elsewhere": "it is a member of an identity of this library already",
    "published": "matched, but the faceset was published here before; extended_facesets adds such faces",
    "out_of_use": "its faceset is out of use here",
    "nan_embedding": "the embedding is not a vector",
    "not_read": "its photo is in no bucket and in no faceset, so it was not read",
    "used_without_photo": "its photo is gone; a member was made of the row",
}


def faceset_rows(result: LegacyResult, members: Mapping[str, Mapping[str, str]]) -> list[list[object]]:
    """One row of `FACESET_COLUMNS` per legacy faceset, by name; `members`: faceset -> face_id -> how it joined."""
    named = Counter(fate.owner for fate in result.fates)
    facesets = sorted((found for library in result.libraries for found in library.facesets), key=lambda one: one.name)
    return [
        [
            faceset.name,
            faceset.kind,
            faceset.label,
            faceset.parent,
            named[faceset.name],
            len(members.get(faceset.name, {})),
            result.states[faceset.name],
        ]
        for faceset in facesets
    ]


def faceset_table(rows: Sequence[Sequence[object]], library: Library) -> Markdown:
    """The table for the UI; a faceset that is published here is linked."""
    here = {name for name, digest in library.registry.manifest_digests().items() if digest is not None}
    shown = [
        [faceset_link(str(name)) if name in here and kind != "thin_era" else name, kind, *rest]
        for name, kind, *rest in rows
    ]
    return markdown_table(FACESET_COLUMNS, shown)


def cache_table(result: LegacyResult) -> Markdown:
    """The legacy face caches for the UI: members of each file, and what became of its rows."""
    parts: list[str] = []
    for entry, words in zip(result.caches, cache_in_words(result), strict=True):
        members = [[one.name, one.dtype, str(one.shape), "yes" if one.refused else ""] for one in entry.cache.members]
        parts += [escape(words), markdown_table(("member", "type", "shape", "refused"), members)]
        parts.append(markdown_table(("rows", "count", "meaning"), reason_rows(entry.fates)))
    return Markdown("\n\n".join(parts) or "No legacy face cache was found.")


def sections(
    result: LegacyResult, rows: Sequence[Sequence[object]], pictures: Sequence[SheetRow], blind: Sequence[str]
) -> list[Section]:
    """The page, top to bottom."""
    lost = [fate for fate in result.fates if fate.reason is not None]
    return [
        Section("Legacy facesets", "Under their own names and numbers.", FACESET_COLUMNS, rows, pictures),
        Section(
            "How their faces were found",
            f"{len(result.fates) - len(lost)} of {len(result.fates)} faces have a face of this library.",
            ("what", "faces", "meaning"),
            reason_rows(result.fates),
        ),
        Section(
            "Facesets without a face",
            "They keep name and number, and cover no faces until a photo of theirs is found."
            if blind
            else "Every faceset has at least one face.",
            ("faceset",),
            [[name] for name in blind],
        ),
        Section(
            "Faces that were not found",
            "By faceset. Box: x1, y1, x2, y2 in px of the upright photo; overlap (IoU, 0 to 1): of the nearest face."
            if lost
            else "Every face was found.",
            ("faceset", "photo", "box", "why", "overlap"),
            [_lost_row(fate) for fate in lost],
        ),
        Section(
            "Faces that two people claim",
            "The nearer one has it." if result.lost else "No face is claimed by two people.",
            ("faceset", "face", "goes to", "cos-dist to the one that lost it", "why"),
            [[one.name, one.face_id, one.to, _rounded(one.distance), one.reason] for one in result.lost],
        ),
        *_cache_sections(result),
        Section(
            "Oddities",
            "Entries that were skipped, and facesets that are no longer in the library.",
            ("what", "why"),
            oddities(result),
        ),
    ]


def chosen_faces(result: LegacyResult, members: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
    """Faceset -> faces that are shown of it."""
    people = [name for name in sorted(result.states) if members.get(name) and "_era_" not in name]
    return {name: sorted(members[name])[:MAX_FACES] for name in people[:MAX_FACESETS]}


def sheet_of_people(
    chosen: Mapping[str, Sequence[str]], rows: pl.DataFrame, load_photo: LoadPhoto, cache: Path
) -> list[SheetRow]:
    """A row of faces per faceset, to recognise the person; `rows`: of the face table."""
    wanted = [face_id for faces in chosen.values() for face_id in faces]
    rows = rows.filter(pl.col("face_id").is_in(wanted))
    pictures, photos = of_faces(rows, load_photo, cache), photo_by_face(rows)
    return [
        SheetRow(name, [Tile(pictures[face_id], "", photos[face_id]) for face_id in faces if face_id in pictures])
        for name, faces in chosen.items()
    ]


def reason_rows(fates: Sequence[Fate]) -> list[list[object]]:
    """Way or reason, faces, meaning; the faces add up to those of `fates`."""
    meanings = {**WAYS, **REASONS}
    return [
        [name, count, meanings.get(name, "the photo could not be used")] for name, count in count_reasons(fates).items()
    ]


def oddities(result: LegacyResult) -> list[list[object]]:
    """Entries left out, folders that are not listed or not as expected, facesets that vanished from their library."""
    found: list[list[object]] = []
    for library in result.libraries:
        found += [[name, f"not adopted: {why}"] for name, why in library.left_out]
        found += [
            [name, "a folder that the manifest does not list; its number is passed over"] for name in library.unlisted
        ]
        found += [[faceset.name, faceset.note] for faceset in library.facesets if faceset.note]
    return found + [[name, "adopted earlier, in no legacy library now; it stays"] for name in result.gone]


def cache_in_words(result: LegacyResult) -> list[str]:
    """A line per legacy cache: rows, normalisation, model."""
    lines = []
    for entry in result.caches:
        cache, verdict = entry.cache, entry.verdict
        similarity = "" if verdict.median_similarity is None else f", median similarity {verdict.median_similarity:.4f}"
        model = "this model" if verdict.reason is None else verdict.reason
        state = cache.unusable or f"{len(cache)} rows, {cache.normalisation} embeddings, {model}"
        lines.append(f"{cache.path}: {state} ({verdict.shared} shared faces{similarity}), {len(cache.noface)} noface")
    return lines


def _cache_sections(result: LegacyResult) -> list[Section]:
    found = []
    for entry, words in zip(result.caches, cache_in_words(result), strict=True):
        members = [[one.name, one.dtype, str(one.shape), one.refused] for one in entry.cache.members]
        columns = ("member", "type", "shape", "refused because")
        found.append(Section("A legacy face cache", words, columns, members))
        rows = ("what became of its rows", "rows", "meaning")
        found.append(Section("Its rows", "Every row in one line of this table.", rows, reason_rows(entry.fates)))
    return found


def _lost_row(fate: Fate) -> list[object]:
    box = ", ".join(f"{side:.0f}" for side in fate.bbox.tolist())
    return [fate.owner, escape_path(fate.source), box, fate.reason, _rounded(fate.iou)]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
