"""The generators of clients, which tests run on our OpenAPI document."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYTHON = ROOT / ".venv-generators" / "bin" / "python"
TYPESCRIPT = ROOT / "node_modules" / ".bin"
CONFIG = ROOT / "docs" / "openapi-python-client.yaml"
INSTALLED_BY = "`scripts/generators-environment` installs it"

needs_python_client = pytest.mark.skipif(
    not PYTHON.exists(), reason=f"needs openapi-python-client: {INSTALLED_BY}"
)
needs_typescript = pytest.mark.skipif(
    not (TYPESCRIPT / "openapi-typescript").exists(),
    reason=f"needs openapi-typescript: {INSTALLED_BY}",
)


def generate_python(document: Path, package: Path) -> str:
    """Generate a Python client and return what the generator printed.

    Args:
        document: the OpenAPI document.
        package: the folder of the client, which is made.
    """
    command = [str(PYTHON.with_name("openapi-python-client")), "generate", "--fail-on-warning"]
    source = ["--path", str(document), "--config", str(CONFIG)]
    return run([*command, *source, "--meta", "none", "--output-path", str(package)])


def generate_typescript(document: Path, types: Path) -> str:
    """Generate TypeScript types and return what the generator printed."""
    command = [str(TYPESCRIPT / "openapi-typescript"), str(document), "--output", str(types)]
    return run([*command, "--default-non-nullable=false"])


def check_typescript(*files: Path) -> None:
    """Compile TypeScript without output; every error of a type fails the test."""
    run([str(TYPESCRIPT / "tsc"), "--noEmit", "--strict", *map(str, files)])


def run(command: list[str], **environment: str) -> str:
    """Run a program to its end and return what it printed; its failure fails the test."""
    path = f"{PYTHON.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        env={**os.environ, "PATH": path, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
