"""What `consent.yaml` withholds leaves no exported byte, everybody else stays as they are, and taking a rule away gives
everything back.
"""

import hashlib
import json
from pathlib import Path

import dagster as dg
import pytest

from facesets_dagster.analysis.ruling_flaws import every_flaw
from facesets_dagster.automation.housekeeping import remove_old_retired
from facesets_dagster.export.consumers.owned_folder import policy_in, sources_in
from facesets_dagster.library.consent import policy_of
from facesets_dagster.library.faceset_manifest import read_faceset
from facesets_dagster.library.withheld import KEPT_WHOLE, centroid_in
from facesets_dagster.registry.registry import Registry
from testing.fake_home import FakeHome
from testing.fakes import FakeFace, write_looks, write_photo
from testing.rulings import decide, obey

ANNA, BERTA, CARL = "faceset_001", "faceset_002", "faceset_003"
LOOKS = [-0.9, -0.45, 0.0, 0.45, 0.9, 1.0]


def filled(home: FakeHome) -> None:
    """Anna and Berta in one bucket, Carl in another, in a folder each."""
    write_looks(home.buckets / "a" / "anna", 1, [*LOOKS, 0.2])
    write_looks(home.buckets / "a" / "berta", 5, [-0.9, -0.85, -0.45, -0.4, 0.0, 0.05])
    write_looks(home.buckets / "b" / "carl", 9, LOOKS)
    home.run("a")
    home.run("b")
    decide(home, lambda make: make.name(ANNA, "Anna"))
    obey(home)


@pytest.fixture
def home(fake_home: FakeHome) -> FakeHome:
    fake_home.begin(filled)
    write_photo(fake_home.settings.home / "asked" / "anna.png", [FakeFace(1, 0.0)], seed=77)
    return fake_home


def says(home: FakeHome, text: str) -> None:
    (home.settings.home / "consent.yaml").write_text(text, encoding="utf-8")


def files(folder: Path) -> dict[str, str]:
    """Relative path -> digest of what a user of the folder sees."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    hidden = ("_registry", "_retired", ".lock", ".lock.candidates")
    seen = (path for path in found if path.relative_to(folder).parts[0] not in hidden)
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in seen}


def exported_of(home: FakeHome, name: str) -> set[str]:
    """Digests of the pictures, archives and vectors of a face set."""
    manifest = read_faceset(home.settings.library_dir / name)
    assert manifest is not None
    kinds = (".png", ".fsz", ".npz")
    return {digest for file, digest in manifest.digests().items() if file.endswith(kinds)}


def all_bytes(home: FakeHome) -> set[str]:
    """Digests of every file of library and exports, candidates included."""
    return {*files(home.settings.library_dir).values(), *files(home.settings.exports_dir).values()}


def states(home: FakeHome, bucket: str, name: str) -> dict[str, int]:
    decisions = home.library.registry.decisions(bucket)
    return dict(decisions.filter(decisions["identity"] == name).group_by("state").len().iter_rows())


RULES = [
    "- person: anna",
    "- faceset: faceset_001",
    "- folder: a/anna",
    "- folder: A/Anna/*.png",
    "- photo: asked/anna.png",
]


@pytest.mark.parametrize("rule", [RULES[0], *(pytest.param(rule, marks=pytest.mark.slow) for rule in RULES[1:])])
def test_every_kind_of_rule_withholds_all_of_a_person_and_nobody_else_changes(home: FakeHome, rule: str) -> None:
    library = home.settings.library_dir
    before, hers, registry = files(library), exported_of(home, ANNA), _registry(home.library.registry)
    says(home, f"never:\n  {rule}\n    reason: she asked\n")
    home.run("b")  # any publication makes it true
    after = files(library)
    assert hers
    assert not hers & all_bytes(home)
    assert sorted(path for path in after if path.startswith(ANNA)) == [
        f"{ANNA}/{file}" for file in ("a.txt", "manifest.json", "members.parquet")
    ]
    for path, digest in before.items():
        if not path.startswith(ANNA) and path != "manifest.json":
            assert after[path] == digest, path
    assert _registry(home.library.registry) == registry, "who she is stays known"
    assert states(home, "a", ANNA)["withheld"] == len([file for file in before if file.startswith(f"{ANNA}/faces/")])
    assert every_flaw(home.library) == []
    manifest = json.loads((library / "manifest.json").read_text())
    policy = policy_of(library)
    assert policy is not None
    assert manifest["consent"] == policy.digest
    entry = next(entry for entry in manifest["facesets"] if entry["name"] == ANNA)
    assert (entry["exported"], entry["withheld"]) == (0, [rule.removeprefix("- ")])

    home.run("a")
    assert files(library) == after, "the next run of her own bucket has nothing to do"
    (home.settings.home / "consent.yaml").unlink()
    home.run("b")
    assert files(library) == before, "byte for byte as without the rule"
    assert not (library / KEPT_WHOLE).exists()
    assert "withheld" not in states(home, "a", ANNA)
    assert every_flaw(home.library) == []


def _registry(registry: Registry) -> object:
    """What is known of people, without their runs and digests."""
    people = [(one.name, one.number, one.kind, one.label, one.live) for one in registry.identities()]
    centroids = [one.centroid.tobytes() for one in registry.identities() if one.centroid is not None]
    return people, centroids, registry.memberships().sort("name", "face_id").rows()


def test_a_home_without_a_policy_is_as_before(home: FakeHome) -> None:
    before = files(home.settings.library_dir)
    home.run("a")
    home.materialize("top_manifest")
    assert files(home.settings.library_dir) == before
    assert "consent" not in json.loads((home.settings.library_dir / "manifest.json").read_text())


@pytest.mark.slow
def test_a_folder_withholds_its_faces_and_leaves_the_others_of_the_person(home: FakeHome) -> None:
    library = home.settings.library_dir
    manifest = read_faceset(library / ANNA)
    assert manifest is not None
    first = manifest.faces[0]
    says(home, f'never:\n- folder: "a/{first.source.path}"\n')
    home.run("a")
    now = read_faceset(library / ANNA)
    assert now is not None
    assert [face.face_id for face in now.faces] == [face.face_id for face in manifest.faces[1:]]
    assert [(one.face_id, one.value) for one in now.excluded if one.state == "withheld"] == [(first.face_id, 1.0)]
    assert first.sha256 not in all_bytes(home)
    assert every_flaw(home.library) == []
    anna = next(one for one in home.library.registry.identities() if one.name == ANNA)
    middle = centroid_in(now)
    assert middle is not None
    assert anna.centroid is not None
    assert middle.tobytes() == anna.centroid.tobytes()


@pytest.mark.slow
def test_a_person_who_is_withheld_goes_on_covering_and_growing(home: FakeHome) -> None:
    says(home, "never:\n- person: Anna\n")
    write_looks(home.buckets / "a" / "anna", 1, [0.7])
    write_looks(home.buckets / "c", 1, [-0.7, -0.2, 0.3])
    home.run("a")
    home.run("c", job="full_pipeline")
    names = [one.name for one in home.library.registry.identities() if one.live]
    assert names == [ANNA, BERTA, CARL], "she is not founded again"
    assert len(home.library.snapshot().places(ANNA)) > 6
    assert exported_of(home, ANNA) == set()
    assert every_flaw(home.library) == []


@pytest.mark.slow
def test_nothing_is_exported_that_nobody_approved(home: FakeHome) -> None:
    says(home, "export: approved\n")
    home.run("a")
    assert exported_of(home, ANNA) | exported_of(home, BERTA) | exported_of(home, CARL) == set()
    decide(home, lambda make: make.approve(BERTA))
    home.run("a")
    assert exported_of(home, BERTA)
    assert exported_of(home, ANNA) == set()
    write_looks(home.buckets / "a" / "berta", 5, [0.5])
    home.run("a")
    berta = read_faceset(home.settings.library_dir / BERTA)
    assert berta is not None
    assert berta.faces
    assert {"withheld"} <= {one.state for one in berta.excluded}, "what came since waits for an approval"
    assert every_flaw(home.library) == []


@pytest.mark.slow
def test_a_new_person_is_withheld_from_the_first_run(home: FakeHome) -> None:
    write_photo(home.settings.home / "asked" / "dora.png", [FakeFace(13, 0.1)], seed=5)
    says(home, "never:\n- photo: asked/dora.png\n- faceset: faceset_005\n")
    write_looks(home.buckets / "d", 13, [*LOOKS, 0.2])
    write_looks(home.buckets / "d", 15, LOOKS)
    home.run("d")
    for name in ("faceset_004", "faceset_005"):
        assert exported_of(home, name) == set()
        assert not list((home.settings.library_dir / name).glob("*.fsz"))
    assert every_flaw(home.library) == []


@pytest.mark.slow
def test_exports_for_other_programs_obey_before_the_library_does(home: FakeHome) -> None:
    home.materialize("consumer_exports", consumer_exports={"consumers": ["facefusion"]})
    folder = home.settings.exports_dir / "facefusion"
    assert set(sources_in(folder)) == {ANNA, BERTA, CARL}
    hers, others = exported_of(home, ANNA), {p: d for p, d in files(folder).items() if ANNA not in p and p[0] != "."}
    says(home, "never:\n- person: Anna\n")
    found = home.materialize("consumer_exports", consumer_exports={"consumers": ["facefusion"], "facesets": [BERTA]})
    assert found.success
    assert set(sources_in(folder)) == {BERTA, CARL}
    assert not hers & set(files(folder).values())
    assert {p: d for p, d in files(folder).items() if p[0] != "."} == others
    policy = policy_of(home.settings.library_dir)
    assert policy is not None
    assert policy_in(folder) == policy.digest


@pytest.mark.slow
def test_candidates_of_somebody_who_is_withheld_are_not_offered(home: FakeHome) -> None:
    write_looks(home.buckets / "e", 11, [0.0, 0.4])
    write_looks(home.buckets / "f", 11, [-0.4, 0.8])
    home.run("e")
    home.run("f")
    config = {"min_promise": 2}
    home.materialize("candidate_faces", candidate_faces=config)
    candidates = home.settings.library_dir / "_candidates"
    assert list(candidates.rglob("*.png"))
    write_photo(home.settings.home / "asked" / "eve.png", [FakeFace(11, 0.2)], seed=6)
    for policy in ("never:\n- photo: asked/eve.png\n", "never:\n- folder: e\n- folder: f\n", "export: approved\n"):
        says(home, policy)
        home.materialize("candidate_faces", candidate_faces=config)
        assert not list(candidates.rglob("*.png")), policy


@pytest.mark.slow
def test_housekeeping_takes_the_kept_pictures_and_the_rule_can_still_go(home: FakeHome) -> None:
    library = home.settings.library_dir
    before = files(library)
    says(home, "never:\n- person: Anna\n")
    home.run("a")
    assert (library / KEPT_WHOLE / ANNA).is_dir()
    assert remove_old_retired(home.library, 1e-9, "test") == [ANNA]
    (home.settings.home / "consent.yaml").unlink()
    home.run("a")
    after = files(library)
    dated = {f"{ANNA}/a.txt", f"{ANNA}/manifest.json", "manifest.json"}
    assert {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)} <= dated
    assert every_flaw(home.library) == []


def test_a_policy_that_cannot_be_used_stops_everything_before_a_byte_is_written(home: FakeHome) -> None:
    write_photo(home.settings.home / "asked" / "two.png", [FakeFace(1, 0, x=20), FakeFace(5, 0, x=300)])
    write_photo(home.settings.home / "asked" / "none.png", [])
    write_looks(home.buckets / "g", 16, LOOKS)
    before, generation = files(home.settings.library_dir), home.library.registry.generation()
    for asset, rule, said in (
        ("consumer_exports", "persn: Anna", "line 2: `persn` is no key of an entry of `never`"),
        ("top_manifest", "photo: asked/nobody.png", "line 2: `photo`"),
        ("candidate_faces", "photo: asked/two.png", "shows 2 faces, expected one"),
        ("consumer_exports", "photo: asked/none.png", "shows no face, expected one"),
    ):
        says(home, f"never:\n- {rule}\n")
        assert said in why(home.materialize(asset, raise_on_error=False))
    assert said in why(home.run("g", raise_on_error=False))
    assert files(home.settings.library_dir) == before
    assert home.library.registry.generation() == generation


def why(run: dg.ExecuteInProcessResult) -> str:
    """What a failed run says."""
    assert not run.success
    return "".join(str(event.event_specific_data) for event in run.all_events if event.is_step_failure)


@pytest.mark.slow
def test_the_check_lists_what_is_withheld_and_rules_that_mean_nobody(home: FakeHome) -> None:
    says(home, "never:\n- person: Anna\n- person: Nobody\n- folder: nowhere\n")
    late = home.materialize("top_manifest").get_asset_check_evaluations()[0]
    assert not late.passed
    assert "1 faceset not withheld yet" in str(late.description)
    home.run("a")
    home.materialize("top_manifest")
    says(home, "never:\n- person: Anna\n")
    home.run("a")
    good = home.materialize("top_manifest").get_asset_check_evaluations()[0]
    assert good.passed
    assert good.metadata["withheld"].value == {ANNA: "person: Anna"}
