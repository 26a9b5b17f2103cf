"""Whatever is materialized, in whatever order and how often: the library stays sound and names keep their people."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from facesets_dagster.automation.sensors import failure_in_words
from facesets_dagster.definitions import ASSETS
from testing.fake_home import FakeHome, fake_home_in
from testing.fakes import FakeFace, write_looks, write_photo
from testing.legacy_generator import Shape, write_legacy

BUCKETS = ("a", "b [2]")
PEOPLE = range(1, 7)
CONFIG: dict[str, dict[str, object]] = {
    "osrc_clusters": {"min_faces": 3},
    "refined_library": {"min_faces": 3},
    "era_facesets": {"split": ["*"], "min_era_faces": 2},
}
EXPECTED_REFUSALS = (
    "numbers already",  # refine on a library that has numbers
    "no face to refine",
    "Materialize that asset",
    "Materialize face_cache",  # a table that nobody has made yet
    "no home to keep the numbers in",  # pack_calibration: a fake home's numbers are fixed
    "do not belong together",  # tables of two states of the library
    "consumer_simulation: mean_matches_faceset",  # one person sorted by hand and discovered: two facesets, one centroid
)


def step_names() -> list[str]:
    assets = [asset for asset in ASSETS if isinstance(asset, dg.AssetsDefinition) and asset.is_executable]
    return sorted(asset.key.to_user_string() for asset in assets)


PARTITIONED = {
    asset.key.to_user_string()
    for asset in ASSETS
    if isinstance(asset, dg.AssetsDefinition) and asset.partitions_def is not None
}


def add_photos(home: FakeHome, rng: random.Random) -> None:
    """Somebody puts photos into a bucket or into a hand-sorted folder: portraits, or two people together."""
    folder = rng.choice(
        [*(home.buckets / bucket for bucket in ("a", "b [2]")), home.people / "Anna", home.people / "Bo"]
    )
    person = rng.choice(PEOPLE) if folder.parent == home.buckets else 1 + (folder.name == "Bo")
    looks = [round(rng.uniform(-0.9, 0.9), 3) for _ in range(rng.randint(2, 5))]
    year = folder / f"{rng.choice([1999, 2008, 2016])}"
    write_looks(year, person, looks)
    if folder.parent == home.buckets and rng.random() < 0.3:
        other = rng.choice([one for one in PEOPLE if one != person])
        faces = [FakeFace(person, looks[0], x=20), FakeFace(other, looks[1], x=300)]
        write_photo(year / f"both{rng.randrange(1000)}.png", faces, seed=rng.randrange(1000))


def move_photos(home: FakeHome, rng: random.Random) -> None:
    """Somebody copies, moves or removes some photos of a bucket or a hand-sorted folder."""
    places = sorted(path for root in (home.buckets, home.people) for path in root.iterdir())
    source, target = rng.choice(places), rng.choice([*places, home.people / "Eve"])
    photos = sorted(source.rglob("*.png"))
    for photo in rng.sample(photos, min(len(photos), rng.randint(1, 3))):
        what = rng.choice(["copy", "move", "remove"])
        if what != "remove":
            target.mkdir(exist_ok=True)
            shutil.copy(photo, target / f"{what} {photo.name}")
        if what != "copy":
            photo.unlink()


def play(home: FakeHome, rng: random.Random, steps: int) -> list[str]:
    """Draws and does `steps` things; asserts after each one."""
    keys = {"a": "a", "b [2]": "b %5B2%5D"}
    told: list[str] = []
    names: dict[str, tuple[int, str]] = {}
    for bucket in BUCKETS:
        for person in PEOPLE[:3]:
            write_looks(home.buckets / bucket / "2008", person, [round(rng.uniform(-0.9, 0.9), 3) for _ in range(4)])
    for _ in range(steps):
        if rng.random() < 0.25:
            add_photos(home, rng)
        if rng.random() < 0.25:
            move_photos(home, rng)
        told.append(one_step(home, rng, keys[rng.choice(BUCKETS)]))
        flaws = home.flaws()
        assert flaws == [], told
        now = {i.name: (i.number, i.kind.replace("thin_era", "era")) for i in home.library.registry.identities()}
        assert all(now.get(name) == known for name, known in names.items()), told
        names = now
    return told


def one_step(home: FakeHome, rng: random.Random, bucket: str) -> str:
    name = rng.choice([*step_names(), "discover_identities", "full_pipeline", "full_pipeline"])
    times = rng.choice([1, 1, 2])
    do: Callable[[], dg.ExecuteInProcessResult]
    if name in ("discover_identities", "full_pipeline"):
        ops = {key: value for key, value in CONFIG.items() if key in ("osrc_clusters",) or name == "full_pipeline"}
        ops.pop("refined_library", None)

        def do() -> dg.ExecuteInProcessResult:
            return home.run(bucket, job=name, raise_on_error=False, **ops)
    else:
        ops = {name: CONFIG[name]} if name in CONFIG else {}
        partition = bucket if name in PARTITIONED else None

        def do() -> dg.ExecuteInProcessResult:
            return home.materialize(name, bucket=partition, raise_on_error=False, **ops)

    for _ in range(times):
        before = home.files()
        result = do()
        failures = [failure_in_words(event) for event in result.all_events if event.is_step_failure]
        for text in failures:
            assert any(words in text for words in EXPECTED_REFUSALS), f"{name} {bucket}: {text}"
        if failures and name not in ("discover_identities", "full_pipeline"):
            assert home.files() == before, name
    return f"{name} {bucket} x{times}{' refused' if failures else ''}"


def with_legacy(home: FakeHome, folder: Path, seed: int) -> None:
    """Every second home has a legacy library beside it."""
    if seed % 2:
        legacy = write_legacy(folder / "legacy", Shape())
        home.settings = home.settings.model_copy(update={"legacy_roots": (legacy.root,)})


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_drawn_order_leaves_a_sound_library(tmp_path: Path, seed: int) -> None:
    with fake_home_in(tmp_path) as home:
        with_legacy(home, tmp_path, seed)
        told = play(home, random.Random(seed), 10)
        assert home.run("a", job="full_pipeline", osrc_clusters=CONFIG["osrc_clusters"]).success
        assert home.library.registry.used_numbers(), told
        assert home.flaws() == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 130))
def test_many_drawn_orders_leave_a_sound_library(tmp_path: Path, seed: int) -> None:
    with fake_home_in(tmp_path) as home:
        with_legacy(home, tmp_path, seed)
        told = play(home, random.Random(seed), 16)
        assert len(told) == 16
