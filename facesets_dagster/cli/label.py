"""`facesets label`: a name in the registry, and the top manifest brought up to it through Dagster."""

from facesets_dagster.automation.in_process import run_job
from facesets_dagster.cli.dagster_instance import instance_of
from facesets_dagster.definitions import build_defs
from facesets_dagster.errors import LibraryError
from facesets_dagster.registry.merges import redirects
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.settings import Settings


def label_faceset(settings: Settings, faceset: str, label: str | None) -> str:
    """Names a faceset, or the one that it was merged into, and materializes `top_manifest`; gives its name."""
    registry = HomeResource.of(settings).library().registry
    name = redirects(registry).get(faceset, faceset)
    registry.set_label(name, label)
    with instance_of(settings) as instance:
        named = {"facesets/faceset": name, "facesets/person": label or "no name"}
        done = run_job(build_defs(settings).resolve_job_def("label_faceset"), instance, tags=named)
    if not done.success:
        raise LibraryError(
            f"The name is kept, but top_manifest failed (run {done.run_id}). Its log says why; materialize it again."
        )
    return name
