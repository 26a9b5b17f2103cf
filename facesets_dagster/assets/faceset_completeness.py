"""How many more photos would still move each identity's mean."""

from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.analysis.faceset_completeness import (
    COMPLETENESS_COLUMNS,
    MeasuredLibrary,
    completeness_table,
    measure_completeness,
)
from facesets_dagster.assets._asset import Check, Result, library_asset
from facesets_dagster.assets._config import RunConfig
from facesets_dagster.assets._page import Page
from facesets_dagster.assets.top_manifest import top_manifest
from facesets_dagster.identities.completeness import CompletenessRules
from facesets_dagster.reports.completeness_page import completeness_markdown, completeness_sections, curves_markdown
from facesets_dagster.reports.plots import histogram
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.wording import counted

NONE_TOO_THIN = Check(
    "no_faceset_too_thin", "No faceset has so few or so different faces that its mean cannot be trusted."
)
_SHOWN = 50


class FacesetCompletenessConfig(RunConfig):
    """The limits for a complete faceset and for one that is too thin."""

    facesets: list[str] = Field(
        default=[], description="Names, e.g. faceset_001; empty = all live ones except thin eras."
    )
    tolerance: float = Field(
        default=0.01,
        gt=0,
        lt=1,
        description="Complete: more photos would move the mean by at most this cosine distance.",
    )
    thin_distance: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="Too thin: more photos are expected to move the mean farther than this cosine distance.",
    )
    min_faces: int = Field(
        default=4,
        ge=1,
        description="Too thin: fewer exported faces than this, too few to show how varied the person looks.",
    )

    def rules(self) -> CompletenessRules:
        """As the domain takes them."""
        return CompletenessRules(self.tolerance, self.thin_distance, self.min_faces)


@library_asset(kinds={"parquet"}, deps=[top_manifest], table="CompletenessTable", checks=[NONE_TOO_THIN])
def faceset_completeness(
    context: AssetExecutionContext, config: FacesetCompletenessConfig, home: HomeResource, embedder: EmbedderResource
) -> Result:
    """Is a faceset complete, or how many more photos would still move the identity's mean?

    For each faceset: the learning curve of the mean over the exported faces in rank order, how far more photos of the
    same kind are expected to move it, how many more bring that within the tolerance, and which facesets are too thin to
    trust. It runs no model and only reads the library.
    """
    page, rules, holder = Page(context, home, embedder), config.rules(), f"run {context.run.run_id}"
    found = measure_completeness(
        home.library(), embedder.pack(), config.facesets, rules, holder=holder, say=context.log.info
    )
    page.write("Enough is enough", completeness_sections(found, rules), "curves and verdicts")
    return _described(page, found, rules, config.model_dump())


def _described(page: Page, found: MeasuredLibrary, rules: CompletenessRules, parameters: dict[str, object]) -> Result:
    measured, table = found.facesets, completeness_table(found.facesets)
    counts = {verdict: int((table["verdict"] == verdict).sum()) for verdict in ("complete", "would_gain", "too_thin")}
    thin = [f"{one.faceset.name}: {one.found.reason}" for one in measured if one.found.verdict == "too_thin"]
    page.say(f"{counted(len(table), 'faceset')}: {counts['complete']} complete, {len(thin)} too thin")
    movement = table["movement"].to_list()
    return page.table(
        table,
        COMPLETENESS_COLUMNS,
        {**counts, "facesets": completeness_markdown(measured, _SHOWN), "curves": curves_markdown(measured, rules)},
        {
            "expected_movement": histogram(movement, "that more photos would move it", threshold=rules.tolerance),
            "not_published_here": list(found.not_published_here)[:200],
            "parameters": parameters,
        },
        checks=[
            NONE_TOO_THIN.result(
                not thin, too_thin=thin[:100], what_to_do="Add photos of them, or do not rely on these means."
            )
        ],
    )
