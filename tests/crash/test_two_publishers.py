"""Two runs at one moment that both bring the library up to the rulings: it comes to what one of them would make."""

from pathlib import Path

import pytest

from facesets_dagster.library.verification import verify_library
from facesets_dagster.registry.rulings import all_rulings, unpublished_rulings
from testing.fakes import write_person
from tests.crash.die_at import run_dying, start_dying
from tests.crash.homes import begun, copied, library_of
from tests.crash.snapshots import snapshot


@pytest.mark.both_databases
def test_two_runs_that_write_and_publish_the_same_rulings_come_to_one_library(
    tmp_path: Path, database_url: str | None
) -> None:
    home, alone = begun(tmp_path / "home", database_url), tmp_path / "alone"
    for person, bucket in enumerate("abcde", start=1):
        write_person(home / "buckets" / bucket, person, 6)
        assert run_dying(home, "discover_identities", bucket, 0).returncode == 0
    copied(home, alone)
    assert run_dying(alone, "decide", "-", 0).returncode == 0
    both = [start_dying(home, "decide", "-", 0) for _ in range(2)]
    said = [child.communicate()[0] for child in both]
    assert [child.wait() for child in both] == [0, 0], said
    assert snapshot(home / "facesets_swap_ready") == snapshot(alone / "facesets_swap_ready")
    library = library_of(home)
    assert len(all_rulings(library.registry)) == 5
    assert unpublished_rulings(library.registry) == ()
    assert verify_library(library) == []
