"""A complete job with PostgreSQL and Redis, by the commands and settings of the compose file.

Afterwards no secret is in Redis, in a log, in a command line or in an error.
"""

import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
import sqlalchemy as sa

from box.processes import processes_of
from tests.e2e.complete_job import check_complete_job
from tests.e2e.compose_file import REDIS_PASSWORD, ComposedBox, redis_server
from tests.e2e.conftest import free_port, wait_until
from trainshed import Client

pytestmark = pytest.mark.e2e

DATABASE_PASSWORD = "DatabasePasswordOfThisTest"


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    """Yield the address of a Redis server as in the compose file."""
    with redis_server(tmp_path) as address:
        yield address


@pytest.fixture
def database_url(postgresql_url: str) -> Iterator[str]:
    """Yield the address of an empty database for a user of PostgreSQL with a password."""
    address = sa.make_url(postgresql_url).set(drivername="postgresql+psycopg")
    name = f"trainshed_test_{secrets.token_hex(4)}"
    engine = sa.create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        create = f"CREATE ROLE {name} LOGIN SUPERUSER PASSWORD '{DATABASE_PASSWORD}'"
        connection.execute(sa.text(create))
    try:
        own = address.set(username=name, password=DATABASE_PASSWORD, drivername="postgresql")
        yield own.render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(sa.text(f"REASSIGN OWNED BY {name} TO CURRENT_USER"))
            connection.execute(sa.text(f"DROP OWNED BY {name}"))
            connection.execute(sa.text(f"DROP ROLE {name}"))
        engine.dispose()


def test_a_complete_job_on_the_services_of_the_compose_file(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    composed = ComposedBox(
        home=home,
        database_url=database_url,
        broker_url=redis_url,
        mlflow_url=f"sqlite:///{tmp_path / 'mlflow.db'}",
        api_port=free_port(),
        sidecar_port=free_port(),
    )
    try:
        composed.start()
        with Client(composed.url, composed.key) as client:
            check_complete_job(client, tmp_path)
            made = client.make_key("a key of this test", scopes=["submit"])["key"]
            with Client(composed.url, made) as other, redis.Redis.from_url(redis_url) as broker:
                secret = {
                    *(composed.key, REDIS_PASSWORD, DATABASE_PASSWORD, made),
                    _log_in(composed.url, made).partition(".")[2],
                }
                commands = _command_lines(home)
                assert any("worker.runner" in command for command in commands)
                _check_no_secret(secret, "a command line", *commands)
                _check_no_secret(secret, "an error", *_errors(other))
                _check_no_secret(secret, "Redis", *_contents(broker))
            logs = [path.read_text(errors="replace") for path in _logs(tmp_path)]
            assert len(logs) > len(composed.processes)
            assert any('"job": "job_' in log and '"attempt": 1' in log for log in logs)
            _check_no_secret(secret, "a log", *logs)
    finally:
        composed.stop()
    wait_until(lambda: not processes_of(home), "the exit of the worker's spare")


def _check_no_secret(secret: set[str], place: str, *texts: str) -> None:
    assert texts, place
    for text in texts:
        found = [each[:5] for each in secret if each in text]
        assert not found, f"{place} has a secret that begins with {found}"


def _log_in(url: str, key: str) -> str:
    """Return the cookie of a session."""
    response = httpx.post(f"{url}/login", data={"key": key}, headers={"Origin": url})
    return response.cookies["trainshed"]


def _command_lines(home: Path) -> list[str]:
    """Return the command lines of all processes of the box, and of the servers of this test."""
    ours = {*processes_of(home), os.getpid()}
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            text = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if int(path.parent.name) in ours or "redis-server" in text:
                found.append(text)
    return found


def _errors(client: Client) -> list[str]:
    """Return the bodies of refused requests."""
    unknown = f"job_{'0' * 26}"
    wrong = {"Authorization": "Bearer ts_0123456789_wrong"}
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", "/v1/me", {"headers": wrong}),
        ("GET", "/v1/users", {}),
        ("GET", f"/v1/jobs/{unknown}", {}),
        ("POST", "/v1/jobs", {"json": {"dataset": "nothing", "architecture": "nothing"}}),
        ("POST", "/v1/jobs", {"content": b"{", "headers": {"Content-Type": "application/json"}}),
        ("GET", "/v1/nothing", {}),
    ]
    responses = [client.http.request(method, path, **rest) for method, path, rest in requests]
    assert all(400 <= response.status_code < 500 for response in responses)
    return [f"{response.headers}{response.text}" for response in responses]


def _contents(broker: redis.Redis) -> list[str]:
    """Return every key of Redis with its serialized value."""
    return ["", *(f"{key!r} {broker.dump(key)!r}" for key in broker.scan_iter("*"))]


def _logs(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file() and "log" in path.name]


def test_the_api_can_be_imported_without_torch() -> None:
    """The image `api` does not contain torch, numpy and others."""
    code = (
        "import sys\n"
        "for name in ('torch', 'numpy', 'mlflow', 'sklearn', 'PIL'):\n"
        "    sys.modules[name] = None\n"
        "import api.__main__, shared.migrations.__main__\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=True)
