"""A complete job with PostgreSQL and Redis, by the commands and settings of the compose file."""

import subprocess
import sys
from pathlib import Path

import pytest
import redis

from tests.e2e.complete_job import check_complete_job
from tests.e2e.compose_file import ComposedBox
from tests.e2e.conftest import free_port, processes_of, wait_until
from trainshed import Client

pytestmark = pytest.mark.e2e

REDIS = "redis://127.0.0.1:6379/11"


@pytest.fixture
def redis_url() -> str:
    """Return the address of an empty database of this machine's Redis server."""
    try:
        with redis.Redis.from_url(REDIS) as server:
            server.flushdb()
    except redis.ConnectionError as error:
        pytest.skip(f"needs a Redis server at its default port: {error}")
    return REDIS


def test_a_complete_job_on_the_services_of_the_compose_file(
    postgresql_url: str, redis_url: str, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    composed = ComposedBox(
        home=home,
        database_url=postgresql_url,
        broker_url=redis_url,
        mlflow_url=f"sqlite:///{tmp_path / 'mlflow.db'}",
        api_port=free_port(),
        sidecar_port=free_port(),
    )
    try:
        composed.start()
        with Client(composed.url, composed.key) as client:
            check_complete_job(client, tmp_path)
    finally:
        composed.stop()
    wait_until(lambda: not processes_of(home), "the exit of the worker's spare")


def test_the_api_can_be_imported_without_torch() -> None:
    """The image `api` does not contain torch, numpy and others."""
    code = (
        "import sys\n"
        "for name in ('torch', 'numpy', 'mlflow', 'sklearn', 'PIL'):\n"
        "    sys.modules[name] = None\n"
        "import api.__main__, shared.migrations.__main__\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=True)
