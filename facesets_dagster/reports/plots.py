"""Small pictures for the metadata of assets: histograms and bars as SVG inside a data URI, a few hundred bytes each.

Dagster shows Markdown below 1,000 characters without a click, so a plot is kept below that.
"""

from collections.abc import Sequence
from urllib.parse import quote

import numpy as np
from numpy.typing import ArrayLike

_WIDTH, _HEIGHT, _BINS = 220, 60, 12


def histogram(values: ArrayLike, unit: str, *, threshold: float | None = None) -> str:
    """Markdown: the distribution of `values`, with the threshold as a red line, and least, median and most in words."""
    numbers = np.asarray(values, np.float64)
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return "nothing to draw"
    low, high = float(numbers.min()), float(np.quantile(numbers, 0.99))
    if threshold is not None:
        low, high = min(low, threshold), max(high, threshold)
    high = high if high > low else low + 1
    counts, _ = np.histogram(numbers.clip(low, high), _BINS, (low, high))
    line = None if threshold is None else (threshold - low) / (high - low)
    words = f"{numbers.min():.3g} · median {np.median(numbers):.3g} · {numbers.max():.3g} {unit}"
    return f"![]({_bars(counts.tolist(), line)})\n\n{words}"


def bars(counts: Sequence[int]) -> str:
    """Markdown: one bar per count, at most 24."""
    return f"![]({_bars(list(counts)[:24], None)})" if counts else "nothing to draw"


def _bars(counts: list[int], line: float | None) -> str:
    most = max(*counts, 1)
    step = _WIDTH / len(counts)
    path = "".join(
        f"M{round(place * step)},{_HEIGHT}v-{max(round(_HEIGHT * count / most), 1)}h{round(step - 2)}V{_HEIGHT}z"
        for place, count in enumerate(counts)
        if count
    )
    mark = "" if line is None else f"<path stroke='red' d='M{round(_WIDTH * line)},0V{_HEIGHT}'/>"
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{_WIDTH}' height='{_HEIGHT}'>"
        f"<path fill='#6b8afd' d='{path}'/>{mark}</svg>"
    )
    return "data:image/svg+xml," + quote(svg, safe="=':/,")  # a space would end the address
