"""Two runs at one moment that both bring the library up to the rulings: it comes to what one of them would make."""

import shutil
from pathlib import Path

from facesets_dagster.library.library import Library
from facesets_dagster.library.verification import verify_library
from facesets_dagster.registry.registry import Registry
from facesets_dagster.registry.rulings import all_rulings, unpublished_rulings
from testing.fakes import write_person
from tests.crash.die_at import run_dying, start_dying
from tests.crash.snapshots import snapshot


def test_two_runs_that_write_and_publish_the_same_rulings_come_to_one_library(tmp_path: Path) -> None:
    home, alone = tmp_path / "home", tmp_path / "alone"
    for person, bucket in enumerate("abcde", start=1):
        write_person(home / "buckets" / bucket, person, 6)
        assert run_dying(home, "discover_identities", bucket, 0).returncode == 0
    shutil.copytree(home, alone)
    assert run_dying(alone, "decide", "-", 0).returncode == 0
    both = [start_dying(home, "decide", "-", 0) for _ in range(2)]
    said = [child.communicate()[0] for child in both]
    assert [child.wait() for child in both] == [0, 0], said
    assert snapshot(home / "facesets_swap_ready") == snapshot(alone / "facesets_swap_ready")
    registry = Registry(f"sqlite:///{home / 'registry.db'}")
    assert len(all_rulings(registry)) == 5
    assert unpublished_rulings(registry) == ()
    assert verify_library(Library(home / "facesets_swap_ready", registry, ())) == []
