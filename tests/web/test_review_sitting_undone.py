"""A sitting by keys alone, published and taken back: the library is the first one again, byte for byte."""

import json
import random
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from testing.dev_server import dev_server
from testing.fake_home import FakeHome, fake_home_in
from testing.forked import ForkedHome
from testing.queue_home import home_with_cards
from testing.review_keys import Keyboard
from testing.review_session import Sitting
from testing.rulings import obey_apart
from testing.served_files import served_review

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FEW, MANY = 8, 50
_OF_RUNS = frozenset({"run_id", "runs", "created_at", "updated_at", "written_at", "published_at", "generation"})
"""Keys of manifests that say which run wrote them, and when."""


def library_of(root: Path) -> dict[str, Any]:
    """Path -> bytes of every file of the library, of manifests all but runs and dates.

    Left out are the archive, what recovery needs (all rulings, undone ones too), and tombstones of names that splits
    took for a while.
    """
    found: dict[str, Any] = {}
    for path in sorted(root.rglob("*")):
        place = path.relative_to(root)
        if path.is_file() and place.parts[0] not in ("_retired", "_registry") and not path.name.startswith(".lock"):
            data = path.read_bytes()
            found[str(place)] = _without_runs(json.loads(data)) if path.suffix == ".json" else data
    return found


def _without_runs(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {key: _without_runs(one) for key, one in value.items() if key not in _OF_RUNS}
        if "tombstones" in kept:  # numbers that splits took are never given again
            kept["tombstones"] = [one for one in kept["tombstones"] if one["reason"] != "undone"]
        return kept
    return [_without_runs(one) for one in value] if isinstance(value, list) else value


def different(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Paths of files that only one has, or that differ."""
    return sorted(path for path in {*one, *other} if one.get(path) != other.get(path))


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeHome]:
    """Filled before the browser is there."""
    with fake_home_in(tmp_path_factory.mktemp("sitting")) as home:
        home_with_cards(home)
        yield home


@pytest.mark.timeout(300)
def test_a_short_sitting_by_keys_is_undone_in_any_order(begun: FakeHome, chromium: "Browser") -> None:
    root = begun.settings.library_dir
    first = library_of(root)
    with served_review(begun.settings) as address:
        page, elsewhere = chromium.new_context(locale="en-GB").new_page(), list[str]()
        own = (f"{address}/", "blob:", "data:")
        page.on("request", lambda one: None if one.url.startswith(own) else elsewhere.append(one.url))
        page.goto(f"{address}/review/people")
        sitting = Sitting(Keyboard(page), address, random.Random(1))
        sitting.rule(FEW)
        obey_apart(begun)
        assert different(first, library_of(root)), "a run of the rulings changed the library"
        sitting.undo_any()
        obey_apart(begun)
        assert different(first, library_of(root)) == [], sitting.kinds
        page.context.close()
        assert elsewhere == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_fifty_rulings_by_keys_are_published_and_undone_in_any_order(
    sample: Path, embedded_models_root: Path, tmp_path: Path, chromium: "Browser"
) -> None:
    home = ForkedHome(tmp_path / "home", "embedded", embedded_models_root).made()
    shutil.copytree(sample, home.folder / "buckets", dirs_exist_ok=True)
    home.facesets("run")
    home.facesets("review")
    first = library_of(home.settings.library_dir)
    with dev_server(home, tmp_path / "dev.log") as address:
        page, elsewhere = chromium.new_context(locale="en-GB").new_page(), list[str]()
        own = (f"{address}/", "blob:", "data:")
        page.on("request", lambda one: None if one.url.startswith(own) else elsewhere.append(one.url))
        page.goto(f"{address}/review/people")
        for seed, undone in ((1, Sitting.undo_last), (2, Sitting.undo_any)):
            sitting = Sitting(Keyboard(page), address, random.Random(seed))
            sitting.rule(MANY)
            assert len(sitting.kinds) >= 9, sitting.kinds
            sitting.publish()
            assert different(first, library_of(home.settings.library_dir))
            home.facesets("verify")
            undone(sitting)
            sitting.publish()
            assert different(first, library_of(home.settings.library_dir)) == []
            home.facesets("verify")
            print(sitting.kinds, sitting.keys.inputs)
        page.context.close()
        assert elsewhere == []
