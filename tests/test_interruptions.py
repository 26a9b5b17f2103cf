"""A person's interruption reaches the run wherever Python raises it, and no library's traceback goes with it."""

import gc
import logging
import signal
import sys
import time
import weakref
from collections.abc import Callable, Iterator

import dagster as dg
import pytest
import sqlalchemy as sa

from facesets_dagster.assets._asset import teaching
from facesets_dagster.automation.in_process import run_job
from facesets_dagster.resources.interruptions import interruptions_that_arrive
from testing.fake_home import FakeHome

PATIENCE_SECONDS = 20
LOST = "the interruption was lost"


class Finalized:
    """Interrupts the process when it goes."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


class Referred:
    """Something to refer to."""


def in_a_finalizer() -> None:
    Finalized()


def in_the_callback_of_a_weak_reference() -> None:
    referred = Referred()
    watched = weakref.ref(referred, lambda _: signal.raise_signal(signal.SIGINT))
    del referred
    assert watched() is None


def in_a_generator_that_is_dropped() -> None:
    def generator() -> Iterator[int]:
        try:
            yield 1
        finally:
            signal.raise_signal(signal.SIGINT)

    next(generator())
    gc.collect()


def work() -> None:
    """Long enough to see the interruption."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        time.sleep(0.001)
    pytest.fail(LOST)


def ends_badly(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT 1"))


def engine_whose_connections_close_with(error: BaseException) -> sa.Engine:
    engine = sa.create_engine("sqlite://", poolclass=sa.NullPool)

    def close(_: object) -> None:
        raise error

    engine.dialect.do_close = close  # type: ignore[method-assign]
    return engine


DROPPED = [in_a_finalizer, in_the_callback_of_a_weak_reference, in_a_generator_that_is_dropped]


@pytest.mark.parametrize("interrupted", DROPPED)
def test_an_interruption_that_python_drops_is_delivered_again(
    interrupted: Callable[[], None], capfd: pytest.CaptureFixture[str]
) -> None:
    @teaching
    def step() -> None:
        interrupted()
        work()

    with pytest.raises(KeyboardInterrupt):
        step()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("interrupted", DROPPED)
def test_a_run_that_is_interrupted_where_python_drops_it_is_canceled(
    fake_home: FakeHome, interrupted: Callable[[], None], capfd: pytest.CaptureFixture[str]
) -> None:
    @dg.op
    def step() -> None:
        interrupted()
        work()

    @dg.job(executor_def=dg.in_process_executor)
    def a_job() -> None:
        step()

    done = run_job(a_job, fake_home.instance)
    assert done.interrupted
    record = fake_home.instance.get_run_by_id(done.run_id)
    assert record is not None
    assert record.status == dg.DagsterRunStatus.CANCELED
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("kind", [KeyboardInterrupt, dg.DagsterExecutionInterruptedError])
def test_what_a_library_logs_of_an_interruption_is_no_error(
    kind: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(kind), interruptions_that_arrive():
        ends_badly(engine_whose_connections_close_with(kind()))
    (record,) = [one for one in caplog.records if one.name.startswith("sqlalchemy.pool")]
    assert (record.levelno, record.exc_info is not None) == (logging.DEBUG, True)


def test_other_errors_of_libraries_are_logged_and_printed_as_ever(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda dropped: printed.append(dropped.exc_value))

    class Broken:
        def __del__(self) -> None:
            raise ValueError("no ink")

    with interruptions_that_arrive():
        ends_badly(engine_whose_connections_close_with(ValueError("no ink")))
        Broken()
    assert [type(one) for one in printed] == [ValueError]
    assert [one.levelno for one in caplog.records if one.name.startswith("sqlalchemy.pool")] == [logging.ERROR]


def test_the_hooks_of_the_process_are_as_before_afterwards() -> None:
    before = sys.unraisablehook, logging.getLogRecordFactory()
    with interruptions_that_arrive():
        pass
    assert (sys.unraisablehook, logging.getLogRecordFactory()) == before
