"""Counts in words: one of a thing is told in the singular, in reports and in the summary of a run."""

import re

from facesets_dagster.wording import counted
from testing.fake_home import FakeHome
from testing.fakes import write_looks

_ONE_OF_MANY = re.compile(
    r"\b1 (buckets|clusters|eras|faces|facesets|files|folders|groups|identities|members|people|photos|runs)\b"
)


def test_one_is_singular() -> None:
    assert [counted(number, "face") for number in (0, 1, 2)] == ["0 faces", "1 face", "2 faces"]
    assert [counted(number, "person", "people") for number in (1, 2)] == ["1 person", "2 people"]


def test_no_page_and_no_message_says_1_faces(fake_home: FakeHome) -> None:
    write_looks(fake_home.people / "Anna", 1, [-0.9])
    write_looks(fake_home.buckets / "a", 1, [0.0])
    write_looks(fake_home.buckets / "b", 2, [0.0])
    for bucket in ("a", "b"):
        fake_home.run(bucket, job="full_pipeline")
        fake_home.materialize("first_look", bucket=bucket)
    fake_home.materialize("merge_proposals", "library_duplicates", "consumer_exports", "face_landmarks")
    pages = [path for path in sorted(fake_home.settings.reports_dir.rglob("*")) if path.suffix in (".html", ".md")]
    assert len(pages) >= 20
    said = {path.name: found.group() for path in pages if (found := _ONE_OF_MANY.search(path.read_text()))}
    assert said == {}
    index = (fake_home.settings.reports_dir / "index.html").read_text()
    assert "1 face joined 1 faceset" in index
