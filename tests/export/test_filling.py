"""Sets that are filled up: who fills, in which order, with which mark; and what the legacy numbers still mean."""

from dataclasses import replace

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from facesets_dagster.embedding.thresholds import LEGACY
from facesets_dagster.export.curation import ExportParameters, curate
from facesets_dagster.export.folder import FacesetContent
from facesets_dagster.export.pictures import in_memory
from facesets_dagster.export.rendering import Rendered, RenderedFace, choose
from facesets_dagster.files.records import numbers_of
from facesets_dagster.identities.gates import Verdict

STRICT = ExportParameters(100, 0.45, 0.95, 8, 512, 0.5)
FILLING = replace(STRICT, fill_to=4, fill_floor_px=60)
GATE = "below_export_gate:face_short"
DIGEST_BEFORE = "9c2bfa9ba7ebaf66105d4c24f562fce79d63d888f1bd5bed8c3e877f2684fb97"


def members(shorts: list[float], angles: list[float] | None = None) -> pl.DataFrame:
    """A face on a photo of its own for each size; looks are angles about the person's, none a near-duplicate."""
    count = len(shorts)
    angles = angles or [0.35 * (place % 5 - 2) for place in range(count)]
    around = np.array([[np.cos(a), np.sin(a) * np.cos(n), np.sin(a) * np.sin(n)] for n, a in enumerate(angles)])
    return pl.DataFrame(
        {
            "face_id": [f"f{place:02d}" for place in range(count)],
            "sha256": [f"{place:064x}" for place in range(count)],
            "face_short": np.array(shorts, np.float32),
            "det_score": np.linspace(0.9, 0.7, count).astype(np.float32),
            **{name: np.ones(count, np.float32) for name in ("blur", "frontality", "symmetry")},
            "embedding": around.astype(np.float32),
        }
    )


def exported(
    rows: pl.DataFrame, parameters: ExportParameters, refused: frozenset[str] = frozenset()
) -> tuple[list[str], dict[str, Verdict]]:
    """Faces in the order of the export, and the verdicts on the others; `refused`: faces without a good crop."""
    curated = curate(rows, parameters)
    ids = curated.candidates["face_id"].to_list()
    bad = Verdict("crop_failed:no_face_found")
    order, excluded = choose(
        curated, parameters, np.arange(len(ids)), lambda place: bad if ids[place] in refused else None
    )
    return [ids[place] for place in order], {**curated.excluded, **excluded}


def test_too_few_large_faces_are_filled_up_with_the_next_best_and_come_first() -> None:
    faces, excluded = exported(members([90, 150, 80, 200, 70, 65]), FILLING)
    assert set(faces[:2]) == {"f01", "f03"}
    assert faces[2:] == ["f00", "f02"]  # by rank: size and confidence fall
    assert excluded == {"f04": Verdict(GATE, 70, 100), "f05": Verdict(GATE, 65, 100)}


def test_nobody_below_the_floor_fills_up_and_sets_may_stay_small() -> None:
    faces, excluded = exported(members([59, 150, 60, 20]), FILLING)
    assert faces == ["f01", "f02"]
    assert excluded == {"f00": Verdict(GATE, 59, 100), "f03": Verdict(GATE, 20, 100)}


def test_a_set_with_enough_large_faces_is_as_if_nothing_were_filled() -> None:
    rows = members([150, 80, 160, 170, 90, 180])
    assert exported(rows, FILLING) == exported(rows, STRICT)


def test_a_crop_that_fails_is_made_up_for_from_the_reserve() -> None:
    faces, excluded = exported(members([150, 80, 160, 170, 90, 180]), FILLING, frozenset({"f00", "f01"}))
    assert faces[-1] == "f04"
    assert len(faces) == 4
    assert {face: one.state for face, one in excluded.items()} == dict.fromkeys(
        ("f00", "f01"), "crop_failed:no_face_found"
    )


def test_of_near_duplicates_and_second_faces_of_a_photo_none_fills_up() -> None:
    rows = members([150, 90, 80, 85], [0.0, 0.01, 0.5, 0.6])
    rows = rows.with_columns(sha256=pl.Series(["a", "b", "c", "c"]))
    faces, excluded = exported(rows, FILLING)
    assert faces == ["f00", "f02"]
    assert {face: one.state for face, one in excluded.items()} == {"f01": "near_duplicate", "f03": "same_photo"}


def test_an_outlier_never_fills_up() -> None:
    faces, excluded = exported(members([150, 160, 90, 95], [0.0, 0.4, 0.4, 1.8]), FILLING)
    assert faces[2:] == ["f02"]
    assert excluded["f03"] == Verdict(GATE, 95, 100)


@given(
    st.lists(st.floats(30, 300, width=32), max_size=24),
    st.integers(0, 10),
    st.frozensets(st.sampled_from([f"f{n:02d}" for n in range(24)]), max_size=6),
)
def test_every_member_ends_once_and_sets_are_full_or_the_reserve_is_used_up(
    shorts: list[float], fill_to: int, refused: frozenset[str]
) -> None:
    rows = members(shorts)
    parameters = replace(FILLING, fill_to=fill_to)
    faces, excluded = exported(rows, parameters, refused)
    strict, _ = exported(rows, STRICT, refused)
    assert sorted([*faces, *excluded]) == rows["face_id"].to_list()
    assert faces[: len(strict)] == strict
    assert len(faces) <= max(fill_to, len(strict))
    if len(faces) < fill_to:
        waiting = [face for face, one in excluded.items() if one.state == GATE]
        small = dict(rows.select("face_id", "face_short").iter_rows())
        near = curate(rows, parameters).missed
        assert not [face for face in waiting if small[face] >= parameters.fill_floor_px and face in near]


def content(rendered: Rendered, rows: pl.DataFrame, export: ExportParameters) -> FacesetContent:
    table = rows.with_columns(bucket=pl.lit("b"))
    return FacesetContent("discovered", "b", rendered.faces, rendered.excluded, table, {}, export, {"pack": "p"})


def rendered_face(row: dict[str, object], missed: Verdict | None = None) -> RenderedFace:
    more = {"bucket": "b", "path": "p", "aliases": [], "bbox": [0.0] * 4, "kps": [[0.0, 0.0]] * 5, "rank_score": 1.0}
    return RenderedFace({**row, **more}, in_memory(b"png"), missed)


def test_a_filled_face_is_exported_with_its_size_and_the_gate() -> None:
    rows = members([150, 90])
    first, second = (rows.row(place, named=True) for place in (0, 1))
    faces = (rendered_face(first), rendered_face(second, Verdict(GATE, 90, 100)))
    made = content(Rendered(faces, {}), rows, FILLING)
    assert made.verdicts() == {"f01": Verdict("exported", 90, 100)}
    assert made.digest() != content(Rendered((faces[0], rendered_face(second)), {}), rows, FILLING).digest()


def test_digests_and_records_of_older_releases_stay_as_they_are() -> None:
    """The digest is the one that the release before filled sets computed of the same content."""
    rows = members([150, 90])
    faces = tuple(rendered_face(rows.row(place, named=True)) for place in (0, 1))
    made = content(Rendered(faces, {}), rows, STRICT)
    assert made.digest() == DIGEST_BEFORE
    assert STRICT.recorded() == {
        "min_face_short_px": 100, "outlier_distance": 0.45, "near_duplicate_similarity": 0.95, "top_n": 8,
        "crop_px": 512, "crop_padding": 0.5,
    }  # fmt: skip
    assert numbers_of(ExportParameters, STRICT.recorded()) == STRICT


def test_the_legacy_preset_fills_nothing_and_ranks_alone() -> None:
    assert (LEGACY.fill_to, LEGACY.fill_floor_px, LEGACY.variety) == (0, 0, 0)
