"""Errors of the domain as Dagster failures: the message that teaches, and a retry only where one can help.

Not a `RetryPolicy`: that also retries a step that somebody terminated (Dagster 1.13), and Terminate would not end it.
"""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import dagster as dg
from sqlalchemy.exc import OperationalError

from facesets_dagster.errors import FacesetsError, LibraryLocked

P = ParamSpec("P")
R = TypeVar("R")

MAX_RETRIES = 2
RETRY_SECONDS = 5

_MAY_PASS = (LibraryLocked, OSError, OperationalError)
"""A library that another run holds, a disk that was busy, a database that was locked."""


def teaching(function: Callable[P, R]) -> Callable[P, R]:
    """Turns a `FacesetsError` into a `dg.Failure` with its text, and what may pass by itself into a retry."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except _MAY_PASS as error:
            raise dg.RetryRequested(max_retries=MAX_RETRIES, seconds_to_wait=RETRY_SECONDS) from error
        except FacesetsError as error:
            raise dg.Failure(f"{type(error).__name__}: {error}", allow_retries=False) from error

    return wrapped
