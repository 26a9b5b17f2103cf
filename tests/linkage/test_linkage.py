"""The linkage gives scikit-learn's merges: on hard sets, in any arithmetic, in any order, after an interruption."""

import logging
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numba
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.cluster import AgglomerativeClustering

from facesets_dagster.errors import SettingsError
from facesets_dagster.linkage import (
    Merges,
    average_merges,
    by_size,
    chain,
    chain_kernels,
    finders,
    graph,
    kernels,
    products,
    scratch,
    solving,
)
from facesets_dagster.linkage.codes import encode
from facesets_dagster.linkage.dense import FEW
from facesets_dagster.linkage.width import WIDTH
from testing.hard_faces import hard_faces, photo_pairs

PATHS = (*(["int8"] if products.is_exact(64, 127) else []), "int7", "float32")
"""8-bit codes only where the CPU has a product for them that does not overflow; elsewhere they are refused."""
WAYS = ("dense", *PATHS)


def people(seed: int, count: int, dim: int, spread: float = 0.6) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(count // 8, 1), dim))
    return centres[rng.integers(0, len(centres), count)] + spread * rng.normal(size=(count, dim))


def scikit(rows: np.ndarray, threshold: float) -> list[int] | None:
    """Labels of scikit-learn, numbered by size; None where an average lies within 1e-6 of the threshold."""
    model = AgglomerativeClustering(n_clusters=None, metric="cosine", linkage="average", distance_threshold=threshold)
    labels = model.fit_predict(rows.astype(np.float64))
    return by_size(labels).tolist() if np.abs(model.distances_ - threshold).min() > 1e-6 else None


def greedy(
    unit: np.ndarray, threshold: float, forbidden: np.ndarray, together: Sequence[np.ndarray] = ()
) -> np.ndarray:
    """Labels of the plainest average linkage with links: a dense matrix, the nearest pair first."""
    unit = unit.astype(np.float64) / np.linalg.norm(unit.astype(np.float64), axis=1, keepdims=True)
    apart = np.zeros((len(unit), len(unit)), bool)
    apart[forbidden[:, 0], forbidden[:, 1]] = apart[forbidden[:, 1], forbidden[:, 0]] = True
    bound = {int(row) for group in together for row in group}
    clusters = [*(group.tolist() for group in together), *([row] for row in range(len(unit)) if row not in bound)]
    while True:
        best = (threshold, -1, -1)
        for b in range(len(clusters)):
            for a in range(b):
                average = 1 - unit[clusters[a]].mean(axis=0) @ unit[clusters[b]].mean(axis=0)
                if average < best[0] and not apart[np.ix_(clusters[a], clusters[b])].any():
                    best = (average, a, b)
        if best[1] < 0:
            break
        clusters[best[1]] += clusters.pop(best[2])
    labels = np.empty(len(unit), np.int64)
    for label, rows in enumerate(clusters):
        labels[rows] = label
    return by_size(labels)


def arc(count: int, dim: int = 128) -> np.ndarray:
    """Rows on half a circle, in steps that no two share: everybody is linked to everybody by way of others."""
    angles = np.cumsum(np.random.default_rng(1).uniform(0.5, 1.5, count))
    angles *= np.pi / angles[-1]
    rows = np.zeros((count, dim))
    rows[:, 0], rows[:, 1] = np.cos(angles), np.sin(angles)
    return rows


@given(
    seed=st.integers(0, 10_000), count=st.integers(2, 150), dim=st.sampled_from([3, 32, 128, 512]),
    threshold=st.floats(0.05, 1.3), path=st.sampled_from(WAYS),
)  # fmt: skip
@settings(max_examples=120, deadline=None)
def test_the_partition_is_that_of_scikit_learn(seed: int, count: int, dim: int, threshold: float, path: str) -> None:
    rows = people(seed, count, dim)
    expected = scikit(rows, threshold)
    assume(expected is not None)
    assert average_merges(rows, threshold, arithmetic=path).labels_at(threshold).tolist() == expected


@given(
    seed=st.integers(0, 10_000), copies=st.integers(2, 40), threshold=st.floats(0.05, 1.0), path=st.sampled_from(WAYS)
)
@settings(max_examples=60, deadline=None)
def test_copies_and_near_copies_are_joined_as_scikit_learn_joins_them(
    seed: int, copies: int, threshold: float, path: str
) -> None:
    rng = np.random.default_rng(seed)
    rows = people(seed, 40, 32)
    rows = np.concatenate([rows, rows[rng.integers(0, 5, copies)], rows[5:10] + 1e-3 * rng.normal(size=(5, 32))])
    expected = scikit(rows, threshold)
    assume(expected is not None)
    assert average_merges(rows, threshold, arithmetic=path).labels_at(threshold).tolist() == expected


@pytest.mark.parametrize("path", WAYS)
@pytest.mark.parametrize("dim", [128, 512])
def test_a_hard_set_with_a_giant_component_is_cut_as_scikit_learn_cuts_it(dim: int, path: str) -> None:
    rows, _ = hard_faces(2500, dim)
    for threshold in (0.3, 0.55, 0.7):
        labels = average_merges(rows, threshold, arithmetic=path).labels_at(threshold)
        assert labels.tolist() == scikit(rows, threshold)


@pytest.mark.parametrize("path", ["dense", "float32"])
@pytest.mark.parametrize("threshold", [0.01, 0.1, 0.5, 1.0])
def test_a_long_arc_of_faces_is_cut_as_scikit_learn_cuts_it(threshold: float, path: str) -> None:
    rows = arc(700)
    assert average_merges(rows, threshold, arithmetic=path).labels_at(threshold).tolist() == scikit(rows, threshold)


@pytest.mark.parametrize("path", ["dense", "float32"])
def test_every_lower_threshold_can_be_cut_from_the_same_merges(path: str) -> None:
    rows, _ = hard_faces(1200, 128)
    merges = average_merges(rows, 0.8, arithmetic=path)
    assert (np.diff(merges.heights) >= 0).all()
    for threshold in np.linspace(0.02, 0.8, 12):
        labels = merges.labels_at(float(threshold)).tolist()
        assert labels == average_merges(rows, float(threshold), arithmetic=path).labels_at(float(threshold)).tolist()
        assert labels == scikit(rows, float(threshold))


@pytest.mark.parametrize("path", ["dense", "float32"])
def test_heights_are_the_average_distances(path: str) -> None:
    rows = people(3, 60, 16)
    merges = average_merges(rows, 1.0, arithmetic=path)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    members = {row: [row] for row in range(len(rows))}
    for (first, second), height in zip(merges.pairs.tolist(), merges.heights, strict=True):
        assert height == pytest.approx(1 - (unit[members[first]] @ unit[members[second]].T).mean(), abs=1e-6)
        both = members[first] + members[second]
        members.update(dict.fromkeys(both, both))


def test_merges_do_not_reach_beyond_their_threshold() -> None:
    merges = average_merges(people(1, 30, 8), 0.4)
    assert merges.heights.max() <= 0.4
    with pytest.raises(SettingsError, match=r"reach up to a distance of 0.4, labels at 0.5 .* distance_threshold=0.5"):
        merges.labels_at(0.5)


@given(
    seed=st.integers(0, 10_000), count=st.integers(3, 45), pairs=st.integers(1, 60), threshold=st.floats(0.2, 1.2),
    path=st.sampled_from(WAYS),
)  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_cannot_link_pairs_are_kept_as_the_plain_greedy_keeps_them(
    seed: int, count: int, pairs: int, threshold: float, path: str
) -> None:
    rows = people(seed, count, 24)
    forbidden = np.random.default_rng(seed).integers(0, count, (pairs, 2))
    forbidden = forbidden[forbidden[:, 0] != forbidden[:, 1]]
    labels = average_merges(rows, threshold, cannot_link=forbidden, arithmetic=path).labels_at(threshold)
    assert (labels[forbidden[:, 0]] != labels[forbidden[:, 1]]).all()
    assert labels.tolist() == greedy(rows, threshold, forbidden).tolist()


def drawn_links(seed: int, count: int, groups: int, pairs: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Groups that start together, and pairs of other rows or of different groups."""
    rng = np.random.default_rng(seed)
    owner = rng.integers(0, 3 * groups + 1, count)  # two thirds of the rows are in no group
    together = [rows for rows in (np.flatnonzero(owner == group) for group in range(groups)) if len(rows) > 1]
    forbidden = rng.integers(0, count, (pairs, 2))
    alike = (owner[forbidden[:, 0]] == owner[forbidden[:, 1]]) & (owner[forbidden[:, 0]] < groups)
    return together, forbidden[~alike & (forbidden[:, 0] != forbidden[:, 1])]


@given(
    seed=st.integers(0, 10_000), count=st.integers(4, 45), groups=st.integers(1, 6), pairs=st.integers(0, 60),
    threshold=st.floats(0.2, 1.2), path=st.sampled_from(WAYS),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_groups_that_start_together_are_linked_by_their_average_as_the_plain_greedy_links_them(
    seed: int, count: int, groups: int, pairs: int, threshold: float, path: str
) -> None:
    rows = people(seed, count, 24)
    together, forbidden = drawn_links(seed, count, groups, pairs)
    merges = average_merges(rows, threshold, together=together, cannot_link=forbidden, arithmetic=path)
    labels = merges.labels_at(threshold)
    assert labels.tolist() == greedy(rows, threshold, forbidden, together).tolist()
    assert (labels[forbidden[:, 0]] != labels[forbidden[:, 1]]).all()
    for lower in (0.0, threshold / 2):
        assert all(len({*merges.labels_at(lower)[group]}) == 1 for group in together)


@given(seed=st.integers(0, 10_000), path=st.sampled_from(WAYS))
@settings(max_examples=30, deadline=None)
def test_groups_in_another_order_are_linked_alike(seed: int, path: str) -> None:
    rows = people(seed, 40, 24)
    together, forbidden = drawn_links(seed, 40, 5, 20)
    order = np.random.default_rng(seed + 1).permutation(40)
    place = np.argsort(order)
    first = average_merges(rows, 0.8, together=together, cannot_link=forbidden, arithmetic=path).labels_at(0.8)
    turned = [np.random.default_rng(seed).permutation(place[group]) for group in reversed(together)]
    other = average_merges(rows[order], 0.8, together=turned, cannot_link=place[forbidden], arithmetic=path)
    assert by_size(other.labels_at(0.8)[place]).tolist() == first.tolist()


@pytest.mark.parametrize("path", ["float32", "dense"])
def test_links_of_a_hard_set_are_kept_and_all_ways_agree(path: str) -> None:
    rows, who = hard_faces(2500, 128)
    people_of = [np.flatnonzero(who == one) for one in np.unique(who)]
    people_of = [mine for mine in people_of if len(mine) > 5][:60]
    together = [mine[:4] for mine in people_of]
    forbidden = np.array([[mine[4], mine[0]] for mine in people_of[::2]])
    labels = average_merges(rows, 0.6, together=together, cannot_link=forbidden, arithmetic=path).labels_at(0.6)
    expected = average_merges(rows, 0.6, together=together, cannot_link=forbidden, arithmetic=PATHS[0]).labels_at(0.6)
    assert labels.tolist() == expected.tolist()
    assert all(len({*labels[group]}) == 1 for group in together)
    assert (labels[forbidden[:, 0]] != labels[forbidden[:, 1]]).all()


def test_links_that_contradict_are_refused() -> None:
    rows = people(0, 5, 8)
    with pytest.raises(SettingsError, match=r"start in one cluster and are never to be in one"):
        average_merges(rows, 0.5, together=[np.array([0, 1, 2])], cannot_link=np.array([[0, 2]]))
    with pytest.raises(SettingsError, match=r"Row 1 is in two groups"):
        average_merges(rows, 0.5, together=[np.array([0, 1]), np.array([1, 2])])


def test_links_are_part_of_what_a_restart_belongs_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solving, "_SPILL_ROWS", 100)
    rows = people(0, 300, 32)
    seen: list[str] = []

    def kept(folder: Path, digest: str) -> object:
        seen.append(digest)
        return scratch.edges_on_disk(folder, digest)

    monkeypatch.setattr(solving, "edges_on_disk", kept)
    for together in ([], [np.array([0, 1])], [np.array([0, 2])], [np.array([0, 1]), np.array([2, 3])]):
        average_merges(rows, 0.5, together=together, scratch=tmp_path, arithmetic="float32")
    assert len({*seen}) == 4


@pytest.mark.parametrize("path", WAYS)
@pytest.mark.parametrize("dim", [128, 512])
def test_pairs_just_within_the_threshold_are_joined_and_those_just_beyond_are_not(dim: int, path: str) -> None:
    turn = np.linalg.qr(np.random.default_rng(dim).normal(size=(dim, dim)))[0]
    off = np.repeat([-2e-6, 2e-6], 20)
    firsts, seconds = turn[:40], turn[40:80]
    similarity = (0.45 - off)[:, None]
    rows = np.concatenate([firsts, similarity * firsts + np.sqrt(1 - similarity**2) * seconds]).astype(np.float32)
    labels = average_merges(rows, 0.55, arithmetic=path).labels_at(0.55)
    assert (labels[:40] == labels[40:]).tolist() == (off < 0).tolist()


@pytest.mark.parametrize("path", ["dense", "float32"])
def test_two_copies_on_one_photo_are_two_people(path: str) -> None:
    rows = np.concatenate([people(0, 1, 16)] * 3)
    pairs = np.array([[0, 1], [1, 0], [2, 2]])
    labels = average_merges(rows, 0.5, cannot_link=pairs, arithmetic=path).labels_at(0.5)
    assert labels[0] != labels[1]
    assert labels[2] in labels[:2]


def test_no_photo_of_a_hard_set_shows_a_person_twice() -> None:
    rows, who = hard_faces(3000, 128)
    pairs = photo_pairs(who)
    labels = average_merges(rows, 0.8, cannot_link=pairs).labels_at(0.8)
    assert (labels[pairs[:, 0]] != labels[pairs[:, 1]]).all()
    free = average_merges(rows, 0.8).labels_at(0.8)
    assert (free[pairs[:, 0]] == free[pairs[:, 1]]).any()


def tied(seed: int) -> np.ndarray:
    """Rows with many equal distances: copies, and directions at right angles in pairs."""
    rng = np.random.default_rng(seed)
    signs = rng.integers(0, 2, (60, 16)) * 2.0 - 1.0
    return np.concatenate([signs, signs[rng.integers(0, 60, 60)], np.eye(16), np.eye(16)[:, ::-1] + np.eye(16)])


@given(seed=st.integers(0, 10_000), threshold=st.floats(0.1, 1.2), path=st.sampled_from(WAYS))
@settings(max_examples=80, deadline=None)
def test_the_order_of_the_rows_changes_nothing_even_where_distances_are_equal(
    seed: int, threshold: float, path: str
) -> None:
    rows = tied(seed)
    order = np.random.default_rng(seed).permutation(len(rows))
    merges, shuffled = (average_merges(given, threshold, arithmetic=path) for given in (rows, rows[order]))
    assert merges.heights.tolist() == shuffled.heights.tolist()
    assert by_size(merges.labels_at(threshold)[order]).tolist() == shuffled.labels_at(threshold).tolist()


def merged(merges: Merges) -> tuple[list[list[int]], list[float]]:
    return merges.pairs.tolist(), merges.heights.tolist()


def test_every_arithmetic_gives_the_same_merges_to_the_bit() -> None:
    rows, _ = hard_faces(2500, 256)
    rows[:, 160:] *= 0.01
    expected = merged(average_merges(rows, 0.6, arithmetic="float32"))
    for path in PATHS:
        assert merged(average_merges(rows, 0.6, arithmetic=path)) == expected


def test_few_faces_need_no_compiler() -> None:
    code = (
        "import sys, numpy as np\n"
        "from facesets_dagster.identities.clustering import average_linkage\n"
        "rows = np.random.default_rng(0).normal(size=(400, 64)); rows[9] = rows[3]\n"
        "assert average_linkage(rows, 0.8).max() > 5\n"
        "print(*sorted({'numba', 'sklearn', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("count", [FEW, FEW + 1])
def test_few_and_many_faces_are_cut_alike(count: int) -> None:
    rows, who = hard_faces(count, 128)
    pairs = photo_pairs(who)
    for apart in (None, pairs):
        few, many = (average_merges(rows, 0.7, cannot_link=apart, arithmetic=way) for way in ("dense", "float32"))
        assert few.labels_at(0.7).tolist() == many.labels_at(0.7).tolist()
        assert few.heights == pytest.approx(many.heights, abs=1e-7)
        assert average_merges(rows, 0.7, cannot_link=apart).labels_at(0.7).tolist() == few.labels_at(0.7).tolist()


def test_thresholds_of_codes_lose_no_near_pair() -> None:
    rows = np.concatenate([people(0, 300, 64), np.eye(64), -np.eye(64)[:5]]).astype(np.float32)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    true = unit.astype(np.float64) @ unit.T
    for limit in (127, 63):
        codes = encode(unit, limit, 1024)
        product = (codes.left(0).astype(np.int64) - limit - 1) @ codes.tiles[0].astype(np.int64)
        for keep in (-0.5, 0.1, 0.45, 0.9):
            near = product >= codes.thresholds(slice(None), slice(None), keep)[:, None]
            assert near[true >= keep].all()
            assert near.mean() < (true >= keep - 0.15).mean() + 0.01


def test_a_product_that_overflows_in_16_bits_is_noticed_and_7_bit_codes_do_not_overflow() -> None:
    def saturating(codes: np.ndarray, others: np.ndarray, limit: int) -> np.ndarray:
        wide = codes.astype(np.int64)[:, :, None] * others.astype(np.int64)[None]
        pairs = np.clip(wide[:, 0::2] + wide[:, 1::2], -32768, 32767).sum(axis=1)
        return pairs - (limit + 1) * others.astype(np.int64).sum(axis=0)

    def in_parts(codes: np.ndarray, others: np.ndarray, limit: int) -> np.ndarray:
        return np.concatenate([saturating(codes[top : top + 8], others, limit) for top in range(0, len(codes), 8)])

    assert products.products_are_exact(products.integer_product, 64, 63)
    assert products.products_are_exact(in_parts, 64, 63)
    assert not products.products_are_exact(in_parts, 64, 127)


@pytest.mark.parametrize("arithmetic", ["int8", "int7"])
def test_codes_that_overflow_on_this_cpu_are_refused(arithmetic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finders, "is_exact", lambda dim, limit: False)
    with pytest.raises(SettingsError, match=f"{arithmetic} codes overflow on this CPU.*`auto`"):
        average_merges(people(0, 20, 16), 0.5, arithmetic=arithmetic)


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finders, "_TILE", 64)
    monkeypatch.setattr(solving, "_SPILL_ROWS", 0)
    monkeypatch.setattr(solving, "FEW", 0)


class Stopped(Exception):
    """Stands for a kill."""


def stop_at(done: int) -> "solving.Progress":
    def report(phase: str, made: int, total: int) -> None:
        if phase == "pairs" and made >= done:
            raise Stopped

    return report


@pytest.mark.usefixtures("small_tiles")
def test_an_interrupted_linkage_goes_on_with_the_strips_that_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, _ = hard_faces(1000, 64)
    expected = merged(average_merges(rows, 0.55))
    with pytest.raises(Stopped):
        average_merges(rows, 0.55, progress=stop_at(40), scratch=tmp_path)
    kept = {path.name for path in tmp_path.rglob("*.edges")}
    assert 0 < len(kept) < 16
    (next(tmp_path.rglob("*.edges")).parent / "000015.part").write_bytes(b"torn")
    strips: list[int] = []
    whole = graph._strip
    monkeypatch.setattr(graph, "_strip", lambda *a: (strips.append(a[4]), whole(*a))[1])
    assert merged(average_merges(rows[::-1], 0.55, scratch=tmp_path))[1] == expected[1]
    assert sorted(strips) == [strip for strip in range(16) if f"{strip:06d}.edges" not in kept]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("small_tiles")
def test_other_rows_or_another_threshold_do_not_take_up_what_was_left(tmp_path: Path) -> None:
    rows, _ = hard_faces(600, 64)
    with pytest.raises(Stopped):
        average_merges(rows, 0.55, progress=stop_at(20), scratch=tmp_path)
    for changed, threshold in ((rows, 0.5), (rows[1:], 0.55)):
        expected = merged(average_merges(changed, threshold))
        assert merged(average_merges(changed, threshold, scratch=tmp_path)) == expected
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 1


@pytest.mark.usefixtures("small_tiles")
def test_cannot_link_pairs_of_copies_do_not_take_up_strips_of_other_rows(tmp_path: Path) -> None:
    rows, _ = hard_faces(600, 64)
    rows = np.concatenate([rows, rows[:40]])
    apart = np.stack([np.arange(40), np.arange(600, 640)], axis=1)
    expected = average_merges(rows, 0.55, cannot_link=apart).labels_at(0.55)
    with pytest.raises(Stopped):
        average_merges(rows, 0.55, progress=stop_at(20), scratch=tmp_path)
    labels = average_merges(rows, 0.55, cannot_link=apart, scratch=tmp_path).labels_at(0.55)
    assert labels.tolist() == expected.tolist()
    assert (labels[:40] != labels[600:]).all()


@pytest.mark.usefixtures("small_tiles")
def test_what_an_abandoned_linkage_left_is_removed_after_a_week(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, _ = hard_faces(600, 64)
    with pytest.raises(Stopped):
        average_merges(rows, 0.55, progress=stop_at(20), scratch=tmp_path)
    monkeypatch.setattr(scratch, "_ABANDONED_SECONDS", -1.0)
    average_merges(rows, 0.5, scratch=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_few_rows_write_nothing_to_the_scratch_folder(tmp_path: Path) -> None:
    average_merges(people(0, 50, 8), 0.5, scratch=tmp_path / "scratch")
    assert not (tmp_path / "scratch").exists()


@pytest.mark.usefixtures("small_tiles")
def test_progress_counts_up_to_all_of_it() -> None:
    told: list[tuple[str, int, int]] = []
    average_merges(people(0, 500, 16), 0.5, progress=lambda *report: told.append(report))
    for phase in ("pairs", "merges"):
        done = [(made, total) for name, made, total in told if name == phase]
        assert done[-1][0] == done[-1][1]
        assert all(earlier[0] <= later[0] for earlier, later in pairwise(done))


@pytest.mark.parametrize("spare", [0.0, 0.05])
def test_lists_that_run_out_of_room_are_moved_together_or_given_more(
    monkeypatch: pytest.MonkeyPatch, spare: float
) -> None:
    rows = people(5, 600, 32, spread=1.0)
    moves: list[int] = []
    compact = chain_kernels.compact
    monkeypatch.setattr(chain_kernels, "compact", lambda *a: (moves.append(1), compact(*a))[1])
    monkeypatch.setattr(chain, "_room", lambda used: int(used * (1 + spare)))
    assert average_merges(rows, 0.9, arithmetic="float32").labels_at(0.9).tolist() == scikit(rows, 0.9)
    assert moves


@pytest.mark.parametrize("path", ["dense", "float32"])
def test_a_zero_row_is_at_distance_one_of_everybody(path: str) -> None:
    rows = np.concatenate([people(0, 6, 16, spread=0.1), np.zeros((2, 16))])
    assert average_merges(rows, 0.9, arithmetic=path).labels_at(0.9).tolist() == [0] * 6 + [1, 2]
    merges = average_merges(rows, 1.5, arithmetic=path)
    assert merges.heights[-2:] == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize("path", ["dense", "float32"])
@pytest.mark.parametrize("count", [0, 1])
def test_nothing_and_a_single_face_have_no_merges(count: int, path: str) -> None:
    merges = average_merges(np.ones((count, 4)), 0.5, arithmetic=path)
    assert (merges.pairs.shape, merges.labels_at(0.5).tolist()) == ((0, 2), [0] * count)


@pytest.mark.parametrize("path", ["dense", "float32"])
@pytest.mark.parametrize(("threshold", "labels"), [(0.0, [0, 1, 2]), (1e-9, [0, 0, 1]), (2.0, [0, 0, 0])])
def test_the_ends_of_the_scale(threshold: float, labels: list[int], path: str) -> None:
    rows = np.array([[1.0, 2.0], [1.0, 2.0], [-1.0, -1.9]])
    assert average_merges(rows, threshold, arithmetic=path).labels_at(threshold).tolist() == labels


def test_many_copies_take_no_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []
    put = graph.EdgesInMemory.put
    monkeypatch.setattr(graph.EdgesInMemory, "put", lambda s, n, e: (counted.append(len(e[0])), put(s, n, e))[1])
    rows = np.repeat(np.eye(3, 16), 20_000, axis=0)
    labels = average_merges(rows, 0.3).labels_at(0.3)
    assert np.bincount(labels).tolist() == [20_000] * 3
    assert sum(counted) <= 3


@pytest.mark.parametrize("path", ["dense", "float32"])
def test_scaling_a_row_by_a_power_of_two_changes_nothing(path: str) -> None:
    rows = people(0, 200, 32)
    scaled, plain = (average_merges(given, 0.5, arithmetic=path) for given in (rows * 4, rows))
    assert merged(scaled) == merged(plain)


@pytest.mark.parametrize("path", ["dense", "float32"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e200])
def test_numbers_that_are_not_finite_are_named(bad: float, path: str) -> None:
    rows = people(0, 20, 8)
    rows[7, 3] = bad
    with pytest.raises(SettingsError, match="Row 7 of the embeddings"):
        average_merges(rows, 0.5, arithmetic=path)


@pytest.mark.parametrize(("rows", "threshold"), [(np.ones(4), 0.5), (np.ones((2, 2)), 2.5), (np.ones((2, 2)), -0.1)])
def test_what_is_no_table_of_faces_or_no_distance_is_refused(rows: np.ndarray, threshold: float) -> None:
    with pytest.raises(SettingsError, match="one row per face and a cosine distance from 0 to 2"):
        average_merges(rows, threshold)


def test_kernels_work_where_nothing_can_be_cached(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    plain = numba.njit

    def no_folder(**options: bool) -> object:
        if options.get("cache"):
            raise RuntimeError("cannot cache function 'twice': no locator available")
        return plain(**options)

    def twice(number: int) -> int:
        return 2 * number

    monkeypatch.setattr(numba, "njit", no_folder)
    with caplog.at_level(logging.WARNING):
        assert kernels.compiled(twice)(4) == 8
    assert "NUMBA_CACHE_DIR" in caplog.text


def test_the_deciding_product_is_summed_in_one_written_order() -> None:
    rng = np.random.default_rng(0)
    for dim in (64, 128, 512):
        a, b = rng.normal(size=(2, dim)).astype(np.float32)
        parts: np.ndarray = np.zeros(64, np.float32)
        for part in (a * b).reshape(-1, 64):
            parts = parts + part
        lanes = (parts[:16] + parts[32:48]) + (parts[16:32] + parts[48:])
        while len(lanes) > 1:
            lanes = lanes[: len(lanes) // 2] + lanes[len(lanes) // 2 :]
        values = np.empty(1, np.float32)
        ends = np.zeros(1, np.int32), np.ones(1, np.int32)
        assert kernels.keep_near(np.stack([a, b]), 0, 0, *ends, np.float32(-1e9), values) == 1
        assert values[0] == lanes[0]


def test_a_graph_that_lacks_pairs_is_an_error_and_not_an_endless_loop() -> None:
    """What a CPU that overflows once brought about; here the pair of 2 and 3 is lost."""
    similarity = np.array([[1, 0.9, 0.6, 0.45], [0.9, 1, 0.6, 0.3], [0.6, 0.6, 1, 0.8], [0.45, 0.3, 0.8, 1]])
    mean = np.pad(np.linalg.cholesky(similarity), ((0, 0), (0, WIDTH - 4))).astype(np.float32)
    rows, columns = np.array([0, 0, 1, 0], np.int32), np.array([1, 2, 2, 3], np.int32)
    values = similarity[rows, columns].astype(np.float32)
    # 0 and 1 have 0.375 on average to 3, so they forget it; with 2 they have 0.517, which only 3 finds out.
    with pytest.raises(RuntimeError, match="near pairs are missing from the graph"):
        chain.merge_by_chain(
            mean, np.ones(4, np.int64), lambda: iter([(rows, columns, values)]), np.zeros((0, 2), np.int32),
            distance_threshold=0.6, slack=1e-6, report=lambda *_: None,
        )  # fmt: skip
