"""The compose file and the images, without a Docker engine."""

import re
import subprocess
import sys
from pathlib import Path

from shared.settings import Settings
from tests.e2e.composed import services

ROOT = Path(__file__).parents[2]


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


def test_every_part_is_there_and_its_command_is_a_module_of_ours() -> None:
    parts = services()
    assert set(parts) == {
        "postgres", "redis", "mlflow", "migrate", "api", "desk", "tracking", "worker", "worker-cpu",
    }  # fmt: skip
    for name in ("migrate", "api", "desk", "tracking", "worker", "worker-cpu"):
        program, flag, module = parts[name]["command"]
        assert (program, flag) == ("python", "-m")
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module


def test_every_setting_of_the_compose_file_exists() -> None:
    known = {f"TRAINSHED_{name.upper()}" for name in Settings.model_fields}
    text = (ROOT / "docker-compose.yml").read_text()
    assert set(re.findall(r"^ +(TRAINSHED_\w+):", text, re.MULTILINE)) <= known


def test_only_the_api_is_given_the_key() -> None:
    parts = services().items()
    with_key = [n for n, part in parts if "TRAINSHED_ADMIN_KEY" in part.get("environment", {})]
    assert with_key == ["api"]


def test_the_worker_reserves_gpus_and_the_other_profile_none() -> None:
    parts = services()
    (device,) = parts["worker"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]
    assert "deploy" not in parts["worker-cpu"]
    assert (parts["worker"]["profiles"], parts["worker-cpu"]["profiles"]) == (["gpu"], ["cpu"])


def test_the_image_of_the_api_has_no_torch() -> None:
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
