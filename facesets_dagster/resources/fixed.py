"""Resources as the home's settings made them: nothing of them is asked for in run config.

A run with another library or another pack than the home's is a run of another home; and the launchpad of a job shows
its numbers alone.
"""

from typing import Any

import dagster as dg


def fixed(resource: dg.ConfigurableResource[Any]) -> dg.ResourceDefinition:
    """The same resource without run config."""
    fields = type(resource).model_fields
    given = {name: value for name in fields if (value := getattr(resource, name)) is not None}
    return resource.get_resource_definition().configured(given, config_schema={})
