"""The face sets of a bucket: numbered, ranked, cropped, published."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.assets._asset import teaching
from facesets_dagster.assets._links import link, markdown_link
from facesets_dagster.assets._run import run_of
from facesets_dagster.assets._shape import CODE_VERSION, GROUP, OWNERS
from facesets_dagster.assets._story import Story
from facesets_dagster.assets._swap_ready_checks import CHECK_SPECS, check_results
from facesets_dagster.assets._versions import frame_version
from facesets_dagster.embedding.thresholds import PackThresholds
from facesets_dagster.export.curation import ExportParameters
from facesets_dagster.identities.discovery import ClusterTable
from facesets_dagster.library.library import Library
from facesets_dagster.partitions import SOURCE_BUCKET
from facesets_dagster.publishing.extended_facesets import waiting_faces
from facesets_dagster.publishing.outcome import Outcome
from facesets_dagster.publishing.run import Run
from facesets_dagster.publishing.swap_ready_facesets import PublishInputs, PublishResult, publish_bucket
from facesets_dagster.reports.contact_sheet import sheet_markdown
from facesets_dagster.reports.funnel import funnel_picture, funnel_table
from facesets_dagster.reports.index import RunLine, add_run
from facesets_dagster.reports.page import write_report
from facesets_dagster.reports.run_report import RunReport, gather, sheet_of_facesets, sheet_of_reasons
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.threads import in_threads
from facesets_dagster.wording import counted


class SwapReadyFacesetsConfig(dg.Config):
    """What is exported. null = the pack's number (ArcFace packs in brackets; others see docs/thresholds.md)."""

    min_face_short_px: float = Field(default=100, ge=0, description="Gate: shorter side of the bbox, px.")
    outlier_distance: float | None = Field(
        default=None, ge=0, le=2, description="Members farther from the centroid are not exported. null = pack (0.45)."
    )
    near_duplicate_similarity: float | None = Field(
        default=None,
        ge=-1,
        le=1,
        description="Cosine similarity from which of two faces the better one is kept. null = pack (0.95).",
    )
    top_n: int = Field(default=8, ge=1, description="Faces in the `_top.fsz`.")
    crop_px: int = Field(default=512, ge=64, le=4096, description="Side of the PNGs, px.")
    crop_padding: float = Field(
        default=0.5, ge=0, le=3, description="Added on each side of the bbox, as a fraction of its longer side."
    )
    max_pixels: int = Field(default=300_000_000, gt=0, description="Photos with more pixels (decoded) are refused.")

    def resolved(self, pack: PackThresholds) -> ExportParameters:
        """The numbers of this run."""
        outlier, twin = self.outlier_distance, self.near_duplicate_similarity
        return ExportParameters(
            min_face_short_px=self.min_face_short_px,
            outlier_distance=pack.export_outlier_distance if outlier is None else outlier,
            near_duplicate_similarity=pack.near_duplicate_similarity if twin is None else twin,
            top_n=self.top_n,
            crop_px=self.crop_px,
            crop_padding=self.crop_padding,
        )


@dg.asset(
    partitions_def=SOURCE_BUCKET,
    group_name=GROUP,
    owners=OWNERS,
    kinds={"png", "sqlite"},
    code_version=CODE_VERSION,
    pool="library",
    check_specs=CHECK_SPECS,
)
@teaching
def swap_ready_facesets(
    context: AssetExecutionContext,
    config: SwapReadyFacesetsConfig,
    osrc_uncovered: pl.DataFrame,
    osrc_clusters: ClusterTable,
    home: HomeResource,
    embedder: EmbedderResource,
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """The face sets of a bucket: numbered past what exists, ranked, cropped, checked and published.

    Clusters are matched to the live library under its lock, so that nobody is founded twice; members are curated (one
    face per photo, size, outliers, near-duplicates), cropped to 512x512 PNGs in which the detector finds exactly the
    one face, and moved into place whole. With the same inputs nothing changes. Every face ends in one state; the sums
    close.
    """
    story, bucket = Story(context), context.partition_key
    run = run_of(
        context,
        home,
        embedder,
        export=config.resolved(embedder.thresholds()),
        max_pixels=config.max_pixels,
        folders={bucket: home.bucket_folder(bucket)},
    )
    library, store = run.library, run.store_of(bucket)
    inputs = PublishInputs(bucket, osrc_uncovered, osrc_clusters)
    result = publish_bucket(run, inputs)
    outcome = result.outcome
    story.tag(made=_in_a_word(outcome))
    story.tell(
        f"{bucket}: {counted(sum(result.exported.values()), 'face')} in "
        f"{counted(len(result.exported), 'faceset')} published"
    )
    finished_at = datetime.now(UTC).isoformat(timespec="seconds")
    report = gather(
        run,
        inputs,
        result,
        store.read(),
        library.registry.identities(),
        scan=store.scan_counts(),
        cache_dir=Path(home.cache_dir),
        finished_at=finished_at,
    )
    page, text = write_report(Path(home.reports_dir), report)
    faces, exported = report.funnel.faces, report.funnel.exported
    add_run(
        Path(home.reports_dir),
        RunLine(bucket, run.run_id, finished_at, "" if outcome.unchanged else _in_a_word(outcome), faces, exported),
    )
    story.tell(f"{bucket}: report {page}")
    return dg.MaterializeResult(
        data_version=frame_version(result.funnel),
        metadata={
            "report": link("the report of this run", "reports", bucket, page.name),
            "facesets_of_bucket": dg.MetadataValue.md(_facesets(report)),
            **_metadata(result, run, report, embedder.describe()),
            **_waiting(library, inputs),
            **(_sheets(report) if home.pictures_in_ui else {}),
            "photos": link("the photos", "buckets", bucket),
            "report_file": dg.MetadataValue.path(str(page)),
            "report_text": dg.MetadataValue.path(str(text)),
            "seconds": story.seconds(),
        },
        check_results=check_results(result, inputs, library, embedder.embedder),
    )


def _metadata(result: PublishResult, run: Run, report: RunReport, model: dict[str, str]) -> dict[str, Any]:
    outcome, funnel = result.outcome, report.funnel
    return {
        "funnel_picture": dg.MetadataValue.md(funnel_picture(funnel)),
        "dagster/row_count": len(result.funnel),
        "files": funnel.files,
        "faces": funnel.faces,
        "exported": funnel.exported,
        "facesets_live": len(result.exported),
        "exported_share": round(funnel.exported / max(funnel.faces, 1), 4),
        "funnel": dg.MetadataValue.md(funnel_table(funnel)),
        "unchanged": outcome.unchanged,
        "founded": outcome.founded,
        "changed": outcome.changed,
        "retired": outcome.retired,
        "revived": outcome.revived,
        "facesets": dict(sorted(result.exported.items())),
        "library": dg.MetadataValue.path(str(result.library_dir)),
        "export_parameters": json.loads(json.dumps(asdict(run.export))),
        **model,
    }


def _waiting(library: Library, inputs: PublishInputs) -> dict[str, Any]:
    """Covered faces that could join, and how."""
    if inputs.coverage.is_empty():
        return {"waiting_to_join": {}}
    waiting = waiting_faces(library, inputs.coverage, float(inputs.coverage["cover_distance"][0]))
    counts = {name: len(face_ids) for name, face_ids in waiting.items()}
    hint = {"waiting_to_join_hint": "Materialize extended_facesets of this bucket, or run full_pipeline."}
    return {"waiting_to_join": counts, **(hint if counts else {})}


def _sheets(report: RunReport) -> dict[str, dg.MarkdownMetadataValue]:
    """Pictures of faces; each at most 200 kB."""
    sheets = in_threads(sheet_markdown, [sheet_of_facesets(report), sheet_of_reasons(report)])
    names = ("contact_sheet", "contact_sheet_not_exported")
    return dict(zip(names, map(dg.MetadataValue.md, sheets), strict=True))


def _facesets(report: RunReport) -> str:
    if not report.facesets:
        return "This bucket has no facesets of its own."
    rows = [
        f"| {markdown_link(sheet.name, 'library', sheet.name)} | {sheet.input} | {sheet.exported} |"
        for sheet in report.facesets
    ]
    return "\n".join(["| faceset | input | exported |", "| --- | ---: | ---: |", *rows])


def _in_a_word(outcome: Outcome) -> str:
    counts = {"founded": outcome.founded, "changed": outcome.changed, "revived": outcome.revived}
    counts["retired"] = outcome.retired
    return ", ".join(f"{len(names)} {word}" for word, names in counts.items() if names) or "nothing new"
