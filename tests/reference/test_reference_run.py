"""The reference run again: a bucket of its shape through `full_pipeline`, every number of the report counted anew.

What is expected is counted from the plan (`cast`), never from the platform's own tables.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from testing.fake_home import FakeHome
from tests.reference.cast import (
    KNOWN,
    TOO_SMALL_TO_EXPORT,
    TOP_CLUSTERS,
    TOP_PASSING,
    Cast,
    cast,
    faces_per_photo,
)
from tests.reference.drawing import DrawnEmbedderResource, write_cached, write_known, write_rest

AUTO, HAND_SORTED = range(1, 13), range(13, 20)


class Run:
    """The home after the run, its plan, and its report as text."""

    def __init__(self, home: FakeHome, plan: Cast, copied: list[int]) -> None:
        self.home, self.plan, self.copied = home, plan, copied
        self.text = self._reports()[-1].read_text()

    def _reports(self) -> list[Path]:
        folder = self.home.settings.reports_dir / "osrc"
        found = [path for path in folder.glob("*.md") if path.name.count(".") == 1]
        return sorted(found, key=lambda path: path.stat().st_mtime_ns)

    def table(self, heading: str) -> list[list[str]]:
        """The rows of the first table below a heading, without its head."""
        section = re.split(r"^##+ ", self.text.split(f"# {heading}\n", 1)[1], flags=re.M)[0]
        rows = [line for line in section.splitlines() if line.startswith("|")]
        return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows if not set(row) <= set("|- ")][1:]


LEGACY = {"osrc_clusters": {"preset": "legacy"}, "swap_ready_facesets": {"preset": "legacy"}}
"""The numbers and rules of the scripts."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    from testing.fake_home import fake_home_in

    plan = cast()
    with fake_home_in(tmp_path_factory.mktemp("reference")) as home:
        home.embedder = DrawnEmbedderResource()
        for number in AUTO:
            write_known(home.buckets / "import", number, 19 - number)
        home.materialize("face_cache", bucket="import")
        home.materialize("refined_library", refined_library={"min_faces": 6})
        for number in HAND_SORTED:
            write_known(home.people / f"Person {number}", number, 25 - number)
        home.materialize("hand_sorted_facesets")
        write_cached(home.buckets / "osrc", plan)
        home.materialize("face_cache", bucket="osrc")
        copied = write_rest(home.buckets / "osrc", plan)
        assert home.run("osrc", job="full_pipeline", **LEGACY).success
        yield Run(home, plan, copied)


def clustered_faces(plan: Cast) -> Counter[int]:
    """Person -> faces in the bucket, of those that nobody covers."""
    photos = [*plan.photos, plan.new, *plan.psds]
    counts = Counter(face.person for photo in photos for face in photo.faces)
    return Counter({person: count for person, count in counts.items() if person not in KNOWN})


def test_nineteen_identities_stood_before(run: Run) -> None:
    entries = json.loads((run.home.settings.library_dir / "manifest.json").read_text())["facesets"]
    before = [(entry["number"], entry["kind"]) for entry in entries if entry["number"] < 20]
    assert before == [*((number, "auto") for number in AUTO), *((number, "hand_sorted") for number in HAND_SORTED)]


def test_the_source_table_counts_213_files(run: Run) -> None:
    table = dict(run.table("Source"))
    with_faces = sum(bool(photo.faces) for photo in [*run.plan.photos, *run.plan.psds])
    copies_with = sum(bool(run.plan.photos[place].faces) for place in run.copied)
    assert table["files"] == "213"
    assert table["file types"] == "171 jpg, 41 psd, 1 jpeg"
    assert int(table["with faces"]) == with_faces + copies_with
    assert int(table["without a face"]) == 213 - with_faces - copies_with
    assert table["not usable"] == "0"
    assert table["byte copies"] == "11"
    assert table["known before the last scan with changes"] == "160"
    assert table["opened by it"] == "53: 42 read, 11 byte copies of known photos"


def test_photos_are_counted_by_their_faces(run: Run) -> None:
    expected = faces_per_photo([*run.plan.photos, run.plan.new, *run.plan.psds])
    assert {int(faces): int(photos) for faces, photos in run.table("Photos by number of faces")} == dict(expected)
    legacy = faces_per_photo(run.plan.photos)
    assert (legacy[1], legacy[2], legacy[3], legacy[4]) == (64, 35, 19, 24)
    assert sum(count for faces, count in legacy.items() if faces >= 5) == 8
    assert sum(faces * count for faces, count in legacy.items()) == 336


def test_four_of_nineteen_identities_cover_eighteen_faces_and_take_them(run: Run) -> None:
    assert "18 faces by 4 of 19 identities." in run.text
    rows = run.table("Covered by existing identities")
    assert [row[:3] for row in rows] == [
        [f"faceset_{number:03d}", str(faces), str(faces)] for number, faces in sorted(KNOWN.items())
    ]
    assert all(float(row[3]) < 0.45 for row in rows)


def test_clusters_and_gates_add_up(run: Run) -> None:
    persons = clustered_faces(run.plan)
    stages = dict(run.table("Clusters"))
    assert int(stages["faces clustered"]) == sum(persons.values()) == 318 + 20
    assert int(stages["raw clusters"]) == len(persons) == 137 + 20
    largest = re.search(r"faces in the largest: ([\d, ]+)\.", run.text)
    assert largest
    assert largest[1] == ", ".join(map(str, TOP_CLUSTERS))
    gated = sum(
        face.px < 90
        for photo in [*run.plan.photos, run.plan.new, *run.plan.psds]
        for face in photo.faces
        if face.person not in KNOWN
    )
    assert int(stages["dropped: below_gate:face_short"]) == gated == 124 + 20
    assert "dropped: outlier" not in stages
    kept = [count for count in TOP_PASSING if count >= 6]
    assert stages["clusters kept"] == f"7 with {sum(kept)} faces, 6 to 28 distinct photos each"


def test_the_funnel_closes_over_all_faces(run: Run) -> None:
    states = {row[0]: int(row[1]) for row in run.table("Faces")}
    detected = states.pop("detected")
    assert detected == sum(states.values()) == 336 + 20


def test_six_facesets_are_exported_from_020_on_and_the_seventh_is_not_emitted(run: Run) -> None:
    exported = [count for place, count in enumerate(TOP_PASSING) if count >= 6 and place != TOO_SMALL_TO_EXPORT]
    rows = run.table("Facesets")
    assert [(row[0], row[2], row[3], row[5]) for row in rows] == [
        (f"faceset_{20 + place:03d}", str(count), "0", str(count)) for place, count in enumerate(exported)
    ]
    assert int({row[0]: row[1] for row in run.table("Faces")}["below_export_gate:face_short"]) == 6
    assert not (run.home.settings.library_dir / "faceset_026").exists()
    assert sorted(run.home.library.registry.used_numbers()) == list(range(1, 26))


def test_parameters_and_the_way_to_run_it_again_are_told(run: Run) -> None:
    told = {(row[0], row[1]): row[2] for row in run.table("Pipeline")}
    assert told["osrc_uncovered", "cover_distance"] == "0.45"
    assert told["osrc_clusters", "min_faces"] == "6"
    assert told["swap_ready_facesets", "min_face_short_px"] == "100"
    assert "How to run it again" in run.text
    assert 'facesets run "osrc"' in run.text


def test_the_library_is_sound_and_a_second_run_changes_nothing(run: Run) -> None:
    assert run.home.flaws() == []
    once = run.home.files()
    assert run.home.run("osrc", job="full_pipeline", **LEGACY).success
    assert run.home.files() == once
    assert run.home.flaws() == []
