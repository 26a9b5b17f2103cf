"""Figures that have nothing large enough to draw are figures all the same."""

import base64

import pytest

from facesets_dagster.reports.figures import learning_figure


@pytest.mark.parametrize("curves", [[[0.0]], [[0.0, 0.0]], [[]], [[0.3, 0.1], [0.0]]])
def test_a_library_of_sets_of_one_face_has_its_curves(curves: list[list[float]]) -> None:
    figure = learning_figure("curves", [(curve, "too_thin") for curve in curves], 0.01, least=1e-4)
    kind, _, svg = figure.address.partition(",")
    assert kind.startswith("data:image/svg+xml")
    assert b"cosine distance" in base64.b64decode(svg)
