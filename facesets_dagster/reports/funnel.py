"""The funnel of a bucket from files to exported faces: its rows, as a table and as a small picture.

Two sums close: files = with faces + without + not usable; faces = all terminal states together.
"""

from dataclasses import dataclass

import polars as pl

from facesets_dagster.faces.schema import READ, failed_photos
from facesets_dagster.publishing.funnel import count_states
from facesets_dagster.reports.data_uri import svg_uri
from facesets_dagster.reports.markdown import Markdown, escape, markdown_table
from facesets_dagster.wording import counted

_COLOURS = {
    "ignored": "#94a3b8",
    "ruled_out": "#be185d",
    "covered": "#3b82f6",
    "below_gate": "#dc2626",
    "outlier": "#f97316",
    "small_cluster": "#eab308",
    "same_photo": "#a855f7",
    "near_duplicate": "#92400e",
    "below_export_gate": "#f87171",
    "export_outlier": "#fdba74",
    "cut_off": "#0f766e",
    "crop_failed": "#64748b",
    "withheld": "#1e293b",
    "exported": "#16a34a",
}
_MEANINGS = {
    "ignored": "a ruling ignores them, or the person whose they are",
    "ruled_out": "a ruling says that they are not that person; the next run of the bucket judges them again",
    "covered": "an identity that was known before has them",
    "below_gate": "below a quality gate, so that they do not count",
    "below_gate:face_short": "too small in the photo to count",
    "below_gate:blur": "too blurred to count",
    "below_gate:quality": "the recogniser makes too little of it: covered, turned away, or no face",
    "below_gate:det_score": "the detector is not sure enough that it is a face",
    "below_gate:majority": "their hand-sorted folder shows no person in most of its photos",
    "outlier": "too far from the centroid of their cluster",
    "small_cluster": "their person is in too few photos to found an identity",
    "same_photo": "another face of the same photo is nearer to the identity",
    "near_duplicate": "a better, almost equal face of the person is exported",
    "near_duplicate:copy": "another copy of the photo is exported, in another size or edited",
    "below_export_gate": "members, but too poor to export",
    "below_export_gate:face_short": "members, but too small to export",
    "export_outlier": "members, but too far from the person's centroid to export",
    "cut_off": "members, but the face or its crop reaches into what of a damaged photo could not be decoded",
    "crop_failed": "members, but no picture could be cut out",
    "crop_failed:no_face_found": "members, but the detector finds no face in the picture that was cut out",
    "crop_failed:several_faces_found": "members, but the picture that was cut out shows more than one face",
    "crop_failed:looks_different": "members, but the picture that was cut out looks like another face",
    "crop_failed:source_missing": "members, but the photo is gone",
    "withheld": "would be exported, but `consent.yaml` withholds them",
    "exported": "in a faceset",
}
"""State -> its meaning. A state that is not here has the meaning of its part before the colon, and names the reason."""
_UNITS = {
    "ignored": "cos-dist {:.3f}",
    "covered": "cos-dist {:.3f}",
    "below_gate:face_short": "{:.0f} px",
    "below_gate:blur": "sharpness {:.0f}",
    "below_gate:det_score": "det_score {:.2f}",
    "below_gate:quality": "quality {:.2f}",
    "below_export_gate:face_short": "{:.0f} px",
    "outlier": "cos-dist {:.3f}",
    "same_photo": "cos-dist {:.3f}",
    "near_duplicate": "similarity {:.3f}",
    "near_duplicate:copy": "similarity {:.3f}",
    "export_outlier": "cos-dist {:.3f}",
    "cut_off": "{:.0%} of the crop",
    "crop_failed:looks_different": "cos-dist {:.3f}",
    "withheld": "rank {:.0f}",
    "exported": "{:.0f} px",
}
"""State -> how the number that decided it is written."""
_COUNTED = {"small_cluster": "photo", "crop_failed:several_faces_found": "face"}
"""The same where that number is a count."""
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
    """What a state means, told apart by gate and by why a crop failed."""
    if state in _MEANINGS:
        return _MEANINGS[state]
    group, _, why = state.partition(":")
    return f"{_MEANINGS[group]}: {why.replace('_', ' ')}"


def colour_of(state: str) -> str:
    """The colour of a state wherever it is drawn."""
    return _COLOURS[state.split(":")[0]]


def value_in_words(state: str, value: float | None) -> str:
    """The number that decided a state, with its unit; empty where there is none."""
    if value is None:
        return ""
    if state in _COUNTED:
        return counted(round(value), _COUNTED[state])
    return _UNITS.get(state, "{:.3g}").format(value)
