"""Enough is enough: how many more photos would still move each identity's mean."""

import dagster as dg
import polars as pl
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.analysis.faceset_completeness import completeness_table, measure_completeness
from facesets_dagster.assets._asset import teaching
from facesets_dagster.assets._links import link
from facesets_dagster.assets._publishers import PUBLISHERS
from facesets_dagster.assets._shape import CODE_VERSION, GROUP, OWNERS
from facesets_dagster.assets._story import Story
from facesets_dagster.assets._versions import frame_version, table_columns
from facesets_dagster.identities.completeness import CompletenessRules
from facesets_dagster.photos.bucket_key import LIBRARY
from facesets_dagster.reports.completeness_page import completeness_markdown, completeness_sections, curves_markdown
from facesets_dagster.reports.plots import histogram
from facesets_dagster.reports.system_page import write_system_page
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.wording import counted

COLUMNS = {
    "faceset": "whose mean it is",
    "label": "the person's name, if someone gave it",
    "kind": "auto, hand_sorted, discovered or era",
    "faces": "exported faces",
    "movement": "cosine distance that unlimited further photos of the same kind would still move the mean",
    "movement_low": "where the truth is to be expected: from",
    "movement_high": "to; null where the faces do not say",
    "more": "further good photos until the movement is within the tolerance; null where the faces do not say",
    "more_low": "from",
    "more_high": "to",
    "verdict": "complete, would_gain or too_thin",
    "reason": "the number behind it",
    "curve": "cosine distance of the mean of the best k faces to the mean of all, k = 1, 2, ...",
}
_SHOWN = 50


class FacesetCompletenessConfig(dg.Config):
    """When a mean counts as settled, and when as too thin."""

    facesets: list[str] = Field(
        default_factory=list, description="Names, e.g. faceset_001; empty = all live ones but thin eras."
    )
    tolerance: float = Field(
        default=0.01, gt=0, lt=1, description="Complete: more photos would move the mean by no more cosine distance."
    )
    thin_distance: float = Field(
        default=0.1, gt=0, le=1, description="Too thin to trust: they are expected to move it farther than that."
    )
    min_faces: int = Field(
        default=4, ge=1, description="Too thin with fewer exported faces: they say too little of how varied one looks."
    )

    def rules(self) -> CompletenessRules:
        """As the domain takes them."""
        return CompletenessRules(self.tolerance, self.thin_distance, self.min_faces)


@dg.asset(
    deps=PUBLISHERS,
    group_name=GROUP,
    owners=OWNERS,
    kinds={"parquet"},
    code_version=CODE_VERSION,
    io_manager_key="tables",
    dagster_type=dg.PythonObjectDagsterType(pl.DataFrame, name="CompletenessTable"),
    check_specs=[
        dg.AssetCheckSpec(
            "none_too_thin",
            asset="faceset_completeness",
            description="No faceset has so few or so different faces that its mean cannot be relied on.",
        )
    ],
)
@teaching
def faceset_completeness(
    context: AssetExecutionContext, config: FacesetCompletenessConfig, home: HomeResource, embedder: EmbedderResource
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Is a faceset complete, or how many more photos would still move the identity's mean?

    For each: the learning curve of the mean over the exported faces in rank order, how far further photos of the same
    kind are expected to move it, how many until that is within the tolerance, and which facesets are too thin to
    trust. No model is run, and the library is only read.
    """
    story, rules, pack = Story(context), config.rules(), embedder.pack()
    holder = f"run {context.run.run_id}"
    library = measure_completeness(home.library(), pack, config.facesets, rules, holder=holder, say=context.log.info)
    measured = library.facesets
    table = completeness_table(measured)
    thin = [f"{one.faceset.name}: {one.found.reason}" for one in measured if one.found.verdict == "too_thin"]
    counts = {verdict: table.filter(pl.col("verdict") == verdict).height for verdict in ("complete", "would_gain")}
    story.tell(f"{counted(len(table), 'faceset')}: {counts['complete']} complete, {len(thin)} too thin")
    page = write_system_page(
        home.reports(),
        LIBRARY,
        context.run.run_id,
        "faceset_completeness",
        "Enough is enough",
        completeness_sections(library, rules),
        changes="",
    )
    return dg.MaterializeResult(
        value=table,
        data_version=frame_version(table),
        metadata={
            "dagster/row_count": len(table),
            "dagster/column_schema": table_columns(table, COLUMNS),
            "complete": counts["complete"],
            "would_gain": counts["would_gain"],
            "too_thin": len(thin),
            "not_published_here": list(library.not_published_here)[:200],
            "expected_movement": dg.MetadataValue.md(
                histogram(table["movement"].to_list(), "that more photos would move it", threshold=rules.tolerance)
            ),
            "curves": dg.MetadataValue.md(curves_markdown(measured, rules)),
            "facesets": dg.MetadataValue.md(completeness_markdown(measured, _SHOWN)),
            "report": link("curves and verdicts", "reports", LIBRARY, page.name),
            "parameters": config.model_dump(),
            "seconds": story.seconds(),
            **embedder.describe(),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="none_too_thin",
                passed=not thin,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"too_thin": thin[:100], "what_to_do": "Add photos of them, or do not rely on these means."},
            )
        ],
    )
