"""What the legacy scripts made: their people, under their own names and numbers."""

from collections.abc import Mapping
from pathlib import Path

import dagster as dg
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.assets._asset import teaching
from facesets_dagster.assets._links import link, markdown_link
from facesets_dagster.assets._shape import CODE_VERSION, GROUP, OWNERS
from facesets_dagster.assets._story import Story
from facesets_dagster.assets._versions import text_version
from facesets_dagster.faces.photo_loader import photo_loader
from facesets_dagster.legacy.column_map import load_map
from facesets_dagster.legacy.inputs import LegacyInputs
from facesets_dagster.library.library import Library
from facesets_dagster.library.membership import rows_of_members
from facesets_dagster.photos.bucket_key import LEGACY
from facesets_dagster.publishing.legacy_library import LegacyResult, adopt_legacy
from facesets_dagster.reports.contact_sheet import SheetRow, sheet_markdown
from facesets_dagster.reports.legacy_page import (
    cache_in_words,
    chosen_faces,
    faceset_rows,
    oddities,
    reason_rows,
    sections,
    sheet_of_people,
)
from facesets_dagster.reports.system_page import write_system_page
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.resources.progress import ProgressResource

_CHECKS = {
    "numbers_respected": "Every legacy faceset stands here under its own name and number, and numbers go on past them.",
    "legacy_untouched": "No file of the legacy libraries and caches differs from before in size, times or inode.",
    "rows_mapped": "Most faces that legacy facesets name have a face of this library.",
}


class LegacyLibraryConfig(dg.Config):
    """How faces of a legacy library are told from each other and from ours."""

    column_map: str | None = Field(
        default=None,
        description=(
            "YAML file that says which field of the legacy files means what. null = facesets_legacy.yaml in "
            "FACESETS_HOME, or the shipped example where that is absent."
        ),
    )
    min_iou: float = Field(
        default=0.5, gt=0, le=1, description="Intersection over union from which two boxes mean one face."
    )
    min_model_similarity: float = Field(
        default=0.99,
        ge=-1,
        le=1,
        description="Median cosine similarity of shared faces from which a legacy cache is of this model.",
    )
    min_shared_faces: int = Field(
        default=10, ge=1, le=1_000_000, description="Shared faces that it takes to say so; with fewer it is not used."
    )
    min_mapped_share: float = Field(
        default=0.95, ge=0, le=1, description="Share of matched faces below which the check `rows_mapped` warns."
    )
    max_pixels: int = Field(default=300_000_000, gt=0, description="Photos with more pixels (decoded) are refused.")


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds={"json", "sqlite"},
    code_version=CODE_VERSION,
    pool="library",
    check_specs=[
        dg.AssetCheckSpec(name, asset="legacy_library", blocking=name != "rows_mapped", description=description)
        for name, description in _CHECKS.items()
    ],
)
@teaching
def legacy_library(
    context: AssetExecutionContext,
    config: LegacyLibraryConfig,
    home: HomeResource,
    embedder: EmbedderResource,
    progress: ProgressResource,
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """People of the legacy libraries in `FACESETS_LEGACY`, adopted as identities under their own names and numbers.

    Read-only: no byte of a legacy library changes. Each faceset, era and thin era keeps its name, number, kind, parent
    and label; its faces are found by photo and box in the face caches, read where no cache has them, and taken from a
    legacy face cache only if that is of the same model. What was not found is listed with its reason. Without that
    setting the asset does nothing.
    """
    story, pack, library = Story(context), embedder.pack(), home.library()
    if not home.legacy_roots:
        return _nothing("FACESETS_LEGACY is not set: there is no legacy library.")
    inputs = LegacyInputs(
        columns=load_map(_map_of(config, home)),
        min_iou=config.min_iou,
        min_model_similarity=config.min_model_similarity,
        min_shared_faces=config.min_shared_faces,
        pack=pack,
        folders=home.folders(),
        written=[Path(home.library_dir), Path(home.cache_dir), Path(home.reports_dir)],
        max_pixels=config.max_pixels,
        workers=embedder.worker_count(),
        run_id=context.run.run_id,
    )
    with progress.photos(context.log.info, LEGACY) as report:
        result = adopt_legacy(
            inputs, library, home.store_of(pack), embedder.embedder, report=report, say=context.log.info
        )
    return _described(context, config, inputs, result, home, embedder, story)


def _map_of(config: LegacyLibraryConfig, home: HomeResource) -> Path | None:
    if config.column_map is not None:
        return Path(config.column_map).expanduser()
    return Path(home.legacy_map) if home.legacy_map and Path(home.legacy_map).exists() else None


def _nothing(why: str) -> dg.MaterializeResult:  # type: ignore[type-arg]
    return dg.MaterializeResult(
        data_version=text_version(why),
        metadata={"dagster/row_count": 0, "note": why},
        check_results=[dg.AssetCheckResult(check_name=name, passed=True) for name in _CHECKS],
    )


def _described(
    context: AssetExecutionContext,
    config: LegacyLibraryConfig,
    inputs: LegacyInputs,
    result: LegacyResult,
    home: HomeResource,
    embedder: EmbedderResource,
    story: Story,
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    library = home.library()
    members = library.registry.members(list(result.states))
    rows = faceset_rows(result, members)
    blind = [name for name in sorted(result.states) if not members.get(name)]
    states = [f"{count} {state}" for state in _STATES if (count := list(result.states.values()).count(state))]
    matched = sum(fate.reason is None for fate in result.fates)
    share = matched / max(len(result.fates), 1)
    story.tell(f"{len(rows)} legacy facesets: {', '.join(states) or 'none'}; {matched} of {len(result.fates)} faces")
    pictures = _pictures(result, members, inputs, library, home)
    page = write_system_page(
        home.reports(),
        LEGACY,
        inputs.run_id,
        "legacy_library",
        "People of the legacy scripts",
        sections(result, rows, pictures, blind),
        changes=", ".join(states) if {"adopted", "changed"} & set(result.states.values()) else "",
    )
    return dg.MaterializeResult(
        data_version=text_version(repr(sorted(members.items()))),
        metadata={
            "dagster/row_count": len(rows),
            "facesets": dg.MetadataValue.md(_facesets(rows, library)),
            **{state: list(result.states.values()).count(state) for state in _STATES},
            "blind": blind,
            "faces": len(result.fates),
            "faces_matched": matched,
            "matched_share": round(share, 4),
            "faces_by_way_or_reason": dg.MetadataValue.md(
                _table(("what", "faces", "meaning"), reason_rows(result.fates))
            ),
            **({"contact_sheet": dg.MetadataValue.md(sheet_markdown(pictures))} if home.pictures_in_ui else {}),
            "claimed_twice": len(result.lost),
            "caches": dg.MetadataValue.md(_caches(result)),
            "oddities": dg.MetadataValue.md(_table(("what", "why"), oddities(result))),
            "next_number": result.next_number,
            "column_map": dg.MetadataValue.path(str(inputs.columns.origin)),
            "legacy_roots": [str(root) for root in library.legacy_roots],
            "report": link("the report of this run", "reports", LEGACY, page.name),
            "parameters": config.model_dump(exclude={"column_map"}),
            "seconds": story.seconds(),
            **embedder.describe(),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="numbers_respected",
                passed=not result.number_problems,
                metadata={"problems": result.number_problems[:100], "next_number": result.next_number},
            ),
            dg.AssetCheckResult(
                check_name="legacy_untouched",
                passed=not result.touched,
                metadata={
                    "changed": result.touched[:100],
                    "what_to_do": "If a legacy script ran meanwhile, run again.",
                },
            ),
            dg.AssetCheckResult(
                check_name="rows_mapped",
                passed=share >= config.min_mapped_share or not result.fates,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"share": share, "faces": len(result.fates), "matched": matched},
            ),
        ],
    )


def _pictures(
    result: LegacyResult,
    members: Mapping[str, Mapping[str, str]],
    inputs: LegacyInputs,
    library: Library,
    home: HomeResource,
) -> list[SheetRow]:
    chosen = chosen_faces(result, members)
    shown = [face for faces in chosen.values() for face in faces]
    rows = rows_of_members(library, home.store_of(inputs.pack), dict.fromkeys(shown))
    if rows is None:
        return []
    return sheet_of_people(chosen, rows, photo_loader(inputs.folders, rows, inputs.max_pixels), Path(home.cache_dir))


_STATES = ("adopted", "changed", "stands", "published", "out_of_use")


def _facesets(rows: list[list[object]], library: Library) -> str:
    """At most 500 rows; a faceset that is published here is linked."""
    here = {name for name, digest in library.registry.manifest_digests().items() if digest is not None}
    shown = [
        [markdown_link(str(name), "library", str(name)) if name in here and kind != "thin_era" else name, kind, *rest]
        for name, kind, *rest in rows
    ]
    return _table(("faceset", "kind", "person", "parent", "faces named", "members", "state"), shown)


def _caches(result: LegacyResult) -> str:
    parts = []
    for entry, words in zip(result.caches, cache_in_words(result), strict=True):
        members: list[list[object]] = [
            [one.name, one.dtype, str(one.shape), "yes" if one.refused else ""] for one in entry.cache.members
        ]
        parts += [words, _table(("member", "type", "shape", "refused"), members)]
        parts.append(_table(("rows", "count", "meaning"), reason_rows(entry.fates)))
    return "\n\n".join(parts) or "No legacy face cache was found."


def _table(columns: tuple[str, ...], rows: list[list[object]]) -> str:
    if not rows:
        return "none"
    lines = [" | ".join("" if cell is None else str(cell).replace("|", "/") for cell in row) for row in rows[:500]]
    more = [f"\n{len(rows) - 500} more in the report"] if len(rows) > 500 else []
    return "\n".join(
        [f"| {' | '.join(columns)} |", "|" + " --- |" * len(columns), *(f"| {line} |" for line in lines), *more]
    )
