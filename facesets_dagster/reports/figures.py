"""The plots of the HTML report, drawn by matplotlib, which is imported only here and only when a report is written.

Transparent, in grey that can be read on light and on dark; SVG without a date, so that the same numbers give the same
bytes.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.reports.data_uri import data_uri
from facesets_dagster.reports.plots import spread
from facesets_dagster.wording import counted

_MARGINS = (0.14, 0.2, 0.83, 0.57)
"""Room for a title and the names of thresholds above, a line below, and a word and five digits at the left."""
_GREY, _BLUE, _RED, _GREEN = "#888888", "#6b8afd", "#e5484d", "#16a34a"


_STYLES = ("-", "--", ":")
"""Of the lines at thresholds, so that two of them in one plot can be told apart."""


@dataclass(frozen=True)
class Figure:
    """A plot as a data URI and what it shows, in words."""

    address: str
    words: str


def histogram_figure(title: str, unit: str, values: NDArray[np.floating], thresholds: Mapping[str, float]) -> Figure:
    """Distribution of `values` (n,), n > 0, with named thresholds as lines; the last percent is drawn at the border."""
    marks = list(thresholds.values())
    low, high = min([float(values.min()), *marks]), max([float(np.quantile(values, 0.99)), *marks])
    figure, axes = _canvas(title, f"{unit}, {counted(len(values), 'face')}", _MARGINS)
    axes.stairs(*np.histogram(values.clip(low, high), bins=24), fill=True, color=_BLUE)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("faces", fontsize=8, color=_GREY)
    axes.yaxis.get_major_locator().set_params(integer=True)
    for (name, mark), style in zip(thresholds.items(), _STYLES, strict=False):
        axes.axvline(mark, color=_RED, linewidth=1.2, linestyle=style, label=f"{name} {mark:g}")
    _name_lines(axes)
    return Figure(
        _address(figure),
        f"{title}: least {values.min():.3g}, median {np.median(values):.3g}, most {values.max():.3g} {unit}",
    )


def sizes_figure(sizes: Sequence[int], min_faces: int) -> Figure:
    """Cluster sizes, largest first, at most 60; the line is what it takes to found an identity."""
    figure, axes = _canvas("Raw clusters", "cluster, largest first", _MARGINS)
    axes.bar(range(1, len(sizes[:60]) + 1), sizes[:60], color=_BLUE)
    axes.axhline(min_faces, color=_RED, linewidth=1.2, label=f"min_faces {min_faces}")
    axes.set_ylabel("faces", fontsize=8, color=_GREY)
    _name_lines(axes)
    axes.xaxis.get_major_locator().set_params(integer=True)
    return Figure(
        _address(figure),
        f"{len(sizes)} raw clusters, the largest {', '.join(map(str, sizes[:10]))}; min_faces {min_faces}",
    )


def curves_figure(
    title: str,
    values: Sequence[float],
    lines: Mapping[str, Sequence[float]],
    other: tuple[str, Sequence[float]],
    mark: float,
) -> Figure:
    """Numbers over `values` (ascending): `lines` on the left axis, `other` on an axis of its own; a line at `mark`."""
    figure, axes = _canvas(title, "")
    right = axes.twinx()
    right.plot(values, other[1], color=_GREEN, linewidth=1.4, marker=".", label=other[0])
    for (name, numbers), colour in zip(lines.items(), (_BLUE, _RED), strict=False):
        axes.plot(values, numbers, color=colour, linewidth=1.4, marker=".", label=name)
    axes.axvline(mark, color=_GREY, linewidth=1, linestyle="--")
    for side, ticks in ((axes, list(lines)), (right, [other[0]])):
        side.set_ylim(0, 1.1 * max(side.get_ylim()[1], 1))
        side.tick_params(colors=_GREY, labelsize=8)
        side.set_ylabel(", ".join(ticks), fontsize=8, color=_GREY)
        side.yaxis.get_major_locator().set_params(integer=True)
    for name, spine in right.spines.items():
        spine.set_color(_GREY)
        spine.set_visible(name == "right")
    handles = [*axes.get_lines()[: len(lines)], *right.get_lines()]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=7, labelcolor=_GREY, frameon=False)
    told = [*lines.items(), other]
    return Figure(
        _address(figure),
        f"{title} {values[0]:g} to {values[-1]:g}, base {mark:g}: "
        + ", ".join(f"{name} {spread(numbers)}" for name, numbers in told),
    )


def learning_figure(
    title: str, lines: Sequence[tuple[Sequence[float], str]], tolerance: float, *, least: float
) -> Figure:
    """Curves over the number of faces, both axes logarithmic: (numbers for k = 1.., verdict) each; a line at tolerance.

    What lies below `least` is not drawn.
    """
    figure, axes = _canvas(title, "faces in the mean")
    colours = {"complete": _GREEN, "would_gain": _BLUE, "too_thin": _RED}
    names = {"complete": "complete", "would_gain": "would gain", "too_thin": "too thin"}
    counts = dict.fromkeys(colours, 0)
    for numbers, verdict in lines:
        label = None if counts[verdict] else names[verdict]
        counts[verdict] += 1
        values = np.asarray(numbers, np.float64)
        values = np.where(values >= least, values, np.nan)
        many = {"linewidth": 0.8, "alpha": 0.6} if len(lines) > 12 else {"linewidth": 1.2}
        axes.plot(range(1, len(values) + 1), values, color=colours[verdict], label=label, **many)
    axes.axhline(tolerance, color=_GREY, linewidth=1, linestyle="--")
    # With limits of its own: where no value is as large as `least`, the axes could not be scaled by what is drawn.
    longest = max((len(numbers) for numbers, _ in lines), default=1)
    largest = max((float(number) for numbers, _ in lines for number in numbers), default=0)
    axes.set_xlim(0.95, 1.05 * max(longest, 2))
    axes.set_ylim(least, 1.2 * max(largest, tolerance, least))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylabel("cosine distance", fontsize=8, color=_GREY)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.tick_params(which="minor", colors=_GREY, labelbottom=False, labelleft=False)
    figure.legend(loc="outside lower center", ncols=3, fontsize=7, labelcolor=_GREY, frameon=False)
    told = ", ".join(f"{count} {names[verdict]}" for verdict, count in counts.items() if count)
    return Figure(_address(figure), f"{title}: {told}; tolerance {tolerance:g}")


def _canvas(title: str, label: str, margins: tuple[float, float, float, float] | None = None) -> tuple[Any, Any]:
    """`margins`: left, bottom, width, height of the axes in the figure; without, matplotlib finds out by drawing all
    twice.
    """
    from matplotlib.figure import Figure as Canvas

    figure = Canvas(figsize=(4.2, 2.4), layout=None if margins else "constrained")
    axes = figure.add_axes(margins) if margins else figure.add_subplot()
    axes.set_title(title, fontsize=10, color=_GREY, pad=18 if margins else None)
    axes.set_xlabel(label, fontsize=8, color=_GREY)
    axes.tick_params(colors=_GREY, labelsize=8)
    axes.patch.set_alpha(0)
    for side, spine in axes.spines.items():
        spine.set_color(_GREY)
        spine.set_visible(side in ("left", "bottom"))
    return figure, axes


def _name_lines(axes: Any) -> None:
    """Names the thresholds between title and plot, where no bar is."""
    if axes.get_legend_handles_labels()[1]:
        axes.legend(
            loc="lower center", bbox_to_anchor=(0.5, 0.98), ncols=2, fontsize=8, labelcolor=_GREY, frameon=False
        )


def _address(figure: Any) -> str:
    import matplotlib

    stream = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "facesets"}):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    return data_uri("image/svg+xml", stream.getvalue())
