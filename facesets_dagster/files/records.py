"""Frozen records of numbers out of JSON that a file keeps: complete, every value a number, and none changed.

100 stays 100 and does not become 100.0: digests are made of these records. A field with a default is one that older
files lack, and the default is what was done then.
"""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar

R = TypeVar("R")


def required(record: type[R]) -> tuple[Field[Any], ...]:
    """The fields of a record that every file has."""
    return tuple(field for field in fields(record) if field.default is MISSING)  # type: ignore[arg-type]


def numbers_of(record: type[R], found: Mapping[str, object]) -> R:
    """The record of these numbers; other keys are left aside. Raises `ValueError` that names the field."""
    values: dict[str, Any] = {}
    for field in fields(record):  # type: ignore[arg-type]
        name = field.name
        if name not in found and field.default is not MISSING:
            continue
        value = found.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"`{name}` is {value!r}, expected a number")
        values[name] = value
    return record(**values)
