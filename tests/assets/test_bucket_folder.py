"""The observation of the bucket folders."""

import dagster as dg
import pytest

from facesets_dagster.errors import BucketError
from facesets_dagster.partitions import SOURCE_BUCKET
from facesets_dagster.photos.listing import BucketListing, list_bucket
from facesets_dagster.resources.home import HomeResource
from testing.fake_home import FakeHome

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning")  # as the module itself does

LOCKED = "The folder locked/private cannot be read"


@pytest.fixture
def home(fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch) -> FakeHome:
    """Buckets `a`, `b` and `locked`, of which the last cannot be read."""

    def listing(self: HomeResource, bucket: str) -> BucketListing:
        if bucket == "locked":
            raise BucketError(LOCKED)
        return list_bucket(self.bucket_folder(bucket))

    for bucket in ("a", "b", "locked"):
        (fake_home.buckets / bucket).mkdir()
        fake_home.instance.add_dynamic_partitions(str(SOURCE_BUCKET.name), [bucket])
    monkeypatch.setattr(HomeResource, "listing", listing)
    return fake_home


def test_a_bucket_that_cannot_be_read_leaves_the_others_observed(home: FakeHome) -> None:
    result = home.materialize("bucket_folder")
    assert result.success
    observed = home.instance.fetch_observations(dg.AssetKey("bucket_folder"), limit=10).records
    assert {record.partition_key for record in observed} == {"a", "b"}
    assert any(LOCKED in entry.user_message for entry in home.instance.all_logs(result.run_id))


def test_nothing_but_buckets_that_cannot_be_read_is_an_error(home: FakeHome) -> None:
    for bucket in ("a", "b"):
        (home.buckets / bucket).rmdir()
    assert not home.materialize("bucket_folder", raise_on_error=False).success
