"""Debian's Prometheus loads the configuration and the rules, and reads a real API."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.boxes import free_port
from shared.jobs import liveness
from tests.api.prometheus.samples import DIRECTORY, expressions
from tests.api.service import KEY, TIMEOUT_SECONDS, Service

pytestmark = pytest.mark.operations


@pytest.fixture
def configuration(service: Service, tmp_path: Path) -> Path:
    """The configuration of docs/operations, for the address and the key of the test."""
    if shutil.which("prometheus") is None or shutil.which("promtool") is None:
        pytest.skip("needs Prometheus (apt-get install prometheus)")
    shutil.copytree(DIRECTORY, tmp_path, dirs_exist_ok=True)
    (tmp_path / "trainshed.key").write_text(KEY)
    path = tmp_path / "prometheus.yml"
    address = f"{service.client.base_url.host}:{service.client.base_url.port}"
    text = path.read_text()
    assert "127.0.0.1:8000" in text
    path.write_text(text.replace("127.0.0.1:8000", address).replace("15s", "1s"))
    return path


@pytest.fixture
def prometheus(configuration: Path, tmp_path: Path) -> Iterator[httpx.Client]:
    address = f"127.0.0.1:{free_port()}"
    command = [
        "prometheus",
        f"--config.file={configuration}",
        f"--storage.tsdb.path={tmp_path / 'series'}",
        f"--web.listen-address={address}",
    ]
    log = (tmp_path / "log").open("wb")
    process = subprocess.Popen(command, stderr=log, stdout=log)
    try:
        with httpx.Client(base_url=f"http://{address}/api/v1", timeout=10) as client:
            yield client
    finally:
        process.terminate()
        process.wait()
        log.close()


def query(client: httpx.Client, expression: str) -> list[dict[str, Any]]:
    """Return the samples of an expression now; nothing while Prometheus starts."""
    try:
        response = client.get("/query", params={"query": expression})
    except httpx.TransportError:
        return []
    if response.status_code == 503:
        return []
    assert response.status_code == 200, response.text
    return response.json()["data"]["result"]


def wait_for(client: httpx.Client, expression: str) -> list[dict[str, Any]]:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not (found := query(client, expression)):
        assert time.monotonic() < deadline, expression
        time.sleep(0.2)
    return found


def test_promtool_accepts_the_files(configuration: Path) -> None:
    for kind, path in (("rules", configuration.with_name("alerts.yml")), ("config", configuration)):
        checked = subprocess.run(
            ["promtool", "check", kind, str(path)], capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_prometheus_reads_the_box_and_evaluates_every_expression(
    service: Service, prometheus: httpx.Client
) -> None:
    with service.database.write() as connection:
        device = {"name": "cpu:0"}
        liveness.record_worker(connection, worker="w", host="h", pid=1, devices=[device])
    service.start_job()
    service.submit()
    assert wait_for(prometheus, 'up{job="trainshed"} == 1')
    waiting = wait_for(prometheus, "sum(trainshed_waiting_jobs) == 1")
    assert waiting[0]["value"][1] == "1"
    rules = prometheus.get("/rules").json()["data"]["groups"][0]["rules"]
    assert len(rules) >= 10
    assert {rule["lastError"] for rule in rules if "lastError" in rule} <= {""}
    for expression in expressions()["grafana.json"]:
        query(prometheus, expression)
    assert wait_for(prometheus, 'ALERTS{alertname="TrainshedNoBackup"}')
