"""The templates of the reports."""

from functools import cache
from typing import Any

from facesets_dagster.reports.markdown import code, escape
from facesets_dagster.wording import counted


@cache
def template(name: str) -> Any:
    """A template of this package, compiled once; every value in it is escaped, as HTML or as Markdown."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("facesets_dagster.reports"),
        autoescape=name.endswith(".html"),
        undefined=StrictUndefined,
        finalize=escape if name.endswith(".md") else None,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template(name, globals={"counted": counted, "code": code})
