"""`facesets rule` and `facesets rulings`, through the program, over a home with the fake model."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from facesets_dagster.analysis.rulings_on import rejections
from facesets_dagster.cli import ruled, ruling_job
from facesets_dagster.cli.commands import look
from facesets_dagster.cli.commands import rule as rule_commands
from facesets_dagster.cli.commands import rulings as rulings_commands
from facesets_dagster.cli.main import app
from facesets_dagster.library.ruling_log import as_line
from facesets_dagster.registry.rulings import all_rulings
from facesets_dagster.reports.faceset_page import faceset_page
from facesets_dagster.reports.links import PhotoLinks
from testing.fake_home import FakeHome, fake_home_in
from testing.fakes import FakeFace, write_looks, write_photo

LOOKS = [-0.9, -0.45, 0.0, 0.45, 0.9, 1.0]


def filled(home: FakeHome) -> None:
    """Three people, one in each bucket; a photo of `c` shows the third and the second, another one nobody known."""
    for bucket, person in (("a", 1), ("b", 5), ("c", 9)):
        write_looks(home.buckets / bucket, person, LOOKS)
    both = [FakeFace(5, 0.2, x=20), FakeFace(9, 0.2, x=320)]
    write_photo(home.buckets / "c" / "both.png", both, seed=3)
    write_photo(home.buckets / "c" / "stranger.png", [FakeFace(12, 0.0, x=100)], seed=4)
    for bucket in ("a", "b", "c"):
        home.run(bucket)


@pytest.fixture
def home(fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch) -> FakeHome:
    fake_home.begin(filled)
    use(fake_home, monkeypatch)
    return fake_home


def use(home: FakeHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program works on this home."""
    monkeypatch.setattr(ruling_job, "instance_of", home.instance_of)
    monkeypatch.setattr(ruling_job, "embedder_of", lambda _: home.embedder)
    for module in (rule_commands, rulings_commands, look):
        monkeypatch.setattr(module, "existing_home", lambda: home.settings)
    monkeypatch.setenv("COLUMNS", "100")


def facesets(*words: str, code: int = 0) -> str:
    """Standard output; of a command that fails the message."""
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == code, done.output
    return done.stderr.strip() if code else done.stdout


def as_json(*words: str) -> Any:
    return json.loads(facesets(*words, "--json"))


def members(home: FakeHome, name: str) -> dict[str, str]:
    return dict(home.library.registry.members([name]).get(name, {}))


def live(home: FakeHome) -> list[str]:
    return sorted(one.name for one in home.library.registry.identities() if one.live)


def face_of(home: FakeHome, path: str, bucket: str) -> str:
    (photo,) = as_json("explain", f"{bucket}/{path}")["photos"]
    (face,) = photo["faces"]
    return str(face["face_id"])


def test_two_are_one_and_apart_again(home: FakeHome) -> None:
    before = home.files()
    said = facesets("rule", "same", "faceset_001", "faceset_002", "--reason", "looked twice")
    assert said.startswith("faceset_002 and faceset_001 are one person.\n")
    assert "  faceset_001: 7 faces come; 13 faces\n" in said
    assert "  faceset_002: merged into faceset_001; the name leads there\n" in said
    ruling_id = said.split("`facesets rulings undo ")[1].split("`")[0]
    assert live(home) == ["faceset_001", "faceset_003"]
    (row,) = as_json("rulings")["rulings"]
    assert (row["ruling_id"], row["state"], row["published"], row["via"]) == (ruling_id, "in_force", True, "cli")
    assert row["reason"] == "looked twice"
    said = facesets("rulings", "undo", ruling_id)
    assert said.startswith("Taken back: faceset_002 and faceset_001 are one person.\n")
    assert "  faceset_002: in use again; 7 faces\n" in said
    assert {name: data for name, data in home.files().items() if "_retired" not in name} == before
    assert home.flaws() == []


def state_of(home: FakeHome) -> dict[str, tuple[str | None, set[str]]]:
    """Live face set -> the person's name, members; eras aside."""
    rows = home.library.registry.members()
    return {
        one.name: (one.label, set(rows.get(one.name, {})))
        for one in home.library.registry.identities()
        if one.live and not one.is_era
    }


RULES: dict[str, list[str]] = {
    "name": ["name", "faceset_001", "Anna"],
    "same": ["same", "faceset_001", "faceset_002"],
    "same faces": ["same", "a/p01_+0.000.png", "b/p05_+0.000.png"],
    "same person and nobody": ["same", "faceset_001", "c/stranger.png"],
    "different": ["different", "faceset_001", "faceset_002"],
    "not_person": ["not-person", "a/p01_+0.000.png", "faceset_001"],
    "not_person of both": ["not-person", "c/both.png", "faceset_002"],
    "assign": ["assign", "c/stranger.png", "a/p01_+0.000.png", "faceset_002"],
    "assign numbered": ["assign", "c/both.png#1", "faceset_001"],
    "split": ["split", "faceset_001", "--a", "a/p01_-0.900.png", "--b", "a/p01_+0.900.png", "--yes"],
    "ignore": ["ignore", "faceset_003"],
    "ignore face": ["ignore", "c/stranger.png", "a/p01_+0.000.png"],
    "ignore both": ["ignore", "faceset_002", "c/stranger.png"],
    "not_a_face": ["not-a-face", "a/p01_+0.000.png"],
    "approve": ["approve", "faceset_001"],
    "feature": ["feature", "a/p01_+0.000.png", "faceset_001", "--lead"],
    "allow_together": ["allow-together", "c/both.png"],
    "threshold": ["threshold", "cover-distance", "0.4"],
}


@pytest.mark.parametrize("words", RULES.values(), ids=RULES)
def test_what_a_dry_run_says_is_what_happens_and_undo_takes_it_back(home: FakeHome, words: list[str]) -> None:
    files, before = home.files(), state_of(home)
    ahead = as_json("rule", *words, "--dry-run")
    assert (ahead["dry_run"], ahead["run_id"]) == (True, None)
    assert home.files() == files
    assert as_json("rulings")["rulings"] == []
    done = as_json("rule", *words)
    assert done["changes"] == ahead["changes"]
    assert done["taken"] == ahead["taken"]
    after = state_of(home)
    for change in done["changes"]:
        name = change["name"]
        assert (name in after) == (change["what"] in ("new", "back", "stays")), change
        had, has = before.get(name, (None, set()))[1], after.get(name, (None, set()))[1]
        assert (set(change["faces_in"]), set(change["faces_out"])) == (has - had, had - has)
        assert len(has) == change["faces"]
        assert change["label"] == after.get(name, (change["label"],))[0]
    named = {change["name"] for change in done["changes"]}
    assert {name: one for name, one in after.items() if name not in named} == {
        name: one for name, one in before.items() if name not in named
    }
    assert home.flaws() == []
    assert home.instance.get_run_by_id(done["run_id"]).job_name == "apply_rulings"
    listed = as_json("rulings", "list")["rulings"]
    assert [one["ruling_id"] for one in listed] == [one["ruling_id"] for one in done["rulings"]]
    assert all(one["published"] and one["state"] == "in_force" for one in listed)
    as_json("rulings", "undo", *(one["ruling_id"] for one in listed))
    assert state_of(home) == before
    again = {name: data for name, data in home.files().items() if not name.startswith("_retired")}
    if words[0] == "split":  # the number of the new face set stays taken
        stones = json.loads(again.pop("manifest.json"))["tombstones"]
        assert [(stone["name"], stone["reason"]) for stone in stones] == [("faceset_004", "undone")]
        del files["manifest.json"]
    assert again == files
    assert home.flaws() == []


def test_names_begin_a_sentence_as_they_are_written(home: FakeHome) -> None:
    assert facesets("rule", "threshold", "cover-distance", "0.4", "--dry-run").startswith("cover_distance is 0.4, not ")
    assert facesets("rule", "approve", "faceset_001", "--dry-run").startswith("faceset_001 is right as it stands.")


def test_a_ruling_that_contradicts_is_refused_with_the_chain_and_the_ways_out(home: FakeHome) -> None:
    first = as_json("rule", "different", "faceset_001", "faceset_003")["rulings"][0]["ruling_id"]
    second = as_json("rule", "same", "faceset_001", "faceset_002")["rulings"][0]["ruling_id"]
    before = home.files()
    for dry_run in ([], ["--dry-run"]):
        told = facesets("rule", "same", "faceset_003", "faceset_001", *dry_run, code=1)
        assert "These rulings contradict each other: " in told
        assert "faceset_001 and faceset_003 are two people (different by " in told
        assert f"`facesets rulings undo {first}`" in told
        assert told.endswith("Nothing was changed.")
    told = facesets("rule", "different", "faceset_001", "faceset_002", code=1)
    assert "Both sides are faceset_001" in told
    assert home.files() == before
    assert [one["ruling_id"] for one in as_json("rulings")["rulings"]] == [first, second]
    as_json("rulings", "undo", first)
    as_json("rule", "same", "faceset_003", "faceset_001", "--despite-veto")
    assert live(home) == ["faceset_001"]


def test_what_speaks_against_a_merge_is_said_with_the_option_that_overrules_it(home: FakeHome) -> None:
    facesets("rule", "name", "faceset_001", "Anna")
    facesets("rule", "name", "faceset_002", "Bo")
    assert "`--despite-labels`" in facesets("rule", "same", "Anna", "Bo", code=1)
    assert "`--despite-veto`" in facesets("rule", "same", "b/p05_+0.000.png", "faceset_003", code=1)
    said = facesets("rule", "same", "Anna", "bo", "--despite-labels", "--dry-run")
    assert "Bo (faceset_002): merged into faceset_001; the name leads there" in said
    assert said.endswith("Nothing was written.\n")
    assert "faceset_001 is called 'anna' too" in facesets("rule", "name", "faceset_003", "anna", code=1)
    assert "Nothing to do" in facesets("rule", "same", "faceset_001", "Anna")


def test_who_has_no_face_left_to_export_goes_out_of_use_and_that_is_said(home: FakeHome) -> None:
    write_photo(home.buckets / "c" / "tiny.png", [FakeFace(14, 0.0, size=40)], seed=5)
    home.run("c")
    others = [*members(home, "faceset_002")]
    facesets("rule", "assign", "c/tiny.png", "faceset_002")
    said = facesets("rule", "assign", *others, "faceset_001")
    assert "  faceset_002: out of use, no face of it can be exported\n" in said
    assert live(home) == ["faceset_001", "faceset_003"]
    assert home.flaws() == []


def test_rulings_are_undone_in_any_order(home: FakeHome) -> None:
    before = state_of(home)
    ids = [
        as_json("rule", *words)["rulings"][0]["ruling_id"]
        for words in (
            ["name", "faceset_002", "Bo"],
            ["same", "faceset_001", "faceset_002"],
            ["not-person", "b/p05_+0.000.png", "faceset_001"],
            ["assign", "c/stranger.png", "Bo"],
        )
    ]
    said = facesets("rulings", "undo", ids[1], ids[0])
    assert "Taken back: faceset_002 and faceset_001 are one person." in said
    assert live(home) == ["faceset_001", "faceset_002", "faceset_003"]
    stranger = face_of(home, "stranger.png", "c")
    moved = face_of(home, "p05_+0.000.png", "b")
    assert stranger in members(home, "faceset_001")
    assert moved in members(home, "faceset_002"), "it is not of faceset_001, and that is true"
    said = facesets("rulings", "undo", ids[0], ids[3], ids[2].lower())
    assert said.startswith(f"{ids[0]} was taken back before.\n")
    assert state_of(home) == before
    states = {one["ruling_id"]: one["state"] for one in as_json("rulings")["rulings"]}
    assert states == dict.fromkeys(ids, "undone")
    assert home.flaws() == []
    assert facesets("rulings", "undo", "0", code=1).startswith("4 rulings begin with '0'")
    assert facesets("rulings", "undo", "XYZ", code=1).startswith("There is no ruling 'XYZ'")


def test_later_writes_and_apply_makes_it_true(home: FakeHome) -> None:
    files = home.files()
    said = facesets("rule", "ignore", "faceset_003", "--later")
    assert "Written, the library is as before; `facesets rulings apply` makes it true." in said
    facesets("rule", "name", "faceset_001", "Anna", "--later")
    assert home.files() == files
    assert [one["published"] for one in as_json("rulings")["rulings"]] == [False, False]
    assert facesets("rulings", "apply", "--dry-run").endswith("Nothing was written.\n")
    said = facesets("rulings", "apply")
    assert said.startswith("faceset_003 is ignored.\nfaceset_001 is called Anna.\n")
    assert live(home) == ["faceset_001", "faceset_002"]
    assert facesets("rulings", "apply") == "Nothing to do: every ruling is applied.\n"


def test_a_face_is_named_by_photo_where_one_is_meant(home: FakeHome) -> None:
    told = facesets("rule", "assign", "c/both.png", "faceset_001", code=1)
    assert "c/both.png shows 2 faces. Name one from the left, e.g. `c/both.png#1`: #1 " in told
    assert "; #2 " in told
    assert told.endswith("Nothing was changed.")
    assert "shows 2 faces" in facesets("rule", "not-person", "c/both.png#3", "faceset_002", code=1)
    face = face_of(home, "p05_+0.000.png", "b")
    absolute = str(home.buckets / "b" / "p05_+0.000.png")
    for text in (face, absolute, "b/p05_+0.000.png", "b/p05_+0.000.png#1"):
        (ruling,) = as_json("rule", "not-person", text, "faceset_002", "--dry-run")["rulings"]
        assert ruling["says"] == "1 face does not belong to faceset_002"
    assert "is no member of faceset_001" in facesets("rule", "not-person", face, "faceset_001", code=1)
    assert "There is no person and no faceset called 'Zoe'" in facesets("rule", "ignore", "Zoe", code=1)


def test_a_split_is_shown_and_asked_about_before_it_is_recorded(
    home: FakeHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["rule", "split", "faceset_001", "--a", "a/p01_-0.900.png", "--b", "a/p01_+0.900.png"]
    assert "Add --yes where nobody can be asked." in facesets(*words, code=1)
    assert as_json("rulings")["rulings"] == []
    monkeypatch.setattr(ruled, "at_a_terminal", lambda: True)
    asked = CliRunner().invoke(app, words, input="n\n")
    assert asked.exit_code == 1
    assert "faceset_001 keeps number and name: " in asked.stderr
    assert "faceset_004: " in asked.stderr
    assert "keeps number and name: 4 faces, e.g. a/p01_+0.900.png" in asked.stderr
    assert as_json("rulings")["rulings"] == []
    done = CliRunner().invoke(app, words, input="y\n")
    assert done.exit_code == 0, done.output
    assert "faceset_004: new, out of faceset_001; " in done.stdout
    assert face_of(home, "p01_-0.900.png", "a") in members(home, "faceset_004"), "the smaller part"
    assert "examples of two people" in facesets("rule", "split", "faceset_001", "--a", "a/p01_-0.900.png", code=1)


def test_a_list_can_be_filtered_and_one_be_shown(home: FakeHome) -> None:
    facesets("rule", "name", "faceset_001", "Anna")
    facesets("rule", "same", "faceset_001", "faceset_002", "--reason", "the same coat")
    facesets("rule", "ignore", "faceset_003")
    listed = as_json("rulings", "list")["rulings"]
    assert [one["kind"] for one in listed] == ["name", "same", "ignore"]
    assert [one["kind"] for one in as_json("rulings", "list", "--about", "faceset_002")["rulings"]] == ["name", "same"]
    assert [one["kind"] for one in as_json("rulings", "list", "--kind", "ignore")["rulings"]] == ["ignore"]
    assert as_json("rulings", "list", "--state", "undone")["rulings"] == []
    assert [one["kind"] for one in as_json("rulings", "list", "--about", "faceset_003")["rulings"]] == ["ignore"]
    assert "There is no kind of rulings called 'merge'. Expected name, same," in facesets(
        "rulings", "list", "--kind", "merge", code=1
    )
    text = facesets("rulings")
    assert "faceset_002 and faceset_001 are one person (the same coat)" in text
    said = facesets("rulings", "show", listed[1]["ruling_id"])
    assert "same: two people, or faces, are one person" in said
    assert "faceset_002 is part of faceset_001 now" in said
    assert "faceset_002: in use again; 7 faces" in said
    assert "b/p05_+0.000.png" in said
    shown = as_json("rulings", "show", listed[2]["ruling_id"])
    assert {face["role"] for face in shown["faces"]} == {"identity", "exemplar"}
    assert shown["without_it"] == ["faceset_003: in use again; 7 faces"]
    assert len(shown["decided"]) == 7


def test_the_bucket_of_a_face_that_was_taken_is_judged_anew(home: FakeHome) -> None:
    said = facesets("rule", "not-person", "a/p01_+0.000.png", "faceset_001")
    assert "`facesets run a` judges its faces anew." in said
    home.run("a")
    assert face_of(home, "p01_+0.000.png", "a") not in members(home, "faceset_001")


def test_a_run_that_does_not_finish_leaves_the_ruling_waiting(home: FakeHome, monkeypatch: pytest.MonkeyPatch) -> None:
    from facesets_dagster.assets import applied_rulings as asset_module
    from facesets_dagster.errors import PublishRefused

    def refuse(*_: object, **__: object) -> None:
        raise PublishRefused("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(asset_module, "apply_rulings", refuse)
        told = facesets("rule", "ignore", "faceset_003", code=1)
    assert told.startswith("It is on record and waits, the library is as before: the run ")
    assert "The disk is full" in told
    assert told.endswith("`facesets rulings apply` tries again.")
    assert live(home) == ["faceset_001", "faceset_002", "faceset_003"]
    facesets("rulings", "apply")
    assert live(home) == ["faceset_001", "faceset_002"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["threshold", "coverdistance", "0.4"],
            "There is no number called 'coverdistance'. Did you mean cover_distance",
        ),
        (["threshold", "cover_distance", "3"], "cover_distance is 3, expected 0 to 2."),
        (["allow-together", "c/stranger.png"], "Expected two or more faces of one photo."),
        (["different", "faceset_001", "faceset_001"], "Both sides are faceset_001."),
        (["feature", "b/p05_+0.000.png", "faceset_001"], "is no member of faceset_001"),
        (["same", "a/p01_+0.000.png", "b/p05_+0.000.png", "faceset_003"], "Faces are taken two at a time"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(home: FakeHome, words: list[str], told: str) -> None:
    found = facesets("rule", *words, code=1)
    assert told in found
    assert found.endswith("Nothing was changed.")
    assert as_json("rulings")["rulings"] == []


def test_show_find_explain_and_status_tell_which_ruling_decided(home: FakeHome) -> None:
    given = as_json("rule", "assign", "c/stranger.png", "faceset_001")["rulings"][0]["ruling_id"]
    facesets("rule", "same", "faceset_001", "faceset_002")
    facesets("rule", "approve", "faceset_001")
    ignored = as_json("rule", "ignore", "faceset_003")["rulings"][0]["ruling_id"]
    facesets("rule", "feature", "a/p01_+0.000.png", "faceset_001", "--later")
    said = facesets("show", "faceset_001")
    assert f"ruling {given}: 1 face belongs to faceset_001 (assign by " in said
    assert "faceset_001 is right as it stands (approve by " in said
    assert f"1 ruled:{given}" in said
    assert [one["kind"] for one in as_json("show", "faceset_001")["rulings"]] == [
        "assign", "same", "approve", "feature",
    ]  # fmt: skip
    said = facesets("find", "faceset_001")
    assert f"c/stranger.png (put there by ruling {given})" in said
    assert "b/p05_+0.000.png (came with faceset_002)" in said
    said = facesets("explain", "c/stranger.png")
    assert f"ruling {given}: 1 face belongs to faceset_001 (assign by " in said
    (photo,) = as_json("explain", "c/p09_+0.000.png")["photos"]
    assert photo["faces"][0]["state"] == "ignored"
    assert ignored in photo["faces"][0]["why"]
    status = as_json("status")["rulings"]
    assert (status["in_force"], status["waiting"], status["dormant"]) == (5, 1, 0)
    assert status["ignored"] == [{"ruling_id": ignored, "says": "faceset_003 is ignored", "swallowed": 0}]
    assert "1 ruling waits to be applied; `facesets rulings apply` does it" in facesets("status")


def test_what_an_ignore_has_swallowed_is_counted_and_listed(home: FakeHome) -> None:
    ignored = as_json("rule", "ignore", "faceset_003")["rulings"][0]["ruling_id"]
    write_looks(home.buckets / "d", 9, [-0.5, 0.2])
    home.run("d")
    (row,) = as_json("status")["rulings"]["ignored"]
    assert row["swallowed"] == 2
    assert "faceset_003 is ignored: 2 later faces too; `facesets rulings show" in facesets("status")
    decided = as_json("rulings", "show", ignored)["decided"]
    late = [one for one in decided if one["distance"] is not None]
    assert {one["photo"] for one in late} == {"d/p09_-0.500.png", "d/p09_+0.200.png"}
    assert len(decided) == 9


def test_an_approval_counts_what_joins_later(home: FakeHome) -> None:
    facesets("rule", "approve", "faceset_001")
    write_looks(home.buckets / "d", 1, [-0.3, 0.2])
    home.run("d")
    assert "faceset_001 is right as it stands, 2 new since (approve by " in facesets("show", "faceset_001")


def test_the_pages_tell_which_ruling_decided(home: FakeHome) -> None:
    given = as_json("rule", "assign", "c/stranger.png", "faceset_001")["rulings"][0]["ruling_id"]
    apart = as_json("rule", "different", "faceset_001", "faceset_002")["rulings"][0]["ruling_id"]
    folder = home.library.folder / "faceset_001"
    page = faceset_page(folder, home.library, home.settings.reports_dir, PhotoLinks({}, None))
    assert page is not None
    assert f"ruling {given}" in page
    assert "1 face belongs to faceset_001" in page
    assert f"put here by ruling {given}" in page
    assert rejections(home.library)[frozenset({"faceset_001", "faceset_002"})].ruling_id == apart


def test_rulings_move_to_another_home_as_a_file(
    home: FakeHome, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = as_json("rule", "ignore", "faceset_003", "--reason", "unknown")["rulings"][0]["ruling_id"]
    facesets("rule", "same", "faceset_001", "faceset_002")
    facesets("rule", "name", "faceset_001", "Änne")
    facesets("rulings", "undo", gone)
    after, file = state_of(home), tmp_path / "rulings.jsonl"
    assert facesets("rulings", "export", str(file)) == f"3 rulings written to {file}\n"
    assert "exists. Name a new file" in facesets("rulings", "export", str(file), code=1)
    known = as_json("rulings", "import", str(file), "--dry-run")
    assert (next(one["ruling_id"] for one in known["known"]), known["new"], known["refused"]) == (gone, [], [])
    before = all_rulings(home.library.registry)
    with fake_home_in(tmp_path_factory.mktemp("other")) as other:
        other.begin(filled)
        use(other, monkeypatch)
        assert "Add --yes where nobody can be asked." in facesets("rulings", "import", str(file), code=1)
        told = CliRunner().invoke(app, ["rulings", "import", str(file), "--yes"])
        assert told.exit_code == 0, told.output
        assert "3 new, 0 known, 0 refused" in told.stderr
        assert "  faceset_002: merged into faceset_001; the name leads there" in told.stdout
        assert state_of(other) == after
        again = all_rulings(other.library.registry)
        for one, copy in zip(before, again, strict=True):
            assert as_line(one) == as_line(copy)
        assert other.flaws() == []


def test_an_import_takes_over_what_does_not_contradict_and_says_what_does(home: FakeHome, tmp_path: Path) -> None:
    file = tmp_path / "rulings.jsonl"
    first = as_json("rule", "same", "faceset_001", "faceset_002")["rulings"][0]["ruling_id"]
    facesets("rule", "name", "faceset_003", "Cy")
    facesets("rulings", "export", str(file))
    facesets("rulings", "undo", first)
    facesets("rule", "different", "faceset_001", "faceset_002")
    lines = [line.replace(first, "0" + first[1:-1] + "0") for line in file.read_text().splitlines()]
    file.write_text("\n".join(lines))
    told = CliRunner().invoke(app, ["rulings", "import", str(file), "--yes", "--json"])
    found = json.loads(told.stdout)
    assert told.exit_code == 1
    assert ([len(found[key]) for key in ("new", "known", "refused")], found["run_id"]) == ([0, 1, 1], None)
    assert "These rulings contradict each other" in found["refused"][0]["why"]
    assert len(as_json("rulings")["rulings"]) == 3


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("nothing", "line 2: no ruling (Expecting value"),
        ('{"schema_version": 9}', "line 2: no ruling (its schema_version is 9"),
        ('{"schema_version": 1, "faces": []}', "line 2: no ruling ("),
    ],
)
def test_a_file_that_is_none_is_refused_with_the_line(home: FakeHome, tmp_path: Path, line: str, why: str) -> None:
    file = tmp_path / "rulings.jsonl"
    facesets("rule", "approve", "faceset_001", "--later")
    facesets("rulings", "export", str(file))
    file.write_text(f"{file.read_text()}{line}\n")
    found = facesets("rulings", "import", str(file), code=1)
    assert why in found
    assert found.endswith("Nothing was changed.")
    assert "cannot be read" in facesets("rulings", "import", str(tmp_path / "absent"), code=1)
