"""What a materialization shows of itself: lines in the log, a report, contact sheets, metadata in order of interest."""

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from facesets_dagster.assets._asset import Check, Result, shown
from facesets_dagster.assets._versions import frame_version, table_columns, text_version
from facesets_dagster.errors import BucketError
from facesets_dagster.files.standing import StandingWarnings
from facesets_dagster.library.library import Library
from facesets_dagster.photos.bucket_key import LIBRARY, bucket_title, file_name
from facesets_dagster.reports.contact_sheet import SheetRow, sheet_markdown
from facesets_dagster.reports.links import review_page_of
from facesets_dagster.reports.markdown import link, review_link
from facesets_dagster.reports.system_page import Section, write_system_page
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.threads import in_threads

_MOST_WARNINGS = 10
"""Buckets that are named beside a check."""


class Page:
    """The account of one asset in one run; seconds are counted from its creation."""

    def __init__(
        self,
        context: dg.AssetExecutionContext,
        home: HomeResource,
        embedder: EmbedderResource | None = None,
        *,
        bucket: str = LIBRARY,
    ) -> None:
        """`bucket`: folder of the report of an asset without partitions."""
        self._context, self._home, self._embedder = context, home, embedder
        self._bucket = context.partition_key if context.has_partition_key else bucket
        self._began = self._last = time.monotonic()
        self._shown: dict[str, Any] = {}
        self._this_run: dict[str, Any] = {}

    def say(self, text: str) -> None:
        """A line in the run's log, with the seconds since the last one."""
        now = time.monotonic()
        self._context.log.info(f"{text} ({now - self._last:.1f} s)")
        self._last = now

    def tag(self, **tags: str) -> None:
        """Tags on the run, `facesets/<name>`, by which the UI finds it."""
        try:
            run_id = self._context.run.run_id
        except dg.DagsterError:  # The asset was called as a function: there is no run to tag.
            return
        self._context.instance.add_run_tags(run_id, {f"facesets/{name}": value for name, value in tags.items()})

    def seconds(self) -> float:
        """Since the asset began."""
        return round(time.monotonic() - self._began, 3)

    def write(
        self,
        title: str,
        sections: Sequence[Section],
        text: str,
        *,
        sheet: Sequence[SheetRow] = (),
        changes: str = "",
    ) -> None:
        """The report; `text`: of the link to it, `sheet`: the contact sheet, `changes`: for the index of runs."""
        system, run_id = self._context.asset_key.to_user_string(), self._context.run.run_id
        page = write_system_page(
            Path(self._home.reports_dir),
            self._bucket,
            run_id,
            system,
            title,
            sections,
            changes=changes,
            folders=self._folders(),
        )
        self.show(report=link(text, "reports", self._bucket, page.name))
        self.show_sheets(contact_sheet=sheet)

    def _folders(self) -> Mapping[str, Path]:
        """Bucket -> its folder; none while the roots cannot be listed, and then the page has no links to photos."""
        try:
            return self._home.folders()
        except BucketError:
            return {}

    def show(self, **metadata: Any) -> None:
        """Metadata that comes first."""
        self._shown.update(metadata)

    def show_review(self, asset: str, text: str) -> None:
        """The link to the page of the review on what the asset reports; none where the home has no such page."""
        if self._home.review_page:
            self.show(review=review_link(text, review_page_of(asset)))

    def show_sheets(self, **sheets: Sequence[SheetRow]) -> None:
        """Contact sheets, of at most 200 kB each; none where the home keeps pictures out of the UI."""
        drawn = {name: rows for name, rows in sheets.items() if any(row.tiles for row in rows)}
        if self._home.pictures_in_ui:
            self.show(**dict(zip(drawn, in_threads(sheet_markdown, list(drawn.values())), strict=True)))

    def this_run(self, **numbers: Any) -> None:
        """What this run did, apart from the numbers that say how the bucket stands: the UI plots those over time."""
        self._this_run.update(numbers)

    def verdict(self, check: Check, passed: bool, words: str, **metadata: Any) -> dg.AssetCheckResult:
        """The result of a check of a bucket that does not block: a warning of another bucket stays until it is lifted.

        `words`: what is wrong with this bucket, if it did not pass.
        """
        asset = self._context.asset_key.to_user_string()
        standing = StandingWarnings(Path(self._home.cache_dir) / "warnings" / asset / check.name, file_name)
        standing.note(self._bucket, None if passed else words)
        warn = {bucket_title(bucket): text for bucket, text in standing.of(self._home.buckets()).items()}
        if not passed:
            warn.setdefault(bucket_title(self._bucket), words)
        listed = [f"{title}: {text}" for title, text in warn.items()]
        return check.result(
            passed and not warn,
            words="; ".join(listed[:_MOST_WARNINGS]),
            this_bucket="passed" if passed else words,
            buckets_that_warn=listed,
            **metadata,
        )

    def result(
        self,
        first: Mapping[str, Any],
        then: Mapping[str, Any] | None = None,
        *,
        rows: int,
        version: dg.DataVersion,
        checks: Iterable[dg.AssetCheckResult] = (),
        **more: Any,
    ) -> Result:
        """The materialization: report and contact sheet, what else a person wants to see first, then the rest.

        Empty values are left out. `more`: further arguments of `dg.MaterializeResult`.
        """
        done = {**self._this_run, "seconds": self.seconds()}
        metadata = {**self._shown, **first, **(then or {}), "this_run": done}
        model = self._embedder.describe() if self._embedder else {}
        return dg.MaterializeResult(
            data_version=version,
            metadata={**shown({**metadata, **model}), "dagster/row_count": rows},
            check_results=list(checks),
            **more,
        )

    def table(
        self,
        table: pl.DataFrame,
        columns: Mapping[str, str],
        first: Mapping[str, Any],
        then: Mapping[str, Any] | None = None,
        *,
        version: dg.DataVersion | None = None,
        value: object = None,
        checks: Iterable[dg.AssetCheckResult] = (),
    ) -> Result:
        """The same for an asset that hands on a data frame, or `value` around it; `columns`: what each holds."""
        schema = {"dagster/column_schema": table_columns(table, dict(columns))}
        version = version or frame_version(table)
        then, value = {**(then or {}), **schema}, table if value is None else value
        return self.result(first, then, rows=len(table), version=version, checks=checks, value=value)

    def nothing(self, why: str, checks: Iterable[Check]) -> Result:
        """The materialization of an asset that has nothing to work on."""
        passed = [check.result(True) for check in checks]
        return self.result({"note": why}, rows=0, version=text_version(why), checks=passed)

    def observe(self, library: Library) -> None:
        """Says which state of the library this run left."""
        version = str(library.registry.generation())
        changed = dg.AssetMaterialization("library", tags={"dagster/data_version": version})
        self._context.instance.report_runless_asset_event(changed)
