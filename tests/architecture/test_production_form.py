"""The compose file and the images, without a Docker engine."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from packaging.requirements import Requirement

from shared.settings import Settings
from tests.e2e.compose_file import services

ROOT = Path(__file__).parents[2]


def _option(service: str, name: str) -> str:
    """Return the value of `--name=value` in a service's command."""
    (value,) = (
        word.partition("=")[2]
        for word in services()[service]["command"]
        if word.startswith(f"{name}=")
    )
    return value


def _is_accepted_by_mlflow(host: str) -> bool:
    """Return whether MLflow's server, started as in the compose file, accepts a `Host` header."""
    # Imported by its path, since its package needs the full MLflow.
    package = importlib.util.find_spec("mlflow")
    assert package is not None
    path = Path(str(package.origin)).with_name("server") / "security_utils.py"
    spec = importlib.util.spec_from_file_location("mlflow_security_utils", path)
    assert spec is not None
    assert spec.loader is not None
    security = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(security)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_SERVER_ALLOWED_HOSTS", _option("mlflow", "--allowed-hosts"))
        return security.is_allowed_host_header(security.get_allowed_hosts_from_env(), host)


def test_the_compose_file_follows_the_published_schema() -> None:
    command = ["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    checked = subprocess.run(
        [sys.executable, *command, "docker-compose.yml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_part_is_a_service_and_its_command_is_a_module_that_exists() -> None:
    parts = services()
    assert set(parts) == {
        "postgres", "redis", "mlflow", "migrate", "api", "sidecar", "tracking",
        "worker", "worker-cpu",
    }  # fmt: skip
    for name in ("migrate", "api", "sidecar", "tracking", "worker", "worker-cpu"):
        program, flag, module = parts[name]["command"]
        assert (program, flag) == ("python", "-m")
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module


def test_each_image_is_built_by_a_single_service_that_its_other_users_depend_on() -> None:
    """Two builds of the same name collide, and `up` of a single part has to build its image."""
    parts = services()
    ours = {name: part for name, part in parts.items() if part["image"].startswith("trainshed-")}
    builders = {part["image"]: name for name, part in ours.items() if "build" in part}
    assert len(builders) == sum("build" in part for part in parts.values())
    for name, part in ours.items():
        builder = builders[part["image"]]
        assert name == builder or builder in part["depends_on"], name
        assert "profiles" not in parts[builder], builder
        assert part["pull_policy"] == "never", (
            f"the image of {name} would be pulled from a registry"
        )


def test_postgresql_counts_as_healthy_only_if_it_answers_over_tcp() -> None:
    """During its first start a temporary server answers on the unix socket only."""
    program, *options = services()["postgres"]["healthcheck"]["test"][1:]
    assert program == "pg_isready"
    assert options[options.index("--host") + 1] == "127.0.0.1"


def test_every_setting_of_the_compose_file_exists() -> None:
    names = {f"TRAINSHED_{name.upper()}" for name in Settings.model_fields}
    text = (ROOT / "docker-compose.yml").read_text()
    assert set(re.findall(r"^ +(TRAINSHED_\w+):", text, re.MULTILINE)) <= names


@pytest.mark.parametrize("service", ["tracking", "worker", "worker-cpu"])
def test_mlflow_accepts_the_host_name_that_the_parts_use(service: str) -> None:
    address = urlsplit(services()[service]["environment"]["TRAINSHED_MLFLOW_URL"])
    assert address.netloc == f"mlflow:{_option('mlflow', '--port')}"
    assert _is_accepted_by_mlflow(address.netloc)


def test_mlflow_accepts_local_browsers_and_no_other_host_name() -> None:
    for host in ("localhost:5000", "127.0.0.1:5000", "localhost:15000"):
        assert _is_accepted_by_mlflow(host), host
    for host in ("evil.example", "evil.example:5000", "mlflow.evil.example:5000", "localhost.evil"):
        assert not _is_accepted_by_mlflow(host), host


def test_mlflow_s_artifacts_are_on_the_volume_of_the_jobs_files() -> None:
    """Hard links need the same volume, mounted at the same path in tracking and MLflow."""
    parts = services()
    target = "/var/lib/trainshed"
    artifacts = urlsplit(_option("mlflow", "--default-artifact-root"))
    storage = urlsplit(parts["tracking"]["environment"]["TRAINSHED_STORAGE_URL"])
    assert (artifacts.scheme, storage.scheme) == ("file", "file")
    assert Path(artifacts.path).is_relative_to(target)
    assert Path(storage.path).is_relative_to(target)
    assert f"home:{target}" in parts["tracking"]["volumes"]
    assert f"home:{target}:ro" in parts["mlflow"]["volumes"]


def test_image_of_mlflow_has_the_version_of_the_client() -> None:
    image = (ROOT / "Dockerfile").read_text().split("AS mlflow")[1]
    (client,) = re.findall(r"mlflow-skinny==([\d.]+)", (ROOT / "pyproject.toml").read_text())
    lock = (ROOT / "requirements-mlflow.lock").read_text()
    assert {f"mlflow=={client}", f"mlflow-skinny=={client}"} <= set(lock.split())
    assert "-r requirements-mlflow.lock" in image
    assert "USER trainshed" in image


def test_only_services_that_download_have_access_to_the_outside() -> None:
    networks = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["networks"]
    internal = {name for name, network in networks.items() if network and network.get("internal")}
    parts = services()
    for name in ("worker", "worker-cpu", "sidecar"):
        assert set(parts[name]["networks"]) - internal, name
    for name in ("postgres", "redis", "migrate"):
        assert set(parts[name]["networks"]) <= internal, name
    for name, part in parts.items():
        assert set(part["networks"]) & internal, f"{name} reaches neither database nor broker"


def test_sidecar_listens_on_all_its_networks_at_the_port_that_the_api_uses() -> None:
    """Bound to its name, it would listen only on the network to which the name resolves."""
    parts = services()
    listening = urlsplit(parts["sidecar"]["environment"]["TRAINSHED_SIDECAR_URL"])
    requested = urlsplit(parts["api"]["environment"]["TRAINSHED_SIDECAR_URL"])
    assert (listening.hostname, requested.hostname) == ("0.0.0.0", "sidecar")  # noqa: S104
    assert listening.port == requested.port


def test_only_the_api_receives_the_key() -> None:
    parts = services().items()
    with_key = [n for n, part in parts if "TRAINSHED_ADMIN_KEY" in part.get("environment", {})]
    assert with_key == ["api"]


def test_only_the_gpu_profile_reserves_gpus() -> None:
    parts = services()
    (device,) = parts["worker"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]
    assert "deploy" not in parts["worker-cpu"]
    assert (parts["worker"]["profiles"], parts["worker-cpu"]["profiles"]) == (["gpu"], ["cpu"])


def test_image_of_the_api_has_no_torch() -> None:
    lock = (ROOT / "requirements-api.lock").read_text()
    assert not re.search(r"^(torch|numpy|mlflow)", lock, re.MULTILINE)
    image = (ROOT / "Dockerfile").read_text().split("AS api")[1].split("FROM")[0]
    assert "requirements-api.lock" in image
    assert "torch" not in image
    assert "USER trainshed" in image


def test_locks_have_hashes_and_no_addresses() -> None:
    for path in ROOT.glob("requirements*.lock"):
        text = path.read_text()
        assert "--hash=sha256:" in text
        assert not re.search(r"https?://|--(extra-)?index-url|--find-links", text)


@pytest.mark.parametrize(
    ("machine", "is_required"), [("x86_64", True), ("aarch64", False), ("riscv64", False)]
)
def test_pysqlite3_is_required_only_where_it_has_a_wheel(machine: str, is_required: bool) -> None:
    """An image has no compiler, so elsewhere its build would fail."""
    linux = {"sys_platform": "linux", "platform_machine": machine}
    others = {ROOT / f"requirements-{name}.lock" for name in ("mlflow", "generators")}
    for path in set(ROOT.glob("requirements*.lock")) - others:
        (line,) = re.findall(r"^(pysqlite3==.*?) *\\?$", path.read_text(), re.MULTILINE)
        marker = Requirement(line).marker
        assert (marker is None or marker.evaluate(linux)) is is_required, path.name
