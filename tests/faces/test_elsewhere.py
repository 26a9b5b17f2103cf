"""What other buckets hold is read once for each state of theirs, however many buckets there are."""

from hashlib import sha256
from pathlib import Path

import polars as pl
import pytest

from facesets_dagster.faces import elsewhere
from facesets_dagster.faces.elsewhere import Elsewhere

BUCKETS = 4200


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each cache that is read; every cache holds the digest of its bucket's name."""
    monkeypatch.setattr(elsewhere, "_KNOWN", {})
    return []


def ask(root: Path, loaded: list[str], buckets: int) -> Elsewhere:
    def load(folder: Path) -> pl.DataFrame:
        loaded.append(folder.name)
        return pl.DataFrame({"sha256": [digest_of(folder)]})

    return Elsewhere([root / str(number) for number in range(buckets)], load)


def digest_of(folder: Path) -> str:
    return sha256((folder / "contents.parquet").read_bytes()).hexdigest()


def fill(folder: Path, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "contents.parquet").write_text(text)


def test_thousands_of_buckets_are_read_once(tmp_path: Path, loaded: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    state = (("contents.parquet", 1, 1, 1),)
    monkeypatch.setattr(elsewhere, "_states", lambda _: state)
    monkeypatch.setattr(f"{__name__}.digest_of", lambda folder: sha256(folder.name.encode()).hexdigest())
    for _ in range(3):
        ask(tmp_path, loaded, BUCKETS)
    assert len(loaded) == BUCKETS


def test_only_the_last_state_of_a_bucket_is_kept(tmp_path: Path, loaded: list[str]) -> None:
    fill(tmp_path / "0", "first")
    fill(tmp_path / "1", "other")
    first, other = digest_of(tmp_path / "0"), digest_of(tmp_path / "1")
    found = ask(tmp_path, loaded, 3)
    assert dict(found) == {first: tmp_path / "0", other: tmp_path / "1"}
    fill(tmp_path / "0", "the second")
    found = ask(tmp_path, loaded, 3)
    assert loaded == ["0", "1", "0"]
    assert first not in found
    assert found[digest_of(tmp_path / "0")] == tmp_path / "0"
    assert len(found) == 2
    assert len(elsewhere._KNOWN) == 3
