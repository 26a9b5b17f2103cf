"""Interruptions of a run (Ctrl-C, SIGTERM, Terminate) reach it, and leave no traceback of a library on their way.

Python raises them wherever the main thread is. In a finalizer or the callback of a weak reference it prints the
traceback and drops the interruption, and the run goes on; SQLAlchemy's pool writes the traceback to its log and
passes the interruption on. Every run and every step stands within `interruptions_that_arrive`.
"""

import _thread
import logging
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

INTERRUPTIONS = (KeyboardInterrupt, dg.DagsterExecutionInterruptedError)
_AGAIN_AFTER_SECONDS = 0.01
"""By then the finalizer is over; if not, the interruption is dropped and delivered once more."""


@contextmanager
def interruptions_that_arrive() -> Iterator[None]:
    """Delivers an interruption again that Python drops, and makes what libraries log of one a debug message."""
    hook, factory = sys.unraisablehook, logging.getLogRecordFactory()

    def record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        made = factory(*args, **kwargs)
        if made.exc_info and isinstance(made.exc_info[1], INTERRUPTIONS):
            made.levelno, made.levelname = logging.DEBUG, "DEBUG"
        return made

    def unraisable(dropped: "UnraisableHookArgs") -> None:
        if isinstance(dropped.exc_value, INTERRUPTIONS):
            _thread.start_new_thread(_interrupt_again, ())  # takes no lock, which the finalizer's thread might hold
        else:
            hook(dropped)

    sys.unraisablehook = unraisable
    logging.setLogRecordFactory(record)
    try:
        yield
    finally:
        sys.unraisablehook = hook
        logging.setLogRecordFactory(factory)


def _interrupt_again() -> None:
    time.sleep(_AGAIN_AFTER_SECONDS)
    main = threading.main_thread().ident
    if main is not None:
        signal.pthread_kill(main, signal.SIGINT)
