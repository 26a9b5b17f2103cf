"""The checks of `swap_ready_facesets`, reported by the asset that has the numbers in hand."""

import dagster as dg

from facesets_dagster.analysis.inspection import pictures_without_one_face
from facesets_dagster.assets._asset import UNTOUCHED, Check
from facesets_dagster.publishing.run import Run
from facesets_dagster.publishing.swap_ready_facesets import PublishInputs, PublishResult

FUNNEL_CLOSES = Check("every_face_has_one_state", "Every face of the bucket ends in exactly one state.", blocking=True)
NO_NUMBER_TWICE = Check("no_number_twice", "Every number belongs to one identity.", blocking=True)
ONE_FACE_PER_PNG = Check(
    "one_face_per_png", "The detector finds exactly one face in every PNG that this run wrote.", blocking=True
)
CHECKS = (FUNNEL_CLOSES, UNTOUCHED, NO_NUMBER_TWICE, ONE_FACE_PER_PNG)


def check_results(run: Run, inputs: PublishInputs, result: PublishResult) -> list[dg.AssetCheckResult]:
    """Looks at what was published, on disk and in the registry."""
    outcome, detected, decided = result.outcome, len(inputs.coverage), len(result.funnel)
    twice = run.library.registry.numbers_twice()
    written = [*outcome.founded, *outcome.changed, *outcome.revived]
    bad = pictures_without_one_face(run.library, written, run.embedder) if written else []
    once = bool(result.funnel["face_id"].is_unique().all())
    touched = outcome.touched_undeclared
    return [
        FUNNEL_CLOSES.result(detected == decided and once, detected=detected, with_a_state=decided),
        UNTOUCHED.result(not touched, touched=sorted(touched), declared=sorted(outcome.declared())),
        NO_NUMBER_TWICE.result(not twice, twice=twice),
        ONE_FACE_PER_PNG.result(not bad, bad=bad[:100], facesets_checked=written),
    ]
