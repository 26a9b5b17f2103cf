"""The checks of `swap_ready_facesets`, reported by the asset that has the numbers in hand."""

from collections import Counter
from collections.abc import Callable

import dagster as dg

from facesets_dagster.analysis.inspection import pictures_without_one_face
from facesets_dagster.assets._untouched import untouched_result, untouched_spec
from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.library.library import Library
from facesets_dagster.publishing.swap_ready_facesets import PublishInputs, PublishResult

_ASSET = "swap_ready_facesets"

CHECK_SPECS = [
    dg.AssetCheckSpec("funnel_closes", asset=_ASSET, blocking=True, description="Every face has one terminal state."),
    untouched_spec(_ASSET),
    dg.AssetCheckSpec("no_number_twice", asset=_ASSET, blocking=True, description="Every number has one owner."),
    dg.AssetCheckSpec(
        "one_face_per_png",
        asset=_ASSET,
        blocking=True,
        description="The detector finds exactly one face in every PNG that this run wrote.",
    ),
]


def check_results(
    result: PublishResult, inputs: PublishInputs, library: Library, embedder: Callable[[], Embedder]
) -> list[dg.AssetCheckResult]:
    """Looks at what was published, on disk and in the registry."""
    detected, decided = len(inputs.coverage), len(result.funnel)
    numbers = Counter(identity.number for identity in library.registry.identities() if not identity.is_era)
    twice = sorted(number for number, count in numbers.items() if count > 1)
    written = [*result.outcome.founded, *result.outcome.changed, *result.outcome.revived]
    bad = pictures_without_one_face(library, written, embedder) if written else []
    return [
        dg.AssetCheckResult(
            check_name="funnel_closes",
            passed=detected == decided and result.funnel["face_id"].is_unique().all(),
            metadata={"detected": detected, "with_a_state": decided},
        ),
        untouched_result(result.outcome.touched_undeclared, declared=sorted(result.outcome.declared())),
        dg.AssetCheckResult(check_name="no_number_twice", passed=not twice, metadata={"twice": twice}),
        dg.AssetCheckResult(
            check_name="one_face_per_png",
            passed=not bad,
            metadata={"bad": bad[:100], "facesets_checked": written},
        ),
    ]
