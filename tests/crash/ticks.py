"""Ticks of the sensor and the runs that they request, until nothing is requested any more."""

import dagster as dg

from facesets_dagster.automation.sensors import build_new_bucket_sensor
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.resources.run_process import end_dead_runs
from testing.fake_home import FakeHome

_MOST = 5


def tick_until_rest(home: FakeHome, job: str) -> None:
    """What the daemon does; a run that fails raises. Raises `AssertionError` if there is no rest."""
    sensor, cursor = build_new_bucket_sensor(job, settle_seconds=0, on=True), None
    end_dead_runs(home.instance, home.library.registry)  # the sensor `dead_run_sensor`
    for _ in range(_MOST):
        context = dg.build_sensor_context(
            instance=home.instance, cursor=cursor, resources={"home": HomeResource.of(home.settings)}
        )
        result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        cursor = result.cursor
        for request in result.run_requests or []:
            if request.partition_key is None:
                home.materialize(*(key.to_user_string() for key in request.asset_selection or ()))
            else:
                home.run(request.partition_key, job=job)
        if not result.run_requests:
            return
    raise AssertionError("the sensor comes to no rest")
