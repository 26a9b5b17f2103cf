"""The page of `faceset_completeness`: all curves in one figure, a small one per faceset, what each still needs."""

import math
from collections.abc import Sequence
from html import escape

from facesets_dagster.analysis.faceset_completeness import Measured, MeasuredLibrary
from facesets_dagster.identities.completeness import CompletenessRules, Estimate, expected_movement, whole
from facesets_dagster.reports.data_uri import svg_uri
from facesets_dagster.reports.figures import Figure, learning_figure
from facesets_dagster.reports.markdown import Markdown, markdown_table
from facesets_dagster.reports.plots import learning_curves
from facesets_dagster.reports.system_page import Section, not_published_sections
from facesets_dagster.wording import counted

FACESET_COLUMNS = ("faceset", "label", "faces", "expected_movement", "more_photos", "verdict", "why")
_WIDTH, _HEIGHT = 300, 120
_LEFT, _TOP, _BOTTOM = 8, 34, 18
_LEAST, _MOST = 2e-3, 0.5
_MAX_CURVES = 200
_CODES = {"complete": "#16a34a", "would_gain": "#6b8afd", "too_thin": "#e5484d"}


def completeness_rows(measured: Sequence[Measured]) -> list[tuple[object, ...]]:
    """`FACESET_COLUMNS`, in the given order."""
    return [
        (
            one.faceset.name,
            one.faceset.identity.label or "",
            one.found.faces,
            f"{one.found.movement.value:.3f} ({one.found.movement.low:.3f} to {one.found.movement.high:.3f})",
            _range(one.found.more),
            one.found.in_words(),
            one.found.reason,
        )
        for one in measured
    ]


def completeness_markdown(measured: Sequence[Measured], most: int) -> Markdown:
    """The table for the UI: the first `most`."""
    return markdown_table(FACESET_COLUMNS, completeness_rows(measured), most=most)


def completeness_sections(library: MeasuredLibrary, rules: CompletenessRules) -> list[Section]:
    """The page."""
    measured = library.facesets
    counts = {verdict: sum(one.found.verdict == verdict for one in measured) for verdict in _CODES}
    return [
        Section(
            "Facesets",
            f"{counts['complete']} complete, {counts['would_gain']} would gain from more photos, "
            f"{counts['too_thin']} too thin to trust. Expected movement: cosine distance that unlimited further "
            "photos of the same kind would still move the mean of the exported faces, with the range in which to "
            f"expect it. More photos: good ones until that is within the tolerance {rules.tolerance:g}. Photos of "
            "other years or other light move it farther than this can know.",
            FACESET_COLUMNS,
            completeness_rows(measured),
        ),
        Section(
            "Learning curves",
            "How far the mean of the best k faces lies from the mean of all, in rank order. Every curve falls to zero "
            "at its own end; a complete faceset is below the dashed line, the tolerance, long before.",
            figures=[all_curves(measured, rules)] if measured else (),
        ),
        Section(
            "One by one",
            f"At most {_MAX_CURVES}, those that need photos most first. Coloured: the mean of the best k faces to the "
            "mean of all of them. Grey: what is expected of k such faces against unlimited ones, until it meets the "
            "dashed tolerance. The upright line: the faces that are there. "
            f"Both axes are logarithmic: from one face to as many as it takes, from {_MOST:g} down to {_LEAST:g}.",
            figures=[small_curve(one, rules) for one in measured[:_MAX_CURVES]],
        ),
        *not_published_sections(library.not_published_here),
    ]


def curves_markdown(measured: Sequence[Measured], rules: CompletenessRules) -> Markdown:
    """The curves of all facesets in one small plot for the UI, those that need photos most first."""
    lines = [(one.found.curve.tolist(), str(one.found.verdict).replace("_", " ")) for one in measured]
    colours = {"complete": "green", "would gain": "blue", "too thin": "red"}
    return learning_curves(lines, colours=colours, tolerance=rules.tolerance, least=_LEAST)


def all_curves(measured: Sequence[Measured], rules: CompletenessRules) -> Figure:
    """The curves of all facesets in one figure."""
    lines = [(one.found.curve.tolist(), str(one.found.verdict)) for one in measured]
    return learning_figure("Mean of the best k to mean of all", lines, rules.tolerance, least=_LEAST)


def small_curve(one: Measured, rules: CompletenessRules) -> Figure:
    """A faceset's curve with its name and verdict, an SVG of about a kilobyte."""
    found = one.found
    more = found.more.value if math.isfinite(found.more.value) else 0
    last = max(found.faces + more, found.faces * 1.2, 2)
    ends = [found.faces * (last / found.faces) ** (step / 8) for step in range(9)]
    grey = [(k, expected_movement(found.noise, k)) for k in [*_steps(found.faces), *ends]]
    own = [(k, float(found.curve[k - 1])) for k in _steps(found.faces) if found.curve[k - 1] > 0]
    title, verdict = escape((one.faceset.identity.label or one.faceset.name)[:40]), found.in_words()
    dashed = _y(rules.tolerance)
    body = (
        f"<text x='{_LEFT}' y='12' font-weight='bold'>{title}</text>"
        f"<text x='{_LEFT}' y='26' fill='{_CODES[found.verdict]}'>{counted(found.faces, 'face')}, {verdict}</text>"
        f"<path d='M{_LEFT},{dashed}H{_WIDTH}' stroke='#888' stroke-dasharray='4 3'/>"
        f"<path d='M{_x(found.faces, last)},{_TOP}V{_HEIGHT - _BOTTOM}' stroke='#888' stroke-width='.5'/>"
        f"<g fill='none'><path d='{_path(grey, last)}' stroke='#aaa'/>"
        f"<path d='{_path(own, last)}' stroke='{_CODES[found.verdict]}' stroke-width='1.6'/></g>"
        f"<text x='{_LEFT}' y='{_HEIGHT - 5}'>1</text>"
        f"<text x='{_WIDTH - 2}' y='{_HEIGHT - 5}' text-anchor='end'>{last:.0f} faces</text>"
    )
    words = f"{one.faceset.name}: {counted(found.faces, 'face')}, {verdict}; {found.reason}"
    return Figure(svg_uri(_WIDTH, _HEIGHT, body, " font-family='sans-serif' font-size='11' fill='#888'"), words)


def _steps(faces: int) -> list[int]:
    """1..faces, at most about 40 of them, closer at the start."""
    return sorted({min(round(faces ** (step / 40)), faces) for step in range(41)} | {1, faces})


def _path(points: Sequence[tuple[float, float]], last: float) -> str:
    return "M" + "L".join(f"{_x(k, last)},{_y(value)}" for k, value in points) if len(points) > 1 else ""


def _x(faces: float, last: float) -> float:
    return round(_LEFT + (_WIDTH - 2 * _LEFT) * math.log(faces) / math.log(last), 1)


def _y(distance: float) -> float:
    depth = math.log(_MOST / min(max(distance, _LEAST), _MOST)) / math.log(_MOST / _LEAST)
    return round(_TOP + (_HEIGHT - _TOP - _BOTTOM) * depth, 1)


def _range(more: Estimate) -> str:
    if not math.isfinite(more.value):
        return "not known"
    return (
        whole(more.value) if more.low == more.high else f"{whole(more.value)} ({whole(more.low)} to {whole(more.high)})"
    )
