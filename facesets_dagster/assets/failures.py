"""Errors of the domain as Dagster failures: the message that teaches, no retry where a retry cannot help."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import dagster as dg

from facesets_dagster.errors import FacesetsError, LibraryLocked

P = ParamSpec("P")
R = TypeVar("R")

RETRY = dg.RetryPolicy(max_retries=2, delay=5)
"""For what may pass by itself: a disk that was busy, a database that was locked."""


def teaching(function: Callable[P, R]) -> Callable[P, R]:
    """Turns a `FacesetsError` into a `dg.Failure` with its text; only a held lock is worth a retry."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except FacesetsError as error:
            raise dg.Failure(
                f"{type(error).__name__}: {error}", allow_retries=isinstance(error, LibraryLocked)
            ) from error

    return wrapped
