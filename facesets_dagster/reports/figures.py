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

_GREY, _BLUE, _RED = "#888888", "#6b8afd", "#e5484d"


@dataclass(frozen=True)
class Figure:
    """A plot as a data URI and what it shows, in words."""

    address: str
    words: str


def histogram_figure(title: str, unit: str, values: NDArray[np.floating], thresholds: Mapping[str, float]) -> Figure:
    """Distribution of `values` (n,), n > 0, with named thresholds as lines; the last percent is drawn at the border."""
    marks = list(thresholds.values())
    low, high = min([float(values.min()), *marks]), max([float(np.quantile(values, 0.99)), *marks])
    figure, axes = _canvas(title, f"{unit}, {len(values)} faces")
    axes.hist(values.clip(low, high), bins=24, color=_BLUE)
    for name, mark in thresholds.items():
        axes.axvline(mark, color=_RED, linewidth=1.2)
        axes.annotate(f"{name} {mark:g}", (mark, 0.97), xycoords=("data", "axes fraction"), color=_RED, fontsize=8,
                      rotation=90, va="top", ha="right")  # fmt: skip
    return Figure(_address(figure), f"{title}: least {values.min():.3g}, median {np.median(values):.3g}, "
                  f"most {values.max():.3g} {unit}")  # fmt: skip


def sizes_figure(sizes: Sequence[int], min_faces: int) -> Figure:
    """Cluster sizes, largest first, at most 60; the line is what it takes to found an identity."""
    figure, axes = _canvas("Raw clusters, largest first", "cluster")
    axes.bar(range(1, len(sizes[:60]) + 1), sizes[:60], color=_BLUE)
    axes.axhline(min_faces, color=_RED, linewidth=1.2)
    axes.xaxis.get_major_locator().set_params(integer=True)
    return Figure(_address(figure), f"{len(sizes)} raw clusters, the largest {', '.join(map(str, sizes[:10]))}; "
                  f"min_faces {min_faces}")  # fmt: skip


def _canvas(title: str, label: str) -> tuple[Any, Any]:
    from matplotlib.figure import Figure as Canvas

    figure = Canvas(figsize=(4.2, 2.4), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=10, color=_GREY)
    axes.set_xlabel(label, fontsize=8, color=_GREY)
    axes.tick_params(colors=_GREY, labelsize=8)
    axes.patch.set_alpha(0)
    for side, spine in axes.spines.items():
        spine.set_color(_GREY)
        spine.set_visible(side in ("left", "bottom"))
    return figure, axes


def _address(figure: Any) -> str:
    import matplotlib

    stream = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "facesets"}):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    return data_uri("image/svg+xml", stream.getvalue())
