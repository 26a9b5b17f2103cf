"""A home of real photos gets another real pack: rulings of many kinds hold, what does not is listed."""

import json
import random
from pathlib import Path

import pytest

from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.library.verification import verify_library
from facesets_dagster.publishing.rulings.planner import changes_now
from facesets_dagster.publishing.rulings.requests import Requests
from facesets_dagster.publishing.rulings.subjects import Subjects
from facesets_dagster.publishing.rulings.writing import Author, enter
from facesets_dagster.registry.rulings import all_rulings
from facesets_dagster.resources.home import HomeResource
from testing.homes import RealHome, files_below, link_photos

PEOPLE, PHOTOS = 16, 6


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_rulings_on_real_photos_hold_from_buffalo_sc_to_embedded(
    shared: Path, embedded_models_root: Path, tmp_path: Path
) -> None:
    home = RealHome(tmp_path / "home", str(shared / "models" / "buffalo_sc"), embedded_models_root)
    for place, folder in enumerate(_people(shared)):
        photos = dict(list(files_below(folder.parent, folder.name).items())[:PHOTOS])
        link_photos(home.folder / "buckets" / f"bucket {place % 2}", photos)
    home.facesets("run")
    drawn = _draw(home)
    home.facesets("rulings", "apply")
    before = _members(home)
    said = home.facesets("reembed", "embedded", "--json")
    done = json.loads(said[said.index("{") :])["libraries"][0]  # progress comes first, on standard error
    new = RealHome(home.folder, "embedded", embedded_models_root)
    asleep = {one["ruling_id"] for one in done["dormant"]}
    states = {one.ruling_id: one.state for one in all_rulings(new.library.registry)}
    assert {one for one in drawn if states[one] != "in_force"} == asleep, "nothing is forgotten"
    assert len(asleep) <= len(drawn) / 10
    left = {(one["bucket"], one["face_id"][:16]) for one in done["members_left_behind"]}
    _check(new, before, left)
    new.facesets("run")
    _check(new, before, left, grown=True)


def _people(shared: Path) -> list[Path]:
    folders = [path for path in sorted((shared / "data" / "labelled").iterdir()) if path.is_dir()]
    return [path for path in folders if len(files_below(path.parent, path.name)) >= PHOTOS][:PEOPLE]


def _draw(home: RealHome) -> list[str]:
    """Names for all, and some rulings of most kinds."""
    library, pack, dice = home.library, home.model(), random.Random(18)
    of = Requests(Subjects(library, HomeResource.of(home.settings).store_of(pack)), Author("tester", "cli"), 0.5)
    people = sorted(one.name for one in library.registry.identities() if one.live)
    assert len(people) >= PEOPLE / 2
    members = library.registry.members(people)
    drawn: list[Ruling] = [of.name(name, f"Person {name}") for name in people]
    drawn += [of.different(*dice.sample(people[1:], 2)) for _ in range(5)]
    drawn += [of.not_person({dice.choice(sorted(members[name])): None}, name) for name in people[1:4]]
    drawn += [of.feature(dice.choice(sorted(members[name])), name, lead=False) for name in people[4:7]]
    drawn += [of.approve(name) for name in people[5:7]]
    drawn.append(of.ignore(people[0]))
    return [one.ruling_id for one in enter(library, drawn)]


def _members(home: RealHome) -> dict[str, set[tuple[str, str]]]:
    alive = {one.name for one in home.library.registry.identities() if one.live}
    found: dict[str, set[tuple[str, str]]] = {name: set() for name in alive}
    for name, bucket, face_id, _ in home.library.registry.memberships().iter_rows():
        if name in alive:
            found[name].add((bucket, face_id[:16]))
    return found


def _check(
    home: RealHome, before: dict[str, set[tuple[str, str]]], left: set[tuple[str, str]], *, grown: bool = False
) -> None:
    """The people of before and their photos, but for what was left behind; after runs others may have joined."""
    now = _members(home)
    for name, photos in before.items():
        assert photos - left <= now[name], name
        assert grown or now[name] <= photos, name
    assert {one.label for one in home.library.registry.identities() if one.live and one.name in before} == {
        f"Person {name}" for name in before
    }
    assert changes_now(home.library).are_none()
    assert verify_library(home.library) == []
