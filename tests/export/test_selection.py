"""The top of a set: good faces whose mean is near to the person's, a session counting as one; influence of a face."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesets_dagster.export.curation import Curated, ExportParameters
from facesets_dagster.export.selection import choose_top, influences, order_of_export
from facesets_dagster.identities.gates import Verdict

DIM = 32


def looks(count: int, spread: float, seed: int) -> np.ndarray:
    """(count, DIM): looks of one person, that far from their mean."""
    rng = np.random.default_rng(seed)
    base = np.zeros(DIM)
    base[0] = 1
    return base + spread * rng.normal(size=(count, DIM)) / np.sqrt(DIM)


def with_a_burst(frames: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Frames of one moment, better ranked than twelve photos of other days; embeddings and rank scores."""
    rng = np.random.default_rng(1)
    burst = looks(1, 1.0, 5) + 0.3 * rng.normal(size=(frames, DIM)) / np.sqrt(DIM)
    return np.concatenate([burst, looks(12, 1.0, 2)]).astype(np.float32), np.linspace(1, 0.4, frames + 12)


def top(embeddings: np.ndarray, scores: np.ndarray, variety: float) -> list[int]:
    return choose_top(embeddings, scores, top_n=8, variety=variety, session_similarity=0.75)


def unit(vector: np.ndarray) -> np.ndarray:
    return np.asarray(vector / np.linalg.norm(vector))


def test_a_burst_does_not_fill_the_top() -> None:
    embeddings, scores = with_a_burst()
    chosen = top(embeddings, scores, 0.95)
    assert sum(place < 12 for place in chosen) <= 3
    person = unit(looks(200, 1.0, 9).mean(axis=0))
    by_rank = unit(embeddings[:8].mean(axis=0))
    assert unit(embeddings[chosen].mean(axis=0)) @ person > by_rank @ person + 0.1


def test_without_variety_the_top_is_by_rank_and_the_best_is_always_in_it() -> None:
    embeddings, scores = with_a_burst()
    assert top(embeddings, scores, 0) == list(range(8))
    assert top(embeddings, scores, 1)[0] == 0


@given(st.integers(1, 30), st.integers(1, 10), st.floats(0, 1), st.integers(0, 5))
def test_the_choice_has_no_face_twice_and_is_as_large_as_it_can_be(
    count: int, top_n: int, variety: float, seed: int
) -> None:
    embeddings = looks(count, 0.8, seed).astype(np.float32)
    scores = np.sort(np.random.default_rng(seed).random(count))[::-1]
    chosen = choose_top(embeddings, scores, top_n=top_n, variety=variety, session_similarity=0.75)
    assert len(set(chosen)) == len(chosen) == min(top_n, count)


def curated(strict: int, reserve: int) -> Curated:
    """The first of a burst and other photos; the reserve behind."""
    embeddings, _ = with_a_burst()
    count = strict + reserve
    rows = pl.DataFrame(
        {
            "face_id": [f"f{place}" for place in range(count)],
            "embedding": embeddings[:count],
            "rank_score": np.linspace(1, 0, count),
        }
    )
    gate = Verdict("below_export_gate:face_short", 80, 100)
    return Curated(rows, {}, {f"f{place}": gate for place in range(strict, count)})


PARAMETERS = ExportParameters(100, 0.45, 0.95, 8, 512, 0.5, 20, 60, variety=0.95, session_similarity=0.75)


def test_the_top_comes_first_then_the_others_then_those_that_fill_up_each_by_rank() -> None:
    one = curated(19, 5)
    order = order_of_export(one, range(24), PARAMETERS)
    chosen = choose_top(
        one.candidates["embedding"].to_numpy()[:19], one.candidates["rank_score"].to_numpy()[:19],
        top_n=8, variety=0.95, session_similarity=0.75,
    )  # fmt: skip
    assert order[:8] == sorted(chosen) != list(range(8))
    assert order[8:19] == sorted(set(range(19)) - set(chosen))
    assert order[19:] == list(range(19, 24))


def test_a_set_no_larger_than_the_top_keeps_its_ranks() -> None:
    assert order_of_export(curated(8, 5), range(13), PARAMETERS) == list(range(13))


def test_influence_is_how_far_the_mean_moves_without_the_face() -> None:
    embeddings = (20 * looks(6, 0.8, 4)).astype(np.float32)
    mean = unit(embeddings.astype(np.float64).mean(axis=0))
    expected = [1 - mean @ unit(np.delete(embeddings.astype(np.float64), n, axis=0).mean(axis=0)) for n in range(6)]
    assert influences(embeddings) == pytest.approx(expected, abs=1e-12)
    assert influences(embeddings[:1]) == [None]
