"""The face sets of a bucket: numbered, ranked, cropped, published."""

import json
from dataclasses import asdict
from pathlib import Path

import dagster as dg
import polars as pl
from dagster import AssetExecutionContext

from facesets_dagster.assets._asset import Result, library_asset
from facesets_dagster.assets._config import ExportConfig
from facesets_dagster.assets._page import Page
from facesets_dagster.assets._run import run_of
from facesets_dagster.assets._swap_ready_checks import CHECKS, check_results
from facesets_dagster.assets._versions import frame_version
from facesets_dagster.identities.cluster_table import ClusterTable
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.publishing.outcome import Outcome
from facesets_dagster.publishing.swap_ready_facesets import PublishResult, inputs_now, publish_bucket, settle_bucket
from facesets_dagster.reports.funnel import funnel_picture, funnel_table
from facesets_dagster.reports.links import review_page
from facesets_dagster.reports.markdown import faceset_link, link, markdown_table, review_link
from facesets_dagster.reports.page import write_report
from facesets_dagster.reports.run_report import RunReport, gather, sheet_of_facesets, sheet_of_reasons
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.wording import counted


class SwapReadyFacesetsConfig(ExportConfig):
    """What is exported. null = the pack's number (ArcFace packs in brackets; others see docs/thresholds.md)."""


@library_asset(kinds={"png", "sqlite"}, partitioned=True, pool="library", checks=CHECKS)
def swap_ready_facesets(
    context: AssetExecutionContext,
    config: SwapReadyFacesetsConfig,
    osrc_uncovered: pl.DataFrame,
    osrc_clusters: ClusterTable,
    home: HomeResource,
    embedder: EmbedderResource,
) -> Result:
    """The face sets of a bucket: numbered, ranked, cropped, checked and published.

    Clusters are matched to the live library under its lock, so that no person is founded twice. Members are curated
    (one face per photo, size, outliers, near-duplicates), cropped to 512x512 PNGs in which the detector finds exactly
    one face, and moved into the library as a whole. With the same inputs nothing changes. Every face ends in exactly
    one state, and the counts add up to the detected faces.
    """
    page, bucket = Page(context, home, embedder), context.partition_key
    folders = {bucket: home.bucket_folder(bucket)}
    run = run_of(context, home, embedder, config, export=config, folders=folders)
    inputs = inputs_now(run, bucket, osrc_uncovered, osrc_clusters)
    result = publish_bucket(run, inputs)
    faces, facesets = sum(result.exported.values()), len(result.exported)
    page.say(f"{bucket_title(bucket)}: {counted(faces, 'face')} in {counted(facesets, 'faceset')} published")
    report, changes = gather(run, inputs, result, Path(home.cache_dir)), _in_a_word(result.outcome)
    written = write_report(Path(home.reports_dir), report, changes="" if report.unchanged else changes)
    page.tag(made=changes)
    page.say(f"{bucket_title(bucket)}: report {written}")
    page.show(report=link("the report of this run", "reports", bucket, written.name))
    page.observe(run.library)
    settle_bucket(run, inputs, osrc_uncovered)
    return _described(page, report, result, check_results(run, inputs, result), review=home.review_page)


def _described(
    page: Page,
    report: RunReport,
    result: PublishResult,
    checks: list[dg.AssetCheckResult],
    *,
    review: bool,
) -> Result:
    outcome, funnel = result.outcome, report.funnel
    page.show_review("swap_ready_facesets", "who is who, to decide about")
    page.show_sheets(contact_sheet=sheet_of_facesets(report), contact_sheet_not_exported=sheet_of_reasons(report))
    return page.result(
        {
            "facesets_of_bucket": _facesets(report, review=review),
            "why_no_faceset": report.why_nothing(),
            "funnel_picture": funnel_picture(funnel),
            "waiting_to_join": report.waiting,
            "waiting_to_join_hint": report.waits(),
        },
        {
            "photos": link("the photos and the people of this bucket", "buckets", report.inputs.bucket, ""),
            "files": funnel.files,
            "faces": funnel.faces,
            "exported": funnel.exported,
            "exported_share": round(funnel.exported / max(funnel.faces, 1), 4),
            "facesets_live": len(result.exported),
            "funnel": funnel_table(funnel),
            "unchanged": outcome.unchanged,
            "founded": outcome.founded,
            "changed": outcome.changed,
            "retired": outcome.retired,
            "revived": outcome.revived,
            "library": dg.MetadataValue.path(str(result.library_dir)),
            "export_parameters": json.loads(json.dumps(asdict(report.run.export))),
        },
        rows=len(result.funnel),
        version=frame_version(result.funnel),
        checks=checks,
    )


def _facesets(report: RunReport, *, review: bool) -> str:
    rows = [
        (
            faceset_link(sheet.name),
            sheet.label,
            sheet.input,
            sheet.exported,
            *([review_link("decide", review_page(sheet.name))] if review else []),
        )
        for sheet in report.facesets
    ]
    columns = ("faceset", "person", "input", "exported", *(["review"] if review else []))
    return markdown_table(columns, rows, empty="This bucket has no facesets of its own.")


def _in_a_word(outcome: Outcome) -> str:
    counts = {"founded": outcome.founded, "changed": outcome.changed, "revived": outcome.revived}
    counts["retired"] = outcome.retired
    return ", ".join(f"{len(names)} {word}" for word, names in counts.items() if names) or "nothing new"
