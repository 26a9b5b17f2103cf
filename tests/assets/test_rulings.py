"""Every kind of ruling in a real home: what it makes true, what later runs do with it, and the way back."""

import json
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from facesets_dagster.errors import RulingRefused
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.publishing.rulings.planner import changes_now
from facesets_dagster.publishing.rulings.requests import Requests
from facesets_dagster.publishing.rulings.writing import enter, would_be_in_force
from facesets_dagster.registry.rulings import rulings_of
from facesets_dagster.registry.tables import ruling_faces
from testing.fake_home import FakeHome
from testing.fakes import FakeFace, write_looks, write_photo
from testing.merges import graves, live, manifest, rows, visible
from testing.rulings import decide, faces_of, obey, requests, state_of_face, three_people, undo_ruling

pytestmark = pytest.mark.both_databases

ONE, TWO, THREE, FOUR = (f"faceset_{number:03d}" for number in (1, 2, 3, 4))


@pytest.fixture
def home(fake_home: FakeHome) -> FakeHome:
    three_people(fake_home)
    assert live(fake_home) == [ONE, TWO, THREE]
    return fake_home


def split_one(home: FakeHome) -> Callable[[Requests], Ruling]:
    first, *_, last = faces_of(home, ONE)
    return lambda ask: ask.split(ONE, [{first: None}, {last: None}])


KINDS: dict[str, Callable[[FakeHome], Callable[[Requests], Ruling]]] = {
    "name": lambda home: lambda ask: ask.name(ONE, "Anna"),
    "not_person": lambda home: lambda ask: ask.not_person({faces_of(home, ONE)[0]: None}, ONE),
    "assign": lambda home: lambda ask: ask.assign({faces_of(home, ONE)[0]: None}, TWO),
    "split": split_one,
    "ignore": lambda home: lambda ask: ask.ignore(TWO),
    "ignore a face": lambda home: lambda ask: ask.ignore_faces({faces_of(home, TWO)[1]: None}, are_faces=True),
    "not_a_face": lambda home: lambda ask: ask.ignore_faces({faces_of(home, TWO)[1]: None}, are_faces=False),
    "feature": lambda home: lambda ask: ask.feature(faces_of(home, ONE)[-1], ONE, lead=True),
    "approve": lambda home: lambda ask: ask.approve(ONE),
    "different": lambda home: lambda ask: ask.different(ONE, TWO),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_ruling_taken_back_leaves_every_byte_and_row_as_it_was(home: FakeHome, kind: str) -> None:
    files, table = visible(home), rows(home)
    ruling_id = decide(home, KINDS[kind](home))
    assert visible(home) == files  # deciding changes nothing yet
    obey(home)
    assert home.flaws() == []
    once = visible(home)
    obey(home)
    assert visible(home) == once
    undo_ruling(home, ruling_id)
    assert home.flaws() == []
    if kind != "split":  # whose new name stays on record as a tombstone
        assert visible(home) == files
    after = rows(home)
    for name in ("identities", "members", "tombstones", "ruled_identities", "unruled_members"):
        after_split = kind == "split" and name in ("identities", "tombstones", "ruled_identities")
        assert after_split or after[name] == table[name], name


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_else_changes_by_one_byte(home: FakeHome, kind: str) -> None:
    files = visible(home)
    decide(home, KINDS[kind](home))
    obey(home)
    named = {"assign": (ONE, TWO), "ignore": (TWO,), "ignore a face": (TWO,), "not_a_face": (TWO,)}.get(kind, (ONE,))
    others = [name for name in (ONE, TWO, THREE) if name not in named]
    for name in others:
        mine = {path: data for path, data in files.items() if path.startswith(f"{name}/")}
        assert mine == {path: data for path, data in visible(home).items() if path.startswith(f"{name}/")}


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_of_the_bucket_with_the_same_numbers_or_others_keeps_what_was_decided(home: FakeHome, kind: str) -> None:
    decide(home, KINDS[kind](home))
    obey(home)
    members = home.library.registry.members()
    for numbers in ({"min_faces": 3}, {"min_faces": 3, "outlier_min_size": 5}, {"min_faces": 3}):
        home.run("a", osrc_clusters=numbers)
        assert home.flaws() == []
        now = home.library.registry.members()
        assert {name: sorted(faces) for name, faces in now.items()} == {
            name: sorted(faces) for name, faces in members.items()
        }


def test_a_face_that_is_not_this_person_never_comes_back_to_it(home: FakeHome) -> None:
    face = faces_of(home, ONE)[0]
    ruling_id = decide(home, lambda ask: ask.not_person({face: None}, ONE))
    obey(home)
    assert state_of_face(home, face) == ("ruled_out", ONE, ruling_id)
    assert face not in faces_of(home, ONE)
    home.run("a", osrc_clusters={"min_faces": 3})
    assert face not in faces_of(home, ONE)
    assert state_of_face(home, face)[0] == "small_cluster"


def test_an_assigned_face_is_the_persons_and_no_longer_the_others(home: FakeHome) -> None:
    face = faces_of(home, ONE)[0]
    ruling_id = decide(home, lambda ask: ask.assign({face: None}, TWO))
    obey(home)
    assert face in faces_of(home, TWO)
    assert face not in faces_of(home, ONE)
    assert home.library.registry.members([TWO])[TWO][face] == f"ruled:{ruling_id}"


def test_a_face_that_is_about_to_leave_does_not_stand_for_who_has_it(home: FakeHome) -> None:
    face = faces_of(home, THREE)[0]
    decide(home, lambda ask: ask.assign({face: None}, ONE))
    ignored = decide(home, lambda ask: ask.ignore(THREE))
    spoken_of = {one.face_id for one in rulings_of(home.library.registry, [ignored])[ignored].faces}
    assert spoken_of == {*faces_of(home, THREE)} - {face}
    obey(home)
    assert face in faces_of(home, ONE)


def test_a_face_that_was_assigned_to_somebody_who_is_ignored_stays_ignored(home: FakeHome) -> None:
    face = faces_of(home, ONE)[0]
    decide(home, lambda ask: ask.assign({face: None}, THREE))
    obey(home)
    decide(home, lambda ask: ask.ignore(THREE))
    obey(home)
    home.run("a", osrc_clusters={"min_faces": 3, "outlier_min_size": 5})
    assert state_of_face(home, face)[0] == "ignored"
    assert face not in faces_of(home, ONE)


def test_a_split_divides_by_examples_and_the_new_one_grows_by_itself(home: FakeHome) -> None:
    ruling_id = decide(home, split_one(home))
    obey(home)
    assert live(home) == [ONE, TWO, THREE, FOUR]
    assert len(faces_of(home, ONE)) + len(faces_of(home, FOUR)) == 5
    assert len(faces_of(home, ONE)) >= len(faces_of(home, FOUR)) >= 1
    undo_ruling(home, ruling_id)
    assert graves(home) == {FOUR: None}
    assert len(faces_of(home, ONE)) == 5


def test_an_ignored_stranger_stays_ignored_when_new_photos_come(home: FakeHome) -> None:
    ruling_id = decide(home, lambda ask: ask.ignore(TWO))
    obey(home)
    assert live(home) == [ONE, THREE]
    assert graves(home) == {TWO: None}
    before = set(home.library.registry.decisions("a")["face_id"])
    write_looks(home.buckets / "b", 2, [-0.7, -0.2, 0.2])
    home.run("b", osrc_clusters={"min_faces": 3})
    assert live(home) == [ONE, THREE]
    states = home.library.registry.decisions("b")
    assert states["state"].to_list() == ["ignored"] * 3
    assert states["ruling"].to_list() == [ruling_id] * 3
    home.run("a", osrc_clusters={"min_faces": 3})
    assert set(home.library.registry.decisions("a")["face_id"]) == before
    assert live(home) == [ONE, THREE]
    undo_ruling(home, ruling_id)
    assert live(home) == [ONE, TWO, THREE]
    home.run("b", osrc_clusters={"min_faces": 3})
    assert len(faces_of(home, TWO)) == 7  # what the ruling had swallowed joins


def test_somebody_who_was_approved_can_be_ignored_but_not_the_other_way_round(home: FakeHome) -> None:
    decide(home, lambda ask: ask.approve(TWO))
    approval = requests(home).approve(THREE)
    would_be_in_force(home.library, [requests(home).ignore(TWO)])  # the preview says the same
    decide(home, lambda ask: ask.ignore(TWO))
    decide(home, lambda ask: ask.ignore(THREE))
    with pytest.raises(RulingRefused, match=f"{THREE} is ignored"):
        enter(home.library, [approval])
    with pytest.raises(RulingRefused, match=f"{THREE} is ignored"):
        would_be_in_force(home.library, [approval])
    obey(home)
    assert live(home) == [ONE]


def test_a_contradiction_is_refused_with_the_chain(home: FakeHome) -> None:
    decide(home, lambda ask: ask.different(ONE, TWO))
    first, second = faces_of(home, ONE)[0], faces_of(home, TWO)[0]
    decide(home, lambda ask: ask.assign({first: None}, ONE))
    decide(home, lambda ask: ask.assign({second: None}, TWO))
    before = rows(home)
    with pytest.raises(RulingRefused, match="faceset_001 and faceset_002 are two people") as refused:
        decide(home, lambda ask: ask.same({first: None}, {second: None}))
    assert len(refused.value.rulings) == 4
    assert rows(home) == before


def test_a_featured_face_leads_the_export(home: FakeHome) -> None:
    last = manifest(home, ONE)["faces"][-1]["face_id"]
    assert "feature" not in manifest(home, ONE)
    decide(home, lambda ask: ask.feature(last, ONE, lead=True))
    obey(home)
    assert manifest(home, ONE)["faces"][0]["face_id"] == last
    assert manifest(home, ONE)["feature"] == "faces/0001.png"


def test_a_number_that_is_set_is_the_homes_default(home: FakeHome) -> None:
    pack = home.embedder.pack()
    ruling_id = decide(home, lambda ask: ask.threshold(pack.model_id, "cluster_distance", 0.5, 0.61, {}))
    obey(home)
    path = home.settings.calibration_file.with_name("ruled_numbers.json")
    found = json.loads(path.read_text()) if path.exists() else {}
    assert found.get("numbers", {"cluster_distance": 0.61}) == {"cluster_distance": 0.61}
    undo_ruling(home, ruling_id)
    assert not path.exists()


def test_faces_of_which_an_older_release_kept_only_the_name_are_completed(home: FakeHome) -> None:
    ruling_id = decide(home, lambda ask: ask.different(ONE, TWO))
    table, whole = ruling_faces, rulings_of(home.library.registry, [ruling_id])[ruling_id]
    bare = {"x1": 0, "y1": 0, "x2": 0, "y2": 0, "photo_width": 0, "photo_height": 0, "embedding": None}
    with home.library.registry.engine.begin() as connection:
        connection.execute(sa.update(table).values(**bare, photo_sha256=sa.func.substr(table.c.photo_sha256, 1, 16)))
    obey(home)
    now = rulings_of(home.library.registry, [ruling_id])[ruling_id]
    for face, before in zip(now.faces, whole.faces, strict=True):
        assert (face.photo_sha256, face.bbox, face.role) == (before.photo_sha256, before.bbox, before.role)
        assert face.embedding is not None
        assert face.embedding.tolist() == before.embedding.tolist()  # type: ignore[union-attr]


def test_somebody_of_whom_nothing_can_be_exported_is_news_once(fake_home: FakeHome) -> None:
    large, small = {"size": 160}, {"size": 95}  # the gates of clusters and exports lie between, at 90 and 100
    for look, size in ((-0.9, large), (-0.45, large), (0.0, small), (0.45, small)):
        write_photo(fake_home.buckets / "a" / f"{look:+.2f}.png", [FakeFace(1, look, **size)], seed=round(9 * look) + 9)
    write_looks(fake_home.buckets / "a", 2, [-0.9, -0.45, 0.0])
    fake_home.run("a", osrc_clusters={"min_faces": 3}, swap_ready_facesets={"fill_to": 0})
    files = visible(fake_home)
    one = next(name for name in live(fake_home) if len(faces_of(fake_home, name)) == 4)
    rows = fake_home.library.registry.members([one])[one]
    exported = fake_home.library.published_faces([one])
    assert len(exported) == 2
    gone = decide(fake_home, lambda ask: ask.not_person(dict.fromkeys(face for face in rows if face in exported), one))
    obey(fake_home)
    assert graves(fake_home) == {one: None}
    generation = fake_home.library.registry.generation()
    assert (changes_now(fake_home.library).are_none(), fake_home.flaws()) == (True, [])
    obey(fake_home)
    assert fake_home.library.registry.generation() == generation
    decide(fake_home, lambda ask: ask.name(next(iter(live(fake_home))), "Berta"))
    obey(fake_home)
    assert graves(fake_home) == {one: None}
    undo_ruling(fake_home, gone)
    assert fake_home.flaws() == []
    mine = {path: data for path, data in visible(fake_home).items() if path.startswith(f"{one}/")}
    assert mine == {path: data for path, data in files.items() if path.startswith(f"{one}/")}
