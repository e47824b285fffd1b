"""MLflow's server, started as in the compose file; skipped where it is not installed."""

import dataclasses
import json
import os
import subprocess
import time
from collections.abc import Iterator

import httpx
import pytest

from shared.settings import Settings
from shared.storage import WEIGHTS, Storage
from tests.e2e.compose_file import ROOT, services
from tests.e2e.conftest import free_port
from tests.worker.tracking.finished_job import ATTEMPTS, JOB, checkpoints, confusion, evaluation
from worker.tracking.mirror import Mirror

MLFLOW = ROOT / ".venv-mlflow" / "bin" / "mlflow"
START_SECONDS = 120

pytestmark = pytest.mark.skipif(
    not MLFLOW.exists(), reason="needs MLflow's server: `scripts/mlflow-environment` installs it"
)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return the settings of `tracking`, with directories and a port of this machine."""
    home = tmp_path_factory.mktemp("mlflow") / "volume"
    settings = Settings(home=home, mlflow_url=f"http://127.0.0.1:{free_port()}")
    settings.make_directories()
    return settings


@pytest.fixture(scope="module")
def server(settings: Settings) -> Iterator[str]:
    """The compose file's service `mlflow`, on this machine."""
    service = services()["mlflow"]
    overrides = {
        "--host": "127.0.0.1",
        "--port": settings.mlflow.rpartition(":")[2],
        "--backend-store-uri": f"sqlite:///{settings.home.parent}/mlflow.db",
        "--default-artifact-root": f"file://{settings.home}/mlflow/artifacts",
    }
    words = [word.partition("=") for word in service["command"][2:]]
    arguments = [f"{name}={overrides.get(name, value)}" for name, _, value in words]
    with (settings.home.parent / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [MLFLOW, "server", *arguments],
            cwd=settings.home.parent,
            env=os.environ | service["environment"],
            stdout=log,
            stderr=log,
        )
    try:
        _wait(process, settings)
        yield settings.mlflow
    finally:
        process.terminate()
        process.wait()


def _wait(process: subprocess.Popen[bytes], settings: Settings) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{settings.mlflow}/health", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise RuntimeError((settings.home.parent / "server.log").read_text())


def test_the_server_serves_a_job_s_files_from_hard_links(settings: Settings, server: str) -> None:
    storage = Storage(settings.storage)
    mirror = Mirror(settings, storage)
    run_id = mirror.open(JOB)
    rows = checkpoints(storage)
    table = confusion(storage)
    mirror.close(run_id, JOB, rows, [evaluation(rows[0])], [table])

    weights = storage.root / rows[0].directory / WEIGHTS
    results = storage.root / table.path
    paths = {f"checkpoints/best_val_loss/{WEIGHTS}": weights, f"results/{table.name}": results}
    for path, source in paths.items():
        shown = httpx.get(f"{server}/get-artifact", params={"run_id": run_id, "path": path})
        assert shown.text == source.read_text()
        (linked,) = (settings.home / "mlflow" / "artifacts").rglob(path)
        assert linked.samefile(source)
    top_k = {"run_id": run_id, "path": "top-k/best_val_loss.json"}
    assert json.loads(httpx.get(f"{server}/get-artifact", params=top_k).text)["top_k"] == {"1": 0.5}


def test_the_server_accepts_its_name_in_the_compose_network_and_no_other_host(server: str) -> None:
    for host, status in (("mlflow:5000", 200), ("evil.example", 403)):
        answer = httpx.get(
            f"{server}/api/2.0/mlflow/experiments/get-by-name",
            params={"experiment_name": "Default"},
            headers={"Host": host},
        )
        assert answer.status_code == status, host


def test_the_server_has_tags_parameters_and_data_of_a_job_with_any_tags(
    settings: Settings,
    server: str,
) -> None:
    tags = {"team/": "a", "a//b": "b", "a=b": "c", 'a"b': "d", " ": "e", "ü" * 64: "ü" * 512}
    job = dataclasses.replace(JOB, id="job_2", tags=tags | {"mlflow.runName": "f", "😀" * 64: "g"})
    mirror = Mirror(settings, Storage(settings.storage))
    run_id = mirror.open(job)
    for _ in range(2):  # a second time after a crash
        mirror.describe(run_id, job)
        mirror.log_data(run_id, job, ATTEMPTS)

    run = mirror.client.get_run(run_id)
    sent = [value for name, value in run.data.tags.items() if name.startswith("tag.")]
    assert sorted(sent) == sorted(job.tags.values())
    assert run.data.params == {"seed": "3", "dataset.name": "digits"}
    (data,) = run.inputs.dataset_inputs
    assert data.dataset.name == "digits"
    assert run.info.run_name == "job_2"
