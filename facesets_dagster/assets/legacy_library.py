"""The people of the legacy scripts' libraries, under their own names and numbers."""

from pathlib import Path

import dagster as dg
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.assets._asset import Check, Result, library_asset
from facesets_dagster.assets._config import PhotoConfig, Share
from facesets_dagster.assets._page import Page
from facesets_dagster.assets._versions import text_version
from facesets_dagster.faces.photo_loader import photo_loader
from facesets_dagster.legacy.column_map import load_map
from facesets_dagster.legacy.match_library import LegacyInputs
from facesets_dagster.library.library import Library
from facesets_dagster.library.membership import rows_of_members
from facesets_dagster.photos.bucket_key import LEGACY, bucket_title
from facesets_dagster.publishing.legacy_library import LegacyResult, adopt_legacy
from facesets_dagster.reports.contact_sheet import SheetRow
from facesets_dagster.reports.legacy_page import (
    cache_table,
    chosen_faces,
    faceset_rows,
    faceset_table,
    oddities,
    reason_rows,
    sections,
    sheet_of_people,
)
from facesets_dagster.reports.markdown import markdown_table
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.resources.progress import ProgressResource

NUMBERS_RESPECTED = Check(
    "legacy_numbers_kept",
    "Every legacy faceset is here under its own name and number, and new numbers follow theirs.",
    blocking=True,
)
LEGACY_UNTOUCHED = Check(
    "legacy_untouched",
    "No file of the legacy libraries and caches changed in size, times or inode.",
    blocking=True,
)
ROWS_MAPPED = Check("legacy_faces_found", "Most faces of the legacy facesets were found among the faces of this home.")
CHECKS = (NUMBERS_RESPECTED, LEGACY_UNTOUCHED, ROWS_MAPPED)
_STATES = ("adopted", "changed", "stands", "published", "out_of_use")


class LegacyLibraryConfig(PhotoConfig):
    """How the faces of a legacy library are found among the faces of this home."""

    column_map: str | None = Field(
        default=None,
        description=(
            "YAML file that says which field of the legacy files means what. null = facesets_legacy.yaml in "
            "FACESETS_HOME, or the shipped example."
        ),
    )
    min_iou: float = Field(
        default=0.5, gt=0, le=1, description="Smallest intersection over union at which two boxes are one face."
    )
    min_model_similarity: float = Field(
        default=0.99,
        ge=-1,
        le=1,
        description=(
            "Smallest median cosine similarity of shared faces at which a legacy cache counts as of this model."
        ),
    )
    min_shared_faces: int = Field(
        default=10,
        ge=1,
        le=1_000_000,
        description="Shared faces that this comparison needs; with fewer the cache is not used.",
    )
    min_mapped_share: Share = Field(
        default=0.95, description="Share of matched faces below which the check `legacy_faces_found` warns."
    )

    def inputs(self, home: HomeResource, embedder: EmbedderResource, run_id: str) -> LegacyInputs:
        """As the domain takes them."""
        return LegacyInputs(
            columns=load_map(self._map(home)),
            min_iou=self.min_iou,
            min_model_similarity=self.min_model_similarity,
            min_shared_faces=self.min_shared_faces,
            pack=embedder.pack(),
            folders=home.folders(),
            written=[Path(home.library_dir), Path(home.cache_dir), Path(home.reports_dir)],
            max_pixels=self.max_pixels,
            workers=embedder.worker_count(),
            run_id=run_id,
            blocked=home.plain().blocked(),
        )

    def _map(self, home: HomeResource) -> Path | None:
        if self.column_map is not None:
            return Path(self.column_map).expanduser()
        return Path(home.legacy_map) if home.legacy_map and Path(home.legacy_map).exists() else None


@library_asset(kinds={"json", "sqlite"}, pool="library", checks=CHECKS)
def legacy_library(
    context: AssetExecutionContext,
    config: LegacyLibraryConfig,
    home: HomeResource,
    embedder: EmbedderResource,
    progress: ProgressResource,
) -> Result:
    """People of the legacy libraries in `FACESETS_LEGACY`, adopted as identities under their own names and numbers.

    Read-only: no byte of a legacy library changes. Each faceset, era and thin era keeps its name, number, kind, parent
    and label. Its faces are found by photo and box in the face caches, read from photos that no cache has, and taken
    from a legacy face cache only if that is of the same model. Faces that were not found are listed with the reason.
    Without the setting the asset does nothing.
    """
    page = Page(context, home, embedder, bucket=LEGACY)
    if not home.legacy_roots:
        return page.nothing("FACESETS_LEGACY is not set: there is no legacy library.", CHECKS)
    library, store_of = home.library(), home.store_of(embedder.pack())
    inputs = config.inputs(home, embedder, context.run.run_id)
    with progress.photos(context.log.info, bucket_title(LEGACY)) as report:
        result = adopt_legacy(inputs, library, store_of, embedder.embedder, report=report, say=context.log.info)
    pictures = _pictures(result, inputs, library, home)
    page.observe(library)
    return _described(page, config, inputs, result, library, pictures)


def _described(
    page: Page,
    config: LegacyLibraryConfig,
    inputs: LegacyInputs,
    result: LegacyResult,
    library: Library,
    pictures: list[SheetRow],
) -> Result:
    members = library.registry.members(list(result.states))
    rows = faceset_rows(result, members)
    blind = [name for name in sorted(result.states) if not members.get(name)]
    counts = {state: list(result.states.values()).count(state) for state in _STATES}
    words = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    matched = sum(fate.reason is None for fate in result.fates)
    page.say(f"{len(rows)} legacy facesets: {words or 'none'}; {matched} of {len(result.fates)} faces")
    changes = words if {"adopted", "changed"} & set(result.states.values()) else ""
    report = sections(result, rows, pictures, blind)
    page.write("People of the legacy scripts", report, "the report of this run", sheet=pictures, changes=changes)
    share = matched / max(len(result.fates), 1)
    return page.result(
        {
            "facesets": faceset_table(rows, library),
            **counts,
            "faces": len(result.fates),
            "faces_matched": matched,
            "blind": blind,
        },
        {
            "faces_by_way_or_reason": markdown_table(("what", "faces", "meaning"), reason_rows(result.fates)),
            "matched_share": round(share, 4),
            "claimed_twice": len(result.lost),
            "caches": cache_table(result),
            "oddities": markdown_table(("what", "why"), oddities(result), empty=""),
            "next_number": result.next_number,
            "column_map": dg.MetadataValue.path(str(inputs.columns.origin)),
            "legacy_roots": [str(root) for root in library.legacy_roots],
            "parameters": config.model_dump(exclude={"column_map"}),
        },
        rows=len(rows),
        version=text_version(repr(sorted(members.items()))),
        checks=_checks(result, matched, share, config.min_mapped_share),
    )


def _checks(result: LegacyResult, matched: int, share: float, min_share: float) -> list[dg.AssetCheckResult]:
    faces = len(result.fates)
    return [
        NUMBERS_RESPECTED.result(
            not result.number_problems, problems=result.number_problems[:100], next_number=result.next_number
        ),
        LEGACY_UNTOUCHED.result(
            not result.touched,
            changed=result.touched[:100],
            what_to_do="If a legacy script ran meanwhile, run again.",
        ),
        ROWS_MAPPED.result(share >= min_share or not faces, share=share, faces=faces, matched=matched),
    ]


def _pictures(result: LegacyResult, inputs: LegacyInputs, library: Library, home: HomeResource) -> list[SheetRow]:
    chosen = chosen_faces(result, library.registry.members(list(result.states)))
    shown = [face for faces in chosen.values() for face in faces]
    rows = rows_of_members(library, home.store_of(inputs.pack), dict.fromkeys(shown))
    if rows is None:
        return []
    return sheet_of_people(chosen, rows, photo_loader(inputs.folders, rows, inputs.max_pixels), Path(home.cache_dir))
