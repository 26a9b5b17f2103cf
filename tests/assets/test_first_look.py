"""The first look as an asset: it looks at everything, writes nothing to the library and stands beside the chain."""

import polars as pl
import pytest

from facesets_dagster.definitions import defs
from facesets_dagster.reports.contact_sheet import MAX_MARKDOWN_BYTES
from testing.fake_home import FakeHome
from testing.fakes import FakeFace, write_person, write_photo


def fill(home: FakeHome) -> None:
    bucket = home.buckets / "b"
    write_person(bucket, 1, 7)
    write_person(bucket / "more", 2, 4)
    write_photo(bucket / "alone.png", [FakeFace(5, 0.0, size=24)])  # below every gate, and looked at all the same
    for name in ("view.png", "wall.png"):
        write_photo(bucket / name, [], seed=len(name))
    (bucket / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    (bucket / "same.png").write_bytes((bucket / "alone.png").read_bytes())


def look(home: FakeHome, **config: object) -> dict:
    ops = {"first_look": config} if config else {}
    result = home.materialize("first_look", bucket="b", **ops)
    return dict(result.asset_materializations_for_node("first_look")[0].metadata)


@pytest.fixture
def filled(fake_home: FakeHome) -> FakeHome:
    fake_home.begin(fill)
    fake_home.materialize("face_cache", bucket="b")
    return fake_home


def test_every_face_is_in_a_group_or_alone_and_files_without_one_are_listed(filled: FakeHome) -> None:
    found = look(filled)
    table = pl.read_parquet(filled.settings.cache_dir / "tables" / "first_look" / "b.parquet")
    assert dict(table.group_by("folder").len().iter_rows()) == {
        "person_000": 7, "person_001": 4, "_singletons": 1, "_noface": 2,
    }  # fmt: skip
    assert table.filter(pl.col("folder") == "_singletons")["path"].to_list() == ["alone.png"]
    assert table.filter(pl.col("folder") == "_noface")["path"].to_list() == ["view.png", "wall.png"]
    counts = {name: found[name].value for name in ("faces", "groups", "singletons", "files_without_face")}
    assert counts == {"faces": 12, "groups": 2, "singletons": 1, "files_without_face": 2}
    assert found["files_not_usable"].value == 1
    assert found["largest_groups"].value == [7, 4]
    assert found["cluster_distance"].value == 0.55


def test_nothing_is_written_to_the_library(filled: FakeHome) -> None:
    look(filled)
    assert filled.files() == {}
    assert filled.library.registry.identities() == []
    assert filled.library.registry.generation() == 0


def test_the_page_shows_every_group_the_singletons_and_the_files(filled: FakeHome) -> None:
    found = look(filled)
    (page,) = (filled.settings.reports_dir / "b").glob("*.first_look.html")
    html = page.read_text()
    for text in ("person_000: 7 faces", "person_001: 4 faces", "_singletons", "_noface", "alone.png", "wall.png"):
        assert text in html
    assert html.count("<img ") == 12
    assert page.name in str(found["report"].value)
    assert len(str(found["contact_sheet"].value)) <= MAX_MARKDOWN_BYTES


def test_pictures_are_kept_out_of_the_event_database_on_request(filled: FakeHome) -> None:
    filled.settings = filled.settings.model_copy(update={"pictures_in_ui": False})
    assert "image/jpeg" not in str(look(filled))


def test_the_same_bucket_gives_the_same_table(filled: FakeHome) -> None:
    path = filled.settings.cache_dir / "tables" / "first_look" / "b.parquet"
    look(filled)
    once = path.read_bytes()
    look(filled)
    assert path.read_bytes() == once


def test_a_closer_cut_leaves_more_faces_alone(filled: FakeHome) -> None:
    assert look(filled)["singletons"].value == 1
    assert look(filled, cluster_distance=0.01)["singletons"].value > 1


def test_too_many_faces_at_once_and_a_bucket_that_was_not_read_say_what_to_do(filled: FakeHome) -> None:
    with pytest.raises(Exception, match="at most max_faces = 5 are grouped at once"):
        look(filled, max_faces=5)
    (filled.buckets / "c").mkdir()
    with pytest.raises(Exception, match="Materialize face_cache of this bucket first"):
        filled.materialize("first_look", bucket="c")


def test_it_hangs_beside_the_main_chain() -> None:
    graph = defs.get_repository_def().asset_graph
    node = next(graph.get(key) for key in graph.get_all_asset_keys() if key.to_user_string() == "first_look")
    assert {key.to_user_string() for key in node.parent_keys} == {"face_cache"}
    assert not node.child_keys
