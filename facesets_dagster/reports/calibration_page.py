"""The page of `pack_calibration`: the numbers beside those before, a curve for each, the other half of the people."""

from collections.abc import Mapping, Sequence

from facesets_dagster.identities.calibration import BOUND, MARGIN, Calibration, Curve
from facesets_dagster.identities.same_photo import Looseness
from facesets_dagster.reports.figures import Figure, curves_figure
from facesets_dagster.reports.markdown import Markdown, markdown_table
from facesets_dagster.reports.plots import curves
from facesets_dagster.reports.system_page import Section
from facesets_dagster.wording import counted

_METHOD = (
    f"Each distance is the loosest with at most {1_000 * BOUND:g} wrong pairs (two people in one cluster) for "
    f"1,000 pairs of one person, less {MARGIN:g}, and no looser than a crowd of thousands of strangers allows. The "
    "number measured first is fixed for the next."
)
_HALVES = (
    "People are divided into halves by their names. The numbers chosen on one half, and what they come to on the "
    "other, whose people had no part in the choice."
)
_OWN = (
    "Two faces of one photo are two people, but for collages, mirrors and pictures on a wall. Photos of the home can "
    "show that a distance is too loose; whether it is too tight, and the distances of covering, outliers and copies, "
    "they cannot."
)


def numbers_table(before: Mapping[str, object], numbers: Mapping[str, float]) -> Markdown:
    """Number, before, now."""
    return markdown_table(("number", "before", "now"), number_rows(before, numbers))


def number_rows(before: Mapping[str, object], numbers: Mapping[str, float]) -> list[tuple[str, object, float]]:
    """Rows of the same."""
    return [(name, before.get(name, ""), value) for name, value in sorted(numbers.items())]


def curve_of(curve: Curve) -> Markdown:
    """The small curve for the UI."""
    lines: dict[str, list[float]] = {
        "wrong pairs, of 1,000": [round(1_000 * one.wrong_merges, 2) for one in curve.scores],
        "BCubed F, of 1,000": [round(1_000 * one.bcubed_f) for one in curve.scores],
    }
    return curves(curve.values, lines, mark=curve.chosen)


def _figure(curve: Curve) -> Figure:
    return curves_figure(
        curve.name,
        curve.values,
        {"wrong pairs, of 1,000": [round(1_000 * one.wrong_merges, 2) for one in curve.scores]},
        ("BCubed F, of 1,000", [round(1_000 * one.bcubed_f) for one in curve.scores]),
        mark=curve.chosen,
    )


def folder_sections(
    found: Calibration, before: Mapping[str, object], numbers: Mapping[str, float], left_out: Sequence[str]
) -> list[Section]:
    """Of a calibration with labels."""
    rows = [
        (("first", "second")[place], f"{one.scores.wrong_merges:.3%}",
         f"{one.scores.bcubed_f:.4f}", ", ".join(f"{name} {value:g}" for name, value in one.numbers.items()))
        for place, one in enumerate(found.crossed)
    ]  # fmt: skip
    sections = [
        Section("Numbers", _METHOD, ("number", "before", "now"), number_rows(before, numbers)),
        Section(
            "On people who were not chosen on", _HALVES, ("chosen on half", "wrong pairs", "BCubed F", "numbers"), rows
        ),
        Section("Curves", "The line is at the number chosen.", figures=[_figure(curve) for curve in found.curves]),
    ]
    if left_out:
        sections.append(Section("Not used", "Probably label noise.", ("what",), [(line,) for line in left_out]))
    return sections


def home_sections(found: Looseness, before: Mapping[str, object]) -> list[Section]:
    """Of a calibration without labels."""
    words = f"{counted(found.mixed, 'photo')} of {found.photos} with two people have two of them in one cluster. "
    words += (
        "The first distances at which that is rare:" if found.too_loose else "The distances are not too loose here."
    )
    return [
        Section("Photos of this home", f"{words} {_OWN}", ("number", "before", "now"), number_rows(before, found.safe))
    ]
