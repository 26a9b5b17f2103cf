"""The code location as users and outside checks see it: names, descriptions, defaults, docs."""

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise, product
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.snap.job_snapshot import JobSnap
from dagster._core.snap.snap_to_yaml import default_values_yaml_from_type_snap
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

import facesets_dagster.assets
from facesets_dagster.assets._launchpad import config_with_pack_numbers
from facesets_dagster.assets._order import FIRST_TO_LAST, PUBLISHERS, RUNS_AFTER
from facesets_dagster.assets.face_cache import FaceCacheConfig
from facesets_dagster.assets.osrc_clusters import OsrcClustersConfig
from facesets_dagster.assets.swap_ready_facesets import SwapReadyFacesetsConfig
from facesets_dagster.automation.jobs import BUCKET_JOBS, FULL_PIPELINE, MAIN_CHAIN
from facesets_dagster.cli.main import app
from facesets_dagster.definitions import ASSETS, build_defs, defs
from facesets_dagster.embedding.thresholds import (
    ARCFACE,
    LEGACY,
    MOBILEFACENET_128,
    SFACE,
    W600K_MBF,
    PackThresholds,
)
from facesets_dagster.export.curation import ExportParameters
from facesets_dagster.identities.cluster_table import DiscoveryParameters
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.settings import JOBS, load_settings
from testing.homes import RealHome
from testing.paths import REPOSITORY

SYSTEMS = {
    "legacy_library",
    "hand_sorted_facesets",
    "first_look",
    "refined_library",
    "extended_facesets",
    "era_facesets",
    "candidate_faces",
    "library_duplicates",
    "doubtful_faces",
    "review_queue",
    "merge_proposals",
    "rulings",
    "applied_rulings",
    "what_if",
    "pack_calibration",
    "face_landmarks",
    "consumer_exports",
    "consumer_simulation",
    "faceset_completeness",
}
"""Assets beside the main chain, by the names of the contract."""
MATERIALIZABLE = [asset for asset in ASSETS if isinstance(asset, dg.AssetsDefinition) and asset.is_executable]
NAMES = {asset.key.to_user_string() for asset in MATERIALIZABLE}
MODULES = [
    import_module(f"facesets_dagster.assets.{name}") for _, name, _ in iter_modules(facesets_dagster.assets.__path__)
]
CONFIGS = sorted(
    {
        value
        for module in MODULES
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, dg.Config) and value.__module__ == module.__name__
    },
    key=lambda config: config.__name__,
)
ASSET_PAGES = REPOSITORY / "docs" / "assets"


def test_the_graph_has_the_names_of_the_contract() -> None:
    repository = defs.get_repository_def()
    names = {key.to_user_string() for key in repository.asset_graph.get_all_asset_keys()}
    assert names == {*MAIN_CHAIN, *SYSTEMS, "bucket_folder", "library"}
    assert "extended_facesets" in MAIN_CHAIN
    assert repository.has_job("discover_identities")
    assert repository.has_job("full_pipeline")
    assert repository.has_sensor_def("new_bucket_sensor")
    assert repository.has_schedule_def("nightly_rescan")


OPTIONAL = {*SYSTEMS} - {*MAIN_CHAIN}
READERS = (
    "candidate_faces",
    "merge_proposals",
    "doubtful_faces",
    "review_queue",
    "library_duplicates",
    "faceset_completeness",
    "face_landmarks",
    "consumer_exports",
    "consumer_simulation",
)


def parents(name: str) -> set[str]:
    node = defs.get_repository_def().asset_graph.get(dg.AssetKey(name))
    return {key.to_user_string() for key in node.parent_keys}


def test_the_main_chain_is_one_line_and_the_library_the_hub() -> None:
    assert parents("face_cache") == {"bucket_folder"}
    assert parents("osrc_uncovered") == {"face_cache", "existing_centroids"}
    assert parents("extended_facesets") == {"osrc_uncovered"}
    assert parents("osrc_clusters") == {"osrc_uncovered", "extended_facesets"}
    assert parents("swap_ready_facesets") == {"osrc_uncovered", "osrc_clusters"}
    assert parents("library") == {*PUBLISHERS}
    assert parents("top_manifest") == {"library", "swap_ready_facesets"}
    for reader in READERS:
        assert parents(reader) == {"top_manifest"}
    for name in ("first_look", "refined_library", "what_if"):
        assert parents(name) == {"face_cache"}


def test_what_runs_first_begins_first() -> None:
    named = [(name, before) for name, after in RUNS_AFTER.items() for before in after if before in RUNS_AFTER]
    assert len(named) >= 6
    assert [pair for pair in named if FIRST_TO_LAST.index(pair[0]) < FIRST_TO_LAST.index(pair[1])] == []
    assert {*RUNS_AFTER} <= {asset.key.to_user_string() for asset in MATERIALIZABLE}


def test_nothing_optional_is_upstream_of_what_works_without_it() -> None:
    """The UI asks "Are you sure?" before what has an upstream asset that was never materialized."""
    graph = defs.get_repository_def().asset_graph
    for key in graph.materializable_asset_keys:
        upstream = {parent for parent in graph.get(key).parent_keys if graph.get(parent).is_materializable}
        assert not {parent.to_user_string() for parent in upstream} & OPTIONAL, key


def test_discovery_alone_has_no_step_for_known_people(tmp_path) -> None:
    settings = load_settings({"FACESETS_HOME": str(tmp_path), "FACESETS_JOIN_KNOWN": "off"}, tmp_path)
    alone = build_defs(settings)
    for job in BUCKET_JOBS:
        assert "extended_facesets" not in {node.name for node in alone.resolve_job_def(job).nodes}
    graph = alone.get_repository_def().asset_graph
    assert graph.get(dg.AssetKey("osrc_clusters")).parent_keys == {dg.AssetKey("osrc_uncovered")}
    assert graph.get(dg.AssetKey("extended_facesets")).is_materializable


def test_every_asset_that_shows_that_it_left_others_untouched_leads_to_the_library() -> None:
    checked = {
        spec.asset_key.to_user_string()
        for asset in MATERIALIZABLE
        for spec in asset.check_specs
        if spec.name == "others_untouched"
    }
    assert checked | {"legacy_library"} == {*PUBLISHERS, "candidate_faces"}


@pytest.mark.parametrize(
    ("job", "steps"),
    [
        ("apply_merges", ["applied_rulings", "top_manifest"]),
        ("undo_merges", ["applied_rulings", "top_manifest"]),
        ("discover_identities", list(MAIN_CHAIN)),
        ("full_pipeline", list(FULL_PIPELINE)),
    ],
)
def test_a_job_runs_its_own_steps_and_the_manifest_after_what_publishes(job: str, steps: list[str]) -> None:
    order = [node.name for node in defs.resolve_job_def(job).nodes_in_topological_order]
    assert sorted(order) == sorted(steps)
    manifest = order.index("top_manifest")
    assert {*order[:manifest]} >= {*steps} & {*PUBLISHERS}
    assert {*order[manifest + 1 :]} <= {*READERS}


def test_joining_known_people_needs_their_centroids_and_the_coverage() -> None:
    steps = [node.name for node in defs.resolve_job_def("join_known_people").nodes_in_topological_order]
    assert steps == ["existing_centroids", "osrc_uncovered", "extended_facesets"]


def upstream_in(job: str, name: str) -> set[str]:
    """Steps of the job without which the step does not run."""
    graph = defs.resolve_job_def(job).graph
    found, todo = set[str](), [name]
    while todo:
        step = todo.pop()
        deps = graph.dependencies[next(node for node in graph.dependencies if node.name == step)]
        new = {dep.node for definition in deps.values() for dep in definition.get_node_dependencies()} - found
        found |= new
        todo += new
    return found


def test_a_job_runs_optional_assets_first_and_ends_with_them_if_they_fail() -> None:
    assert upstream_in("full_pipeline", "existing_centroids") == {"hand_sorted_facesets", "legacy_library"}
    assert upstream_in("full_pipeline", "hand_sorted_facesets") == {"legacy_library"}
    assert "extended_facesets" in upstream_in("full_pipeline", "osrc_clusters")
    assert "swap_ready_facesets" in upstream_in("full_pipeline", "era_facesets")
    assert upstream_in("full_pipeline", "top_manifest") == {*FULL_PIPELINE} - {"top_manifest", "candidate_faces"}
    assert upstream_in("apply_merges", "top_manifest") == {"applied_rulings"}
    assert upstream_in("undo_merges", "top_manifest") == {"applied_rulings"}


def test_the_diagram_of_the_docs_has_the_edges_of_the_graph() -> None:
    graph = defs.get_repository_def().asset_graph
    edges = {(parent, key) for key in graph.get_all_asset_keys() for parent in graph.get(key).parent_keys}
    page = (REPOSITORY / "docs" / "architecture.md").read_text()
    drawn = set()
    for line in page.split("graph LR\n")[1].split("```")[0].splitlines():
        stops = [[name.strip() for name in stop.split("&")] for stop in line.split("-->")]
        drawn |= {edge for left, right in pairwise(stops) for edge in product(left, right)}
    assert drawn == {(parent.to_user_string(), key.to_user_string()) for parent, key in edges}


def test_the_whole_write_up_runs_every_step_between_photos_and_manifest() -> None:
    assert [name for name in FULL_PIPELINE if name in MAIN_CHAIN] == list(MAIN_CHAIN)
    assert {*FULL_PIPELINE} >= {"legacy_library", "hand_sorted_facesets", "extended_facesets", "era_facesets"}


def test_sensor_and_schedule_run_the_job_of_the_setting(tmp_path) -> None:
    assert {*JOBS} == {*BUCKET_JOBS}
    for job in JOBS:
        settings = load_settings({"FACESETS_HOME": str(tmp_path), "FACESETS_JOB": job}, tmp_path)
        repository = build_defs(settings).get_repository_def()
        assert [target.job_name for target in repository.get_sensor_def("new_bucket_sensor").targets] == [job]
        assert repository.get_schedule_def("nightly_rescan").job_name == job


def test_every_asset_is_described_grouped_owned_and_versioned() -> None:
    specs = {spec.key.to_user_string(): spec for asset in MATERIALIZABLE for spec in asset.specs}
    for name, spec in specs.items():
        assert spec.description, name
        assert len(spec.description) > 80, name
        assert spec.code_version, name
        assert spec.kinds, name
        assert spec.owners, name
    assert len({spec.group_name for spec in specs.values()}) == 1


def test_per_bucket_assets_are_partitioned_and_the_others_are_not() -> None:
    partitioned = {asset.key.to_user_string() for asset in MATERIALIZABLE if asset.partitions_def is not None}
    assert partitioned >= {"face_cache", "osrc_uncovered", "osrc_clusters", "swap_ready_facesets"}
    assert not partitioned & {"existing_centroids", "top_manifest"}


def test_the_defaults_are_those_of_the_contract() -> None:
    clusters = OsrcClustersConfig()
    found = clusters.resolved(ARCFACE, cover_distance=0.45)
    assert (found.cluster_distance, found.rematch_distance) == (0.55, 0.45)
    assert (found.outlier_distance, found.outlier_min_size, found.min_faces) == (0.55, 4, 6)
    assert (found.min_face_short_px, found.min_blur, found.min_det_score) == (90, 40, 0.6)
    export = SwapReadyFacesetsConfig().resolved(ARCFACE)
    assert (export.min_face_short_px, export.outlier_distance) == (100, 0.45)
    assert (export.near_duplicate_similarity, export.top_n, export.crop_px, export.crop_padding) == (0.95, 8, 512, 0.5)
    assert ARCFACE.cover_distance == 0.45


@pytest.mark.parametrize("pack", [ARCFACE, W600K_MBF, SFACE, MOBILEFACENET_128])
def test_the_legacy_preset_is_the_legacy_numbers_with_every_pack(pack: PackThresholds) -> None:
    """Also where the launchpad has filled the pack's own numbers in; a number that was changed there is kept."""
    for config, known in ((OsrcClustersConfig, {"rematch_distance": 0.45}), (SwapReadyFacesetsConfig, {})):
        filled = config_with_pack_numbers(config, pack)()
        for asked in (config(preset="legacy"), filled.model_copy(update={"preset": "legacy"})):
            record = DiscoveryParameters if config is OsrcClustersConfig else ExportParameters
            found = asked.resolve(record, pack, **known)
            assert found.recorded() == config().resolve(record, LEGACY, **known).recorded()
            assert not {"join_two_groups", "fill_to", "look_similarity"} & found.recorded().keys()
    kept = OsrcClustersConfig(preset="legacy", cluster_distance=0.33).resolved(pack, cover_distance=0.45)
    assert (kept.cluster_distance, kept.outlier_distance, kept.join_rule()) == (0.33, 0.55, None)


@pytest.mark.parametrize("config", CONFIGS)
def test_every_config_field_has_a_description_that_the_launchpad_shows(config: type[dg.Config]) -> None:
    for name, field in config.model_fields.items():
        assert field.description, f"{config.__name__}.{name}"


@pytest.mark.parametrize(
    ("config", "field", "value"),
    [
        (OsrcClustersConfig, "cluster_distance", 2.5),
        (OsrcClustersConfig, "min_faces", 0),
        (SwapReadyFacesetsConfig, "crop_px", 10),
        (FaceCacheConfig, "max_failed_share", 1.5),
    ],
)
def test_a_wrong_value_is_refused_by_name(config: type[dg.Config], field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        config(**{field: value})


def first_column(page: Path, heading: str) -> list[str]:
    """The names in code style in the first column of each table of the page whose first heading is `heading`."""
    tables = re.findall(rf"^\| {heading} \|.*\n\|[-| ]+\n((?:\|.*\n?)+)", page.read_text(), re.MULTILINE)
    return re.findall(r"^\| \[?`([^`]+)`", "".join(tables), re.MULTILINE)


@pytest.mark.parametrize(
    "asset",
    [*MATERIALIZABLE, "bucket_folder", "rulings"],
    ids=lambda asset: asset if isinstance(asset, str) else asset.key.to_user_string(),
)
def test_each_asset_has_a_page_with_all_its_fields_and_no_others(asset: dg.AssetsDefinition | str) -> None:
    name = asset if isinstance(asset, str) else asset.key.to_user_string()
    page = ASSET_PAGES / f"{name}.md"
    assert re.match(rf"# {name}\b", page.read_text())
    assert f"assets/{name}.md" in (REPOSITORY / "mkdocs.yml").read_text()
    config = None if isinstance(asset, str) else asset.node_def.config_schema.as_field().config_type
    fields = getattr(config, "fields", {})  # none: any config, which nobody reads
    assert sorted(first_column(page, "field")) == sorted(fields)


def test_the_page_of_the_assets_lists_every_asset_job_sensor_and_schedule() -> None:
    page, repository = REPOSITORY / "docs" / "assets.md", defs.get_repository_def()
    assert sorted(first_column(page, "asset")) == sorted({*NAMES, "bucket_folder", "rulings", "library"})
    automatic = {definition.name for definition in (*repository.sensor_defs, *repository.schedule_defs)}
    assert {*first_column(page, "name")} == automatic
    jobs = {job.name for job in repository.get_all_jobs() if not job.name.startswith("__")}
    assert [job for job in sorted(jobs) if f"`{job}`" not in page.read_text()] == []


def test_the_page_of_the_commands_lists_every_command_and_option() -> None:
    page = REPOSITORY / "docs" / "commands.md"
    rows = [line for line in page.read_text().splitlines() if line.startswith("| `facesets ")]
    for path, command in commands(get_command(app), "facesets"):
        (row,) = [row for row in rows if re.match(rf"\| `{path}[ `]", row)]
        options = [option for parameter in command.params for option in parameter.opts if option.startswith("--")]
        assert [option for option in options if option != "--help" and option not in row] == [], row
    assert len(rows) == len([*commands(get_command(app), "facesets")])


def commands(command: Any, path: str) -> Iterator[tuple[str, TyperCommand]]:
    """The commands of a group, below all of its groups, with their full names."""
    if not isinstance(command, TyperGroup):
        yield path, command
        return
    for name, below in command.commands.items():
        yield from commands(below, f"{path} {name}")


def scaffold(job: str) -> dict[str, Any]:
    """What the launchpad writes for "Scaffold all default config"."""
    definition = defs.resolve_job_def(job)
    snap = JobSnap.from_job_def(definition).config_schema_snapshot
    return yaml.safe_load(
        default_values_yaml_from_type_snap(snap, snap.get_config_snap(definition.run_config_schema.config_type.key))
    )


def test_the_launchpad_shows_the_numbers_of_the_pack_and_no_resources() -> None:
    config = scaffold("discover_identities")
    assert set(config) == {"ops"}
    pack = EmbedderResource.of(load_settings()).thresholds()
    ops = {name: op["config"] for name, op in config["ops"].items()}
    assert ops["osrc_uncovered"] == {"cover_distance": pack.cover_distance}
    assert ops["extended_facesets"]["route_distance"] == pack.cover_distance
    assert (ops["osrc_clusters"]["cluster_distance"], ops["osrc_clusters"]["min_det_score"]) == (
        pack.cluster_distance,
        pack.min_det_score,
    )
    assert ops["swap_ready_facesets"]["outlier_distance"] == pack.export_outlier_distance
    assert scaffold("apply_merges")["ops"]["applied_rulings"]["config"]["merges"] == []


def test_no_two_definitions_have_one_name() -> None:
    defs.get_repository_def().load_all_definitions()


def test_dagster_loads_the_code_location(tmp_path, embedded_models_root) -> None:
    home = RealHome(tmp_path / "home", "embedded", embedded_models_root)
    done = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"],
        cwd=REPOSITORY, env=home.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
