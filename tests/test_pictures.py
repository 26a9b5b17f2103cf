"""The docs' pictures show today's graph: `make screenshots` leaves a record of what it saw."""

import json

from PIL import Image

from facesets_dagster.definitions import defs
from testing.paths import REPOSITORY

PICTURES = REPOSITORY / "docs" / "pictures"


def record() -> dict:
    return json.loads((PICTURES / "record.json").read_text())


def test_the_picture_of_the_graph_has_todays_assets_and_edges() -> None:
    graph = defs.get_repository_def().asset_graph
    today = {
        key.to_user_string(): sorted(parent.to_user_string() for parent in graph.get(key).parent_keys)
        for key in graph.get_all_asset_keys()
    }
    assert record()["graph"] == today, "The graph changed: run make screenshots."


def test_the_record_lists_the_pictures_that_are_there() -> None:
    sizes = {}
    for path in PICTURES.glob("*.png"):
        with Image.open(path) as picture:
            sizes[path.name] = list(picture.size)
    assert record()["pictures"] == sizes
