"""What all assets of the platform have in common: group, owners, code version, checks, and how errors end.

A domain error becomes a Dagster failure with its text; what may pass by itself becomes a retry. Not a `RetryPolicy`:
that also retries a step that somebody terminated (Dagster 1.13), and Terminate would not end it.
"""

import functools
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import dagster as dg
import polars as pl
from sqlalchemy.exc import OperationalError

from facesets_dagster.assets._early_end import noting_an_early_end
from facesets_dagster.assets._order import RUNS_AFTER, priority
from facesets_dagster.errors import FacesetsError, LibraryError, LibraryLocked, RegistryUnavailable
from facesets_dagster.files.trouble import disk_words
from facesets_dagster.partitions import SOURCE_BUCKET
from facesets_dagster.reports.markdown import Markdown
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.resources.interruptions import interruptions_that_arrive

if TYPE_CHECKING:
    Result = dg.MaterializeResult[Any]
else:  # With the type of a value the annotation of an asset does not go with check_specs (Dagster 1.13).
    Result = dg.MaterializeResult

warnings.filterwarnings(
    "ignore", category=dg.BetaWarning, message=".*(observable_source_asset|DataVersionsByPartition)"
)

P = ParamSpec("P")
R = TypeVar("R")

GROUP = "facesets"
OWNERS = ["team:facesets"]
CODE_VERSION = "2"
"""Changed when an asset computes something else from the same inputs; part of what "same inputs" means."""

MAX_RETRIES = 2
RETRY_SECONDS = 5

_MAY_PASS = (LibraryLocked, OSError, OperationalError, RegistryUnavailable)
"""A library that another run holds, a disk that was busy, a database that was locked."""

_CONFIGS: dict[dg.AssetKey, type[dg.Config]] = {}
_IN_JOBS: dict[dg.AssetKey, tuple[dg.AssetsDefinition, Sequence[str]]] = {}


@dataclass(frozen=True)
class Check:
    """A check that an asset reports itself, with its numbers in hand."""

    name: str
    description: str
    blocking: bool = False
    """A failure stops what comes after the asset; one that does not block is a warning."""
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.WARN

    def spec(self, asset: str) -> dg.AssetCheckSpec:
        """The declaration for an asset."""
        return dg.AssetCheckSpec(self.name, asset=asset, blocking=self.blocking, description=self.description)

    def result(self, passed: bool, *, words: str = "", **metadata: Any) -> dg.AssetCheckResult:
        """The verdict, in `words` beside it; metadata that is empty is left out."""
        return dg.AssetCheckResult(
            check_name=self.name,
            passed=passed,
            description=words or None,
            severity=dg.AssetCheckSeverity.ERROR if self.blocking else self.severity,
            metadata=shown(metadata),
        )


UNTOUCHED = Check(
    "others_untouched",
    "No faceset that the run did not name was published, replaced, added or removed. `facesets verify` compares bytes.",
    blocking=True,
)
"""Of every asset that publishes."""


def shown(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as Dagster takes it: Markdown to be drawn, and nothing that says nothing.

    None and empty texts, lists, mappings are left out; zero and False stay.
    """
    said = {name: value for name, value in metadata.items() if value is not None and value not in ("", [], {}, ())}
    return {name: dg.MetadataValue.md(one) if isinstance(one, Markdown) else one for name, one in said.items()}


def library_asset(
    *,
    kinds: set[str],
    deps: Sequence[dg.AssetsDefinition | dg.SourceAsset | dg.AssetSpec | str] = (),
    checks: Sequence[Check] = (),
    partitioned: bool = False,
    table: str | None = None,
    record: type = pl.DataFrame,
    pool: str | None = None,
) -> Callable[[Callable[P, Result]], dg.AssetsDefinition]:
    """The decorator of an asset, named and described by its function.

    What `RUNS_AFTER` says of it becomes edges in jobs only (`in_job_order`). `table`: name of the type of what the
    asset hands on, a data frame or a `record` around one. `pool`: of steps at once.
    """

    def decorate(function: Callable[P, Result]) -> dg.AssetsDefinition:
        # Given here, because an annotation with a value type does not go with check_specs (Dagster 1.13).
        kind = dg.PythonObjectDagsterType(record, name=table) if table else None
        after = RUNS_AFTER.get(function.__name__, ())
        asset = dg.asset(
            deps=[*deps, *after],
            partitions_def=SOURCE_BUCKET if partitioned else None,
            group_name=GROUP,
            owners=OWNERS,
            kinds=kinds,
            code_version=CODE_VERSION,
            pool=pool,
            check_specs=[check.spec(function.__name__) for check in checks],
            io_manager_key="tables" if table else None,
            op_tags={"dagster/priority": str(priority(function.__name__))},
            dagster_type=kind,
        )(teaching(function))
        config = function.__annotations__.get("config")
        if config is not None:
            _CONFIGS[asset.key] = config
        if not after:
            return asset
        _IN_JOBS[asset.key] = asset, after
        return _without_edges_from(asset, after)

    return decorate


def in_job_order(assets: Iterable[Any], names: Collection[str]) -> list[Any]:
    """The same assets with the order of `RUNS_AFTER` as edges, for a job that holds the assets of these names.

    An edge from an asset that the job does not hold would only make what it materializes look out of date.
    """
    ordered = []
    for asset in assets:
        whole, after = _IN_JOBS.get(asset.key, (asset, ()))
        if after:
            specs = _specs_without(whole, [name for name in after if name not in names])
            asset = _with_specs(asset, specs)
        ordered.append(asset)
    return ordered


def record_edges_of(graph: Iterable[Any], job: dg.JobDefinition) -> dg.JobDefinition:
    """The job, whose steps take down as what they read only what is upstream in the graph too.

    Otherwise Dagster (1.13) marks what a job made as out of date for good: "removed dependency on" what was there for
    the order of the job alone. The order itself lies in the steps, which are made already.
    """
    drawn = {spec.key: {dep.asset_key for dep in spec.deps} for asset in graph for spec in _specs_of(asset)}
    for key in job.asset_layer.executable_asset_keys:
        node = job.asset_layer.get(key)
        node.parent_keys = node.parent_keys & drawn[key]
    return job


def config_of(key: dg.AssetKey) -> type[dg.Config] | None:
    """The class of an asset's run config."""
    return _CONFIGS.get(key)


def _specs_of(asset: dg.AssetsDefinition | dg.SourceAsset | dg.AssetSpec) -> Iterable[dg.AssetSpec]:
    if isinstance(asset, dg.AssetSpec):
        return [asset]
    return asset.specs if isinstance(asset, dg.AssetsDefinition) else ()


def _without_edges_from(asset: dg.AssetsDefinition, names: Sequence[str]) -> dg.AssetsDefinition:
    """The same step in a graph without these edges."""
    return _with_specs(asset, _specs_without(asset, names))


def _specs_without(asset: dg.AssetsDefinition, names: Sequence[str]) -> list[dg.AssetSpec]:
    keys = {dg.AssetKey(name) for name in names}
    return [
        spec.replace_attributes(deps=[dep for dep in spec.deps if dep.asset_key not in keys]) for spec in asset.specs
    ]


def _with_specs(asset: dg.AssetsDefinition, specs: Sequence[dg.AssetSpec]) -> dg.AssetsDefinition:
    """The op stays the same object, because a code location may have one of a name: `map_asset_specs` makes another."""
    return dg.AssetsDefinition.dagster_internal_init(**{**asset.get_attributes_dict(), "specs": specs})


def _last_words(error: Exception, arguments: Sequence[object]) -> str | None:
    """The sentence with which the last try of a step ends; None if it is tried again, or there is no sentence."""
    tries = [one.retry_number for one in arguments if isinstance(one, dg.AssetExecutionContext | dg.OpExecutionContext)]
    if not tries or max(tries) < MAX_RETRIES:
        return None
    return disk_words(error) if isinstance(error, OSError) else str(error) if isinstance(error, FacesetsError) else None


def teaching(function: Callable[P, R]) -> Callable[P, R]:
    """Turns a `FacesetsError` into a `dg.Failure` with its text, and what may pass by itself into a retry."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        _refuse_what_is_no_pair([*args, *kwargs.values()])
        with noting_an_early_end([*args, *kwargs.values()]):
            try:
                with interruptions_that_arrive():
                    return function(*args, **kwargs)
            except _MAY_PASS as error:
                words = _last_words(error, [*args, *kwargs.values()])
                if words is not None:
                    raise dg.Failure(words, allow_retries=False) from error
                raise dg.RetryRequested(max_retries=MAX_RETRIES, seconds_to_wait=RETRY_SECONDS) from error
            except FacesetsError as error:
                raise dg.Failure(str(error), allow_retries=False) from error

    return wrapped


def _refuse_what_is_no_pair(arguments: Iterable[object]) -> None:
    """Raises `dg.Failure`, before anything is written, if the home's library is not the registry's."""
    try:
        for home in (one for one in arguments if isinstance(one, HomeResource)):
            home.library()
    except LibraryError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
