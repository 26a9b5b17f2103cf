"""A clock that is set to another time: what the platform, Dagster and the libraries read of the time of day."""

import datetime as times
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

DAY = 86_400.0


@contextmanager
def clock_ahead(seconds: float) -> Iterator[None]:
    """The clock of this process is ahead by so much, or behind; files keep the dates that the system gives them."""
    real_time, real_datetime, real_date = time.time, times.datetime, times.date
    ahead = times.timedelta(seconds=seconds)

    class Shifted(real_datetime):
        @classmethod
        def now(cls, tz: times.tzinfo | None = None) -> times.datetime:  # type: ignore[override]
            return real_datetime.now(tz) + ahead

    class ShiftedDate(real_date):
        @classmethod
        def today(cls) -> times.date:  # type: ignore[override]
            return (real_datetime.now() + ahead).date()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: real_time() + seconds)
        for name, module in list(sys.modules.items()):
            if name.startswith("facesets_dagster"):
                for word, real, shifted in (("datetime", real_datetime, Shifted), ("date", real_date, ShiftedDate)):
                    if getattr(module, word, None) is real:
                        patch.setattr(module, word, shifted)
        yield
