"""The table of known people: one row and one centroid for each identity of the library."""

import numpy as np
import polars as pl

from testing.fake_home import FakeHome
from testing.fakes import write_person


def test_each_identity_is_a_row_with_its_founder_and_the_centroid_of_its_faceset(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "a", 1, 8)
    write_person(fake_home.buckets / "b", 2, 7)
    fake_home.run("a")
    fake_home.run("b")
    fake_home.run("a")  # the table of this run knows both
    table = pl.read_parquet(fake_home.settings.tables_dir / "existing_centroids" / "all.parquet")
    rows = table.select("name", "number", "kind", "bucket", "origin").sort("name").rows()
    assert rows == [
        ("faceset_001", 1, "discovered", "a", "registry"),
        ("faceset_002", 2, "discovered", "b", "registry"),
    ]
    for name, centroid in table.select("name", "centroid").iter_rows():
        with np.load(fake_home.settings.library_dir / name / f"{name}.npz", allow_pickle=False) as vectors:
            np.testing.assert_allclose(centroid, vectors["centroid"], atol=1e-6)
