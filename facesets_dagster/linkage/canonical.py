"""Rows as the linkage takes them: of unit length, in an order that depends on nothing but their values.

Ties are broken by row number, so in this order the result does not depend on the order of the caller's rows. Rows
that are equal to the bit stand for each other, with a weight: a thousand copies are one row, not a million pairs.
Rows that are to start together are one row too, their plain mean: shorter than 1, which makes it the average.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.errors import SettingsError
from facesets_dagster.linkage.width import WIDTH
from facesets_dagster.threads import in_blocks


@dataclass(frozen=True)
class CanonicalRows:
    """Distinct rows, and where they came from."""

    unit: NDArray[np.float32]
    """(d, padded dim), of unit length, zero, or the mean of a group; columns beyond the dimension are zero."""
    first: NDArray[np.int64]
    """(d,): the caller's row."""
    weight: NDArray[np.int64]
    """(d,): rows that it stands for."""
    distinct: NDArray[np.int64]
    """(n,): for each of the caller's rows the distinct row that stands for it."""
    digest: str
    """Of all rows, in whatever order they were given, and of which stand for others."""
    single: int
    """So many stand for equal rows; those behind them for groups."""


class _Measured(Protocol):
    """Rows at length 1, as numbers to sort them by."""

    lengths: NDArray[np.float64]
    keys: NDArray[np.uint64]

    def same(self, first: int, second: int) -> bool:
        """Whether two rows are equal to the bit at length 1."""

    def fill(self, chosen: NDArray[np.int64], unit: NDArray[np.float32]) -> None:
        """Writes `chosen` (d,) rows at length 1 into the left of `unit` (d, padded dim)."""


class _Few:
    """By numpy: nothing to compile."""

    def __init__(self, embeddings: NDArray[np.floating]) -> None:
        wide = embeddings.astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            self.lengths = np.sqrt((wide * wide).sum(axis=1))
            self._unit = (wide / np.where(self.lengths > 0, self.lengths, 1.0)[:, None]).astype(np.float32) + 0.0
        digests = [hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in self._unit]
        self.keys = np.array([int.from_bytes(digest, "little") for digest in digests], np.uint64)

    def same(self, first: int, second: int) -> bool:
        return bool(np.array_equal(self._unit[first], self._unit[second]))

    def fill(self, chosen: NDArray[np.int64], unit: NDArray[np.float32]) -> None:
        unit[:, : self._unit.shape[1]] = self._unit[chosen]


class _Many:
    """By compiled loops over blocks: no copy of all rows is made."""

    def __init__(self, embeddings: NDArray[np.floating]) -> None:
        from facesets_dagster.linkage import kernels

        self._rows, self._kernels = embeddings, kernels
        self.lengths, self.keys = np.empty(len(embeddings), np.float64), np.empty(len(embeddings), np.uint64)
        in_blocks(len(embeddings), lambda top, end: kernels.digest_rows(embeddings, top, end, self.lengths, self.keys))

    def same(self, first: int, second: int) -> bool:
        return bool(self._kernels.same_row(self._rows, first, second, self.lengths))

    def fill(self, chosen: NDArray[np.int64], unit: NDArray[np.float32]) -> None:
        fill, rows, lengths = self._kernels.unit_rows, self._rows, self.lengths
        in_blocks(len(chosen), lambda top, end: fill(rows, chosen, lengths, top, end, unit))


def canonical_rows(
    embeddings: NDArray[np.floating],
    apart: NDArray[np.bool_],
    groups: Sequence[NDArray[np.int64]] = (),
    *,
    few: bool,
) -> CanonicalRows:
    """Sorts rows (n, dim) by a digest of their unit vectors; raises `SettingsError` on a number that is not finite.

    `apart` (n,): rows that must stand for themselves, because they have cannot-link pairs. Zero rows do so too: their
    distance is 1 to all rows, each other included. `groups`: disjoint rows that one row stands for; they come last, by
    a digest of theirs. `few`: without compiled code.
    """
    count, dim = embeddings.shape
    measured: _Measured = _Few(embeddings) if few else _Many(embeddings)
    keys, lengths = measured.keys, measured.lengths
    if not np.isfinite(lengths).all():
        row = int(np.flatnonzero(~np.isfinite(lengths))[0])
        raise SettingsError(
            f"Row {row} of the embeddings holds numbers that are not finite, or too large to square. Remove the face "
            "or embed it again."
        )
    alone = apart | (lengths == 0)
    order = np.lexsort((alone, keys))
    if groups:
        order = order[~np.isin(order, np.concatenate(groups))]
    distinct = np.ones(len(order), bool)
    distinct[1:] = (np.diff(keys[order]) != 0) | alone[order[1:]]
    for at in np.flatnonzero(~distinct):
        distinct[at] = not measured.same(order[at - 1], order[at])
    stands_for = np.empty(count, np.int64)
    stands_for[order] = np.cumsum(distinct) - 1
    first = order[distinct]
    unit = np.zeros((len(first), -(-max(dim, 1) // WIDTH) * WIDTH), np.float32)
    measured.fill(first, unit)
    whole = keys[order].tobytes() + distinct.tobytes() + repr((count, dim)).encode()
    digest = hashlib.blake2b(whole, digest_size=16).hexdigest()
    weight = np.bincount(stands_for[order], minlength=len(first))
    rows = CanonicalRows(unit, first, weight, stands_for, digest, len(first))
    return _with_groups(rows, groups, measured) if groups else rows


def _with_groups(rows: CanonicalRows, groups: Sequence[NDArray[np.int64]], measured: _Measured) -> CanonicalRows:
    """The rows with a mean for each group behind them."""
    by_key = [np.sort(group)[np.argsort(measured.keys[np.sort(group)], kind="stable")] for group in groups]
    digests = [hashlib.blake2b(measured.keys[group].tobytes(), digest_size=16).digest() for group in by_key]
    means = np.zeros((len(groups), rows.unit.shape[1]), np.float32)
    first, weight = np.empty(len(groups), np.int64), np.empty(len(groups), np.int64)
    order = sorted(range(len(groups)), key=lambda group: (digests[group], int(by_key[group].min())))
    for place, group in enumerate(order):
        members = by_key[group]
        unit = np.zeros((len(members), rows.unit.shape[1]), np.float32)
        measured.fill(members, unit)
        means[place] = unit.mean(axis=0, dtype=np.float64)
        first[place], weight[place] = members.min(), len(members)
        rows.distinct[members] = len(rows.first) + place
    whole = rows.digest.encode() + b"".join(digests[group] for group in order)
    return CanonicalRows(
        np.concatenate([rows.unit, means]),
        np.concatenate([rows.first, first]),
        np.concatenate([rows.weight, weight]),
        rows.distinct,
        hashlib.blake2b(whole, digest_size=16).hexdigest(),
        rows.single,
    )
