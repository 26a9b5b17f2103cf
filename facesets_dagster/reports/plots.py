"""Small pictures for the metadata of assets: histograms, bars, curves as SVG in a data URI, a few hundred bytes each.

Dagster shows Markdown below 1,000 characters without a click, so a plot is kept below that; of learning curves about
ten fit, and 200 are 15,000 characters.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from facesets_dagster.reports.data_uri import svg_uri
from facesets_dagster.reports.markdown import Markdown
from facesets_dagster.wording import counted

_WIDTH, _HEIGHT, _BINS = 220, 60, 12
_MAX_CURVES, _MAX_BARS = 200, 24


def histogram(values: ArrayLike, unit: str, *, threshold: float | None = None) -> Markdown:
    """Markdown: the distribution of `values`, with the threshold as a red line, and least, median and most in words."""
    numbers = np.asarray(values, np.float64)
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return Markdown("nothing to draw")
    low, high = float(numbers.min()), float(np.quantile(numbers, 0.99))
    if threshold is not None:
        low, high = min(low, threshold), max(high, threshold)
    high = high if high > low else low + 1
    counts, _ = np.histogram(numbers.clip(low, high), _BINS, (low, high))
    line = None if threshold is None else (threshold - low) / (high - low)
    words = f"least {numbers.min():.3g} · median {np.median(numbers):.3g} · most {numbers.max():.3g} {unit}"
    words += "" if threshold is None else f" · red line {threshold:g}"
    return Markdown(f"![]({_bars(counts.tolist(), line)})\n\n{words}")


def bars(counts: Sequence[int]) -> Markdown:
    """Markdown: one bar for each count, at most 24."""
    return Markdown(f"![]({_bars(list(counts)[:_MAX_BARS], None)})" if counts else "nothing to draw")


def sizes_in_words(counts: Sequence[int], one: str) -> Markdown:
    """The same with words below: faces of each `one` (`cluster`, `person|people`), and how many of them are drawn."""
    if not counts:
        return Markdown("nothing to draw")
    drawn = f", the first {_MAX_BARS} drawn" if len(counts) > _MAX_BARS else ""
    words = f"{counted(len(counts), *one.split('|'))} of {counted(max(counts), 'face')} at most"
    return Markdown(f"{bars(counts)}\n\n{words}, {min(counts)} at least{drawn}")


def curves(values: Sequence[float], lines: Mapping[str, Sequence[float]], *, mark: float) -> Markdown:
    """Markdown: up to three numbers over `values` (ascending), each line from 0 to its own most; a grey line at `mark`.

    The words give the colour of each line, and its least and most.
    """
    if len(values) < 2:
        return Markdown("nothing to draw")
    low, high = min(*values, mark), max(*values, mark)
    across = [round(_WIDTH * (value - low) / (high - low)) for value in values]
    paths, words = "", list[str]()
    for place, ((name, numbers), (colour, code)) in enumerate(zip(lines.items(), _COLOURS.items(), strict=False)):
        most = max(*numbers, 1)
        foot = _HEIGHT - 2 * place  # so that equal lines do not hide each other
        heights = [round(foot - (_HEIGHT - 8) * number / most) for number in numbers]
        path = "L".join(f"{x},{y}" for x, y in zip(across, heights, strict=True))
        paths += f"<path stroke='{code}' d='M{path}'/>"
        words.append(f"{name} {spread(numbers)} ({colour})")
    at = round(_WIDTH * (mark - low) / (high - low))
    address = svg_uri(_WIDTH, _HEIGHT, f"<path stroke='gray' d='M{at},0V{_HEIGHT}'/>{paths}", " fill='none'")
    return Markdown(f"![]({address})\n\n{values[0]:g} to {values[-1]:g}: {', '.join(words)}")


def learning_curves(
    lines: Sequence[tuple[Sequence[float], str]], *, colours: Mapping[str, str], tolerance: float, least: float
) -> Markdown:
    """Markdown: (numbers for k = 1.., kind) each, at most 200, both axes logarithmic; a grey line at the tolerance.

    `colours`: kind -> one of blue, green, red. What lies below `least` is not drawn.
    """
    drawn = [(numbers, kind) for numbers, kind in lines[:_MAX_CURVES] if len(numbers)]
    if not drawn:
        return Markdown("nothing to draw")
    longest = max(max(len(numbers) for numbers, _ in drawn), 2)
    most = max(*(max(numbers) for numbers, _ in drawn), tolerance, 2 * least)

    def down(value: float) -> int:
        return round(_HEIGHT * math.log(most / value) / math.log(most / least))

    paths = dict.fromkeys(colours, "")
    for numbers, kind in drawn:
        steps = sorted({min(round(longest ** (step / 12)), len(numbers)) for step in range(13)})
        points = [
            f"{round(_WIDTH * math.log(k) / math.log(longest))},{down(numbers[k - 1])}"
            for k in steps
            if numbers[k - 1] >= least
        ]
        paths[kind] += f"M{'L'.join(points)}" if len(points) > 1 else ""
    kinds = "".join(f"<path stroke='{_COLOURS[colours[kind]]}' d='{path}'/>" for kind, path in paths.items() if path)
    counts = {kind: sum(one == kind for _, one in drawn) for kind in colours}
    words = ", ".join(f"{count} {kind} ({colours[kind]})" for kind, count in counts.items() if count)
    more = f", {len(lines) - len(drawn)} more in the report" if len(lines) > len(drawn) else ""
    address = svg_uri(
        _WIDTH, _HEIGHT, f"<path stroke='gray' d='M0,{down(tolerance)}H{_WIDTH}'/>{kinds}", " fill='none'"
    )
    return Markdown(f"![]({address})\n\n1 to {longest} faces, {least:g} to {most:.2g}: {words}{more}")


def spread(numbers: Sequence[float]) -> str:
    """`3 to 7`, or `3` where all are equal."""
    return f"{min(numbers):g}" if min(numbers) == max(numbers) else f"{min(numbers):g} to {max(numbers):g}"


_COLOURS = {"blue": "#6b8afd", "green": "#16a34a", "red": "#e5484d"}


def _bars(counts: list[int], line: float | None) -> str:
    most = max(*counts, 1)
    step = _WIDTH / len(counts)
    path = "".join(
        f"M{round(place * step)},{_HEIGHT}v-{max(round(_HEIGHT * count / most), 1)}h{round(step - 2)}V{_HEIGHT}z"
        for place, count in enumerate(counts)
        if count
    )
    mark = "" if line is None else f"<path stroke='red' d='M{round(_WIDTH * line)},0V{_HEIGHT}'/>"
    return svg_uri(_WIDTH, _HEIGHT, f"<path fill='#6b8afd' d='{path}'/>{mark}")
