"""JSON and YAML of files that anybody may have written: whatever is wrong with them is a `ValueError` with a sentence.

Python's parsers end nested brackets by a RecursionError, and YAML's anchors make a few lines expand to more than any
machine holds.
"""

import json
from typing import Any

import yaml

_TOO_DEEP = "its brackets are nested too deeply"
_MOST_VALUES = 1_000_000
"""Of a YAML file, those counted once more that an anchor repeats."""


def parse_json(text: str | bytes) -> Any:
    """The value. Raises `ValueError`."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


def parse_yaml(text: str) -> Any:
    """The value, of plain types. Raises `ValueError`."""
    try:
        value = yaml.safe_load(text)
        _count(value, {}, set())
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    return value


def _count(value: object, known: dict[int, int], above: set[int]) -> int:
    """How many values it holds, expanded."""
    if not isinstance(value, list | dict):
        return 1
    if id(value) in above:
        raise ValueError("an anchor contains itself")
    if id(value) not in known:
        parts = value if isinstance(value, list) else value.values()
        above.add(id(value))
        known[id(value)] = 1 + sum(_count(part, known, above) for part in parts)
        above.remove(id(value))
    if known[id(value)] > _MOST_VALUES:
        raise ValueError(f"its anchors expand to more than {_MOST_VALUES} values")
    return known[id(value)]
