"""What `make demo` does, with the real embedded pack, through the command line."""

import json
import os
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from facesets_dagster.errors import SettingsError
from facesets_dagster.sample.buckets import MARKER, write_sample
from testing.forked import ForkedHome
from testing.paths import REPOSITORY


@pytest.fixture(scope="module")
def facesets(tmp_path_factory: pytest.TempPathFactory, embedded_models_root: Path):
    """Runs `facesets` over a home of its own; gives (exit code, standard output)."""
    home = tmp_path_factory.mktemp("demo")
    real = ForkedHome(home, "embedded", embedded_models_root).made()

    def call(*arguments: str) -> tuple[int, str]:
        child = real.start(*arguments)
        said, _ = child.communicate()
        return child.returncode, said

    call.home = home  # type: ignore[attr-defined]
    code, text = call("sample", str(home / "buckets"))
    assert code == 0, text
    code, text = call("run")
    assert code == 0, text
    code, questions = call("review")
    assert code == 0, questions
    call.first = text + questions  # type: ignore[attr-defined]
    return call


def truth(home: Path) -> dict[str, list[str]]:
    files = json.loads((home / "buckets" / MARKER).read_text())["files"]
    return {entry["sha256"]: entry["people"] for entry in files.values()}


def test_the_demo_ends_with_at_least_five_facesets_of_one_person_each(facesets) -> None:
    library = facesets.home / "facesets_swap_ready"
    people_in = truth(facesets.home)
    owners = []
    for entry in json.loads((library / "manifest.json").read_text())["facesets"]:
        manifest = json.loads((library / entry["name"] / "manifest.json").read_text())
        photos = [people_in[face["source"]["sha256"]] for face in manifest["faces"]]
        (owner, count), *_ = Counter(person for people in photos for person in set(people)).most_common()
        assert count == len(photos), f"{entry['name']} mixes people: {photos}"
        owners.append(owner)
    assert len(owners) >= 5
    twice = [owner for owner, count in Counter(owners).items() if count > 1]
    assert twice == ["eileen_collins"], "who wears sunglasses at the wedding; that is a question for the review page"


def test_the_demo_ends_with_a_question_of_each_kind_that_a_newcomer_can_answer(facesets) -> None:
    code, text = facesets("review", "--json")
    assert code == 0, text
    kinds = json.loads(text)["kinds"]
    assert set(kinds) == {"pair", "who_else", "who_not", "impossible_pair", "ignore_strangers", "approve"}
    people_in = truth(facesets.home)
    owners = {
        entry["name"]: Counter(
            person
            for face in json.loads(
                (facesets.home / "facesets_swap_ready" / entry["name"] / "manifest.json").read_text()
            )["faces"]
            for person in people_in[face["source"]["sha256"]]
        ).most_common(1)[0][0]
        for entry in json.loads((facesets.home / "facesets_swap_ready" / "manifest.json").read_text())["facesets"]
    }
    cards = pl.read_parquet(facesets.home / "cache" / "tables" / "review_queue" / "all.parquet")
    asked = [[owners.get(side["name"]) for side in sides] for sides in cards.filter(kind="pair")["sides"]]
    assert ["eileen_collins", "eileen_collins"] in asked, "one person as two face sets"
    assert any(set(pair) == {"t1_5", "t1_5_sister"} for pair in asked), "two people who look alike"


def lines_of(text: str) -> list[str]:
    """Without what does not show: ends of lines, empty lines."""
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def block_of(page: str, start: str) -> str:
    """The code block of a page that starts so."""
    _, found, rest = (REPOSITORY / page).read_text().partition(f"```\n{start}")
    assert found, f"{page} has no code block that starts with {start!r}"
    return start + rest.partition("```")[0]


def test_the_readme_shows_what_the_demo_prints(facesets) -> None:
    printed = facesets.first[facesets.first.index("Buckets") :].replace(str(facesets.home), "data")
    assert lines_of(block_of("README.md", "Buckets")) == lines_of(printed)


def test_the_docs_show_what_the_question_on_the_demo_prints(facesets) -> None:
    command, *shown = lines_of(block_of("docs/assets/what_if.md", "$ facesets "))
    code, text = facesets(*shlex.split(command)[2:])
    assert code == 0, text
    printed, report, _ = text.partition("report: ")
    assert report
    assert shown == lines_of(printed)


def test_people_of_the_album_get_their_photos_from_the_press(facesets) -> None:
    code, text = facesets("status", "--json")
    assert code == 0
    buckets = {row["bucket"]: row for row in json.loads(text)["buckets"]}
    assert set(buckets) == {"family album", "press %5B2019%5D", "trip", "wedding"}
    assert {row["state"] for row in buckets.values()} == {"up to date"}
    joined = buckets["press %5B2019%5D"]["joined"]
    assert set(joined) >= {"faceset_001"}
    assert buckets["press %5B2019%5D"]["waiting"] == {}
    (report,) = [
        path for path in (facesets.home / "reports" / "press %5B2019%5D").glob("*.md") if path.name.count(".") == 1
    ]
    assert f"{joined['faceset_001']} faces joined faceset_001" in report.read_text()


def test_a_second_run_finds_nothing_to_do_and_a_forced_one_changes_nothing(facesets) -> None:
    code, text = facesets("run")
    assert code == 0
    assert "Nothing to do: all 4 buckets are up to date." in text
    library = facesets.home / "facesets_swap_ready"
    before = {path: path.read_bytes() for path in library.rglob("*") if path.is_file()}
    code, text = facesets("run", "trip", "press [2019]")
    assert code == 0, text
    assert {path: path.read_bytes() for path in library.rglob("*") if path.is_file()} == before


def test_the_library_verifies_and_damage_is_found(facesets) -> None:
    code, text = facesets("verify", "--json")
    assert (code, json.loads(text)) == (0, {"sound": True, "flaws": []})
    picture = facesets.home / "facesets_swap_ready" / "faceset_001" / "faces" / "0001.png"
    original = picture.read_bytes()
    picture.write_bytes(original[:-1] + b"x")
    code, text = facesets("verify", "--json")
    picture.write_bytes(original)
    assert code == 1
    assert "0001.png" in text


def test_a_label_is_kept_and_stands_in_the_manifest(facesets) -> None:
    assert facesets("label", "faceset_001", "Somebody")[0] == 0
    code, text = facesets("run", "family album")
    assert code == 0, text
    manifest = json.loads((facesets.home / "facesets_swap_ready" / "manifest.json").read_text())
    assert manifest["facesets"][0]["label"] == "Somebody"
    code, text = facesets("label", "faceset_999", "Nobody")
    assert code == 1
    assert "There is no person and no faceset called 'faceset_999'" in text


def test_an_unknown_bucket_and_a_wrong_number_are_explained(facesets, tmp_path: Path) -> None:
    code, text = facesets("run", "nowhere")
    assert code == 1
    assert "Buckets here: family album" in text
    config = tmp_path / "config.yaml"
    config.write_text("ops: {osrc_uncovered: {config: {cover_distance: 7}}}")
    code, text = facesets("run", "trip", "--config", str(config))
    assert code == 1
    assert "cover_distance" in text
    assert "less than or equal to 2" in text


def test_the_doctor_asks_real_sessions(facesets) -> None:
    code, text = facesets("doctor", "--json")
    findings = {row["name"]: row for row in json.loads(text)}
    assert code == 0, text
    assert "CPUExecutionProvider" in findings["providers"]["found"]
    assert findings["telemetry"]["found"] == "off"


def test_another_pack_than_the_homes_is_refused(facesets, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {**os.environ, "FACESETS_HOME": str(facesets.home), "FACESETS_MODEL_PACK": "buffalo_l"}
    done = subprocess.run(
        [sys.executable, "-m", "facesets_dagster.cli.main", "status"],
        cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "was made with the model pack 'embedded'" in done.stderr


def test_the_sample_is_the_same_every_time_and_spares_other_files(tmp_path: Path, facesets) -> None:
    cache = facesets.home / "cache" / "sample"
    summary = write_sample(tmp_path / "again", cache_dir=cache)
    assert summary.written == summary.files
    for path in (facesets.home / "buckets").rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "again" / path.relative_to(facesets.home / "buckets")).read_bytes()
    assert write_sample(tmp_path / "again", cache_dir=cache).written == 0
    (tmp_path / "other" / "trip").mkdir(parents=True)
    mine = tmp_path / "other" / "trip" / "two.jpg"
    mine.write_bytes(b"mine")
    with pytest.raises(SettingsError, match=r"two\.jpg is not a file of the sample"):
        write_sample(tmp_path / "other", cache_dir=cache)
    assert [path for path in (tmp_path / "other").rglob("*") if path.is_file()] == [mine]


def test_every_face_is_explained_as_it_was_decided(facesets) -> None:
    code, text = facesets("explain", "press [2019]/everybody.jpg", "--json")
    assert code == 0, text
    (photo,) = json.loads(text)["photos"]
    assert (photo["bucket"], photo["status"]) == ("press %5B2019%5D", "faces")
    assert [face["bbox"][0] for face in photo["faces"]] == sorted(face["bbox"][0] for face in photo["faces"])
    known = [face for face in photo["faces"] if face["identity"] in ("faceset_001", "faceset_002", "faceset_003")]
    assert known
    assert {face["state"] for face in known} <= {
        "exported", "near_duplicate", "export_outlier", "covered", "below_export_gate:face_short"
    }  # fmt: skip
    code, text = facesets("explain", known[0]["face_id"])
    assert code == 0, text
    assert known[0]["why"] in text
    code, text = facesets("explain", str(facesets.home / "buckets" / "trip" / "chelsea.png"))
    assert (code, "no face was found" in text) == (0, True)
    code, text = facesets("explain", "trip/nowhere.jpg")
    assert code == 1
    assert "No run has seen 'trip/nowhere.jpg' in trip." in text


def test_a_faceset_is_shown_with_ranks_members_and_provenance(facesets) -> None:
    code, text = facesets("show", "faceset_001", "--json")
    assert code == 0, text
    shown = json.loads(text)
    ranked = [face["rank_score"] for face in shown["manifest"]["faces"]]
    top = shown["manifest"]["parameters"]["swap_ready_facesets"]["top_n"]
    for part in (ranked[:top], ranked[top:]):
        assert part == sorted(part, reverse=True), "the top comes first, then the others"
    states = Counter(member["state"] for member in shown["members"])
    assert states["exported"] == len(ranked)
    assert facesets("show", "faceset_001")[0] == 0
    code, text = facesets("show", "faceset_999")
    assert code == 1
    assert "There is no person and no faceset called 'faceset_999'" in text
