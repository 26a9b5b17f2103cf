"""A run config that does not fit is refused in sentences: what was found, what was meant, what is expected."""

import facesets_dagster.definitions  # noqa: F401 - the assets and their run config are known
from facesets_dagster.assets._run_config import problems_of

STEPS = ["face_cache", "osrc_uncovered", "osrc_clusters", "top_manifest"]


def ops(**steps: object) -> dict[str, object]:
    return {"ops": {name: {"config": config} for name, config in steps.items()}}


def test_a_run_config_that_fits_has_no_problem() -> None:
    assert problems_of({}, STEPS) == []
    assert problems_of(ops(osrc_clusters={"min_faces": 4, "cluster_distance": None}), STEPS) == []


def test_what_is_almost_a_name_is_answered_with_the_nearest() -> None:
    (field,) = problems_of(ops(osrc_clusters={"min_face": 4}), STEPS)
    assert field == "osrc_clusters has no field 'min_face'. Did you mean min_faces?"
    (step,) = problems_of(ops(osrc_cluster={"min_faces": 4}), STEPS)
    assert step == "'osrc_cluster' is no step of this job. Did you mean osrc_clusters?"


def test_a_wrong_value_is_named_with_its_field_and_range() -> None:
    (said,) = problems_of(ops(osrc_uncovered={"cover_distance": 7}), STEPS)
    assert said == (
        "cover_distance of osrc_uncovered is 7; it should be less than or equal to 2. It lies between 0 and 2."
    )
    (text,) = problems_of(ops(osrc_clusters={"min_faces": "many"}), STEPS)
    assert text.startswith("min_faces of osrc_clusters is 'many'; it should be a valid integer")


def test_what_is_no_mapping_is_told() -> None:
    assert "Expected a mapping of steps" in problems_of({"ops": [1]}, STEPS)[0]
    assert "Expected a mapping of fields" in problems_of(ops(osrc_clusters=4), STEPS)[0]
    assert problems_of(ops(top_manifest={"x": 1}), STEPS) == ["top_manifest takes no config."]
