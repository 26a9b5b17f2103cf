"""Frozen records of numbers out of JSON that a file keeps: complete, every value a number, and none changed.

100 stays 100 and does not become 100.0: digests are made of these records.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

R = TypeVar("R")


def numbers_of(record: type[R], found: Mapping[str, object]) -> R:
    """The record of these numbers; other keys are left aside. Raises `ValueError` that names the field."""
    values: dict[str, Any] = {}
    for name in (field.name for field in fields(record)):  # type: ignore[arg-type]
        value = found.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"`{name}` is {value!r}, expected a number")
        values[name] = value
    return record(**values)
