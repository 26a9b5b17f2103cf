"""The funnel of a bucket from files to exported faces: its rows, as a table and as a small picture.

Two sums close: files = with faces + without + not usable; faces = all terminal states together.
"""

from dataclasses import dataclass

import polars as pl

from facesets_dagster.faces.schema import READ, failed_photos
from facesets_dagster.publishing.funnel import count_states
from facesets_dagster.reports.data_uri import svg_uri
from facesets_dagster.reports.markdown import Markdown, escape, markdown_table

_STATES = {
    "covered": ("an identity of another bucket has them", "#3b82f6"),
    "below_gate": ("a quality gate", "#dc2626"),
    "outlier": ("far from their cluster", "#f97316"),
    "small_cluster": ("too few photos to found an identity", "#eab308"),
    "same_photo": ("another face of the photo is nearer to the identity", "#a855f7"),
    "near_duplicate": ("a better, almost equal face is exported", "#92400e"),
    "below_export_gate": ("too small to export", "#f87171"),
    "export_outlier": ("members, but too far from the centroid", "#fdba74"),
    "cut_off": ("the face or its crop reaches into what of a damaged photo could not be decoded", "#0f766e"),
    "crop_failed": ("no crop shows exactly this face", "#374151"),
    "exported": ("in a faceset", "#16a34a"),
}
"""State -> its meaning, its colour."""
_WIDTH, _HEIGHT = 280, 18


@dataclass(frozen=True)
class Funnel:
    """Counts of a bucket. `files` = `with_faces` + `without_face` + `not_usable`; `faces` = the sum of `states`."""

    files: int
    copies: int
    """Of the files, those whose bytes another path holds already."""
    with_faces: int
    without_face: int
    not_usable: int
    faces: int
    states: dict[str, int]

    @property
    def exported(self) -> int:
        """Faces in facesets."""
        return self.states.get("exported", 0)

    @property
    def readable(self) -> int:
        """Files that could be read."""
        return self.with_faces + self.without_face


def funnel_of(files: pl.DataFrame, decisions: pl.DataFrame) -> Funnel:
    """`files`: the file table of the face cache; `decisions`: the bucket's terminal states."""
    photos = files.filter(pl.col("status") != "foreign")
    read = photos.filter(pl.col("status").is_in(READ))
    without = len(read.filter(pl.col("status") == "noface"))
    return Funnel(
        files=len(photos),
        copies=len(read) - read["sha256"].n_unique(),
        with_faces=len(read) - without,
        without_face=without,
        not_usable=len(failed_photos(files)),
        faces=len(decisions),
        states=count_states(decisions),
    )


def funnel_table(funnel: Funnel) -> Markdown:
    """The stages for the UI, the parts of each with a dash."""
    rows: list[tuple[object, int]] = [
        ("files", funnel.files),
        (Markdown(f"- readable ({funnel.copies} byte copies)"), funnel.readable),
        (Markdown("- not usable"), funnel.not_usable),
        (Markdown("**faces detected**"), funnel.faces),
        *((Markdown(f"- {escape(state)}"), count) for state, count in funnel.states.items()),
    ]
    return markdown_table(("stage", "count"), rows)


def funnel_picture(funnel: Funnel) -> Markdown:
    """Markdown: one strip, as wide as the faces detected, a colour per state; below 1,000 characters."""
    counts: dict[str, int] = {}
    for state, count in funnel.states.items():
        counts[state.split(":")[0]] = counts.get(state.split(":")[0], 0) + count
    if not counts:
        return Markdown("no face was detected")
    at, parts = 0, list[str]()
    for state, count in counts.items():
        start, at = _WIDTH * at // funnel.faces, at + count
        path = f"M{start},0H{_WIDTH * at // funnel.faces}V{_HEIGHT}H{start}z"
        parts.append(f"<path fill='{colour_of(state)}' d='{path}'/>")
    legend = "from the left: " + ", ".join(f"{state} {count}" for state, count in counts.items())
    return Markdown(f"![]({svg_uri(_WIDTH, _HEIGHT, ''.join(parts))})\n\n{legend}")


def meaning_of(state: str) -> str:
    """What a state means, whichever gate it names."""
    return _STATES[state.split(":")[0]][0]


def colour_of(state: str) -> str:
    """The colour of a state wherever it is drawn."""
    return _STATES[state.split(":")[0]][1]
