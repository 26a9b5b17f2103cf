"""What all assets say of themselves: counts in words, and metadata that the glossary explains."""

import re
from collections.abc import Iterator

import dagster as dg
import pytest

from facesets_dagster.wording import counted
from testing.fake_home import FakeHome, fake_home_in
from testing.fakes import write_looks
from testing.glossary import codes_of

_ONE_OF_MANY = re.compile(
    r"\b1 (buckets|clusters|eras|faces|facesets|files|folders|groups|identities|members|people|photos|runs)\b"
)
_BESIDE_THE_PIPELINE = (
    "merge_proposals",
    "doubtful_faces",
    "review_queue",
    "library_duplicates",
    "consumer_exports",
    "face_landmarks",
    "consumer_simulation",
    "faceset_completeness",
    "applied_rulings",
)


@pytest.fixture(scope="module")
def all_assets_run(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[FakeHome, list[dg.ExecuteInProcessResult]]]:
    """A home with one photo of a person sorted by hand, two buckets and a run of every asset."""
    with fake_home_in(tmp_path_factory.mktemp("wording")) as home:
        write_looks(home.people / "Anna", 1, [-0.9])
        write_looks(home.buckets / "a", 1, [0.0])
        write_looks(home.buckets / "b", 2, [0.0])
        results = [home.run(bucket, job="full_pipeline") for bucket in ("a", "b")]
        results += [home.materialize("first_look", "what_if", bucket=bucket) for bucket in ("a", "b")]
        yield home, [*results, home.materialize(*_BESIDE_THE_PIPELINE)]


def test_one_is_singular() -> None:
    assert [counted(number, "face") for number in (0, 1, 2)] == ["0 faces", "1 face", "2 faces"]
    assert [counted(number, "person", "people") for number in (1, 2)] == ["1 person", "2 people"]


def test_no_page_and_no_message_says_1_faces(
    all_assets_run: tuple[FakeHome, list[dg.ExecuteInProcessResult]],
) -> None:
    reports = all_assets_run[0].settings.reports_dir
    pages = [path for path in sorted(reports.rglob("*")) if path.suffix in (".html", ".md")]
    assert len(pages) >= 20
    said = {path.name: found.group() for path in pages if (found := _ONE_OF_MANY.search(path.read_text()))}
    assert said == {}
    assert "1 face joined faceset_001" in (reports / "index.html").read_text()


def test_the_glossary_explains_the_metadata_of_every_asset_and_check(
    all_assets_run: tuple[FakeHome, list[dg.ExecuteInProcessResult]],
) -> None:
    described, said = codes_of("Metadata"), dict[str, set[str]]()
    for event in (event for result in all_assets_run[1] for event in result.all_events):
        if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION:
            entry = event.step_materialization_data.materialization
            said.setdefault(entry.asset_key.to_user_string(), set()).update(entry.metadata)
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            said.setdefault(check.check_name, set()).update(check.metadata)
    keys = {
        (name, re.sub("^curve_.*", "curve_<number>", key))
        for name, all_keys in said.items()
        for key in all_keys
        if not key.startswith("dagster/")
    }
    assert len(said) >= 40
    assert {(name, key) for name, key in keys if key not in described} == set()
