"""What is wrong with a run config, in sentences: unknown names with the nearest known one, values with their range.

Dagster itself tells types and unknown fields, but neither what was meant nor a number out of its range, which only the
step would refuse.
"""

import difflib
from collections.abc import Collection, Mapping

import dagster as dg
from pydantic import ValidationError

from facesets_dagster.assets._asset import config_of


def problems_of(run_config: Mapping[str, object], steps: Collection[str]) -> list[str]:
    """A sentence for everything that a job with these steps would refuse; [] if there is nothing."""
    ops = run_config.get("ops", {})
    if not isinstance(ops, Mapping):
        return [f"`ops` is {ops!r}. Expected a mapping of steps, e.g. osrc_clusters: {{config: {{min_faces: 4}}}}."]
    found = []
    for step, given in ops.items():
        if step not in steps:
            found.append(f"{step!r} is no step of this job. {_meant(str(step), steps)}")
            continue
        config = given.get("config", {}) if isinstance(given, Mapping) else given
        if not isinstance(config, Mapping):
            found.append(f"The config of {step} is {config!r}. Expected a mapping of fields.")
            continue
        found += _of_step(str(step), config)
    return found


def _of_step(step: str, config: Mapping[str, object]) -> list[str]:
    known = config_of(dg.AssetKey(step))
    if known is None:
        return [f"{step} takes no config."] if config else []
    fields = known.model_fields
    found = [f"{step} has no field {name!r}. {_meant(str(name), fields)}" for name in config if name not in fields]
    try:
        known(**{str(name): value for name, value in config.items() if name in fields})
    except ValidationError as error:
        for one in error.errors():
            place = ".".join(map(str, one["loc"]))
            reason = one["msg"].removeprefix("Input ")
            found.append(f"{place} of {step} is {one['input']!r}; it {reason}.{_range(known, str(one['loc'][0]))}")
    return found


def _range(config: type[dg.Config], field: str) -> str:
    """` It lies between 0 and 2.`, as far as the field is bounded."""
    schema = config.model_json_schema()["properties"].get(field, {})
    bounds = next((one for one in (schema, *schema.get("anyOf", ())) if {"minimum", "maximum"} <= one.keys()), None)
    return f" It lies between {bounds['minimum']:g} and {bounds['maximum']:g}." if bounds else ""


def _meant(name: str, names: Collection[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean {near[0]}?" if near else f"Known are: {', '.join(sorted(names))}."
