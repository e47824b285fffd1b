"""The same job with PostgreSQL and Redis, by the compose file's own commands and settings."""

import subprocess
import sys
from pathlib import Path

import pytest
import redis

from tests.e2e.composed import Composed
from tests.e2e.conftest import free_port, processes_of, until
from tests.e2e.scenario import one_job
from trainshed import Client

pytestmark = pytest.mark.e2e

REDIS = "redis://127.0.0.1:6379/11"


@pytest.fixture
def redis_url() -> str:
    """A database of the Redis server here, emptied."""
    try:
        with redis.Redis.from_url(REDIS) as server:
            server.flushdb()
    except redis.ConnectionError as error:
        pytest.skip(f"needs a Redis server at its default port: {error}")
    return REDIS


def test_a_job_goes_the_whole_way(postgresql_url: str, redis_url: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    composed = Composed(
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
            one_job(client, tmp_path)
    finally:
        composed.stop()
    until(lambda: not processes_of(home), "the end of the worker's spare")


def test_the_api_runs_without_torch_in_reach() -> None:
    """The image `api` has none: nothing that it imports may need it."""
    code = (
        "import sys\n"
        "for name in ('torch', 'numpy', 'mlflow', 'sklearn', 'PIL'):\n"
        "    sys.modules[name] = None\n"
        "import api.__main__, shared.migrations.__main__\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=True)
