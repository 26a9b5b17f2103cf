"""The terminal of `make dev` stays quiet: runs of sensor and UI print warnings and errors only."""

import dagster as dg
import pytest

import facesets_dagster.definitions  # noqa: F401 - the process of every run imports it
from testing.fake_home import FakeHome


@dg.op
def talkative(context: dg.OpExecutionContext) -> None:
    """Says something at three levels."""
    context.log.debug("a detail")
    context.log.info("a number")
    context.log.warning("a warning")


@dg.job(executor_def=dg.in_process_executor)
def a_job() -> None:
    talkative()


def test_a_run_whose_config_names_no_logger_prints_warnings_only(
    fake_home: FakeHome, capfd: pytest.CaptureFixture[str]
) -> None:
    done = a_job.execute_in_process(instance=fake_home.instance)
    (printed,) = capfd.readouterr().err.splitlines()
    assert "a warning" in printed
    kept = [record.user_message for record in fake_home.instance.all_logs(done.run_id)]
    assert {"a detail", "a number", "a warning"} <= {*kept}
