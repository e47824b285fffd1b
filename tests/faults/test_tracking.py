"""MLflow gets its copy of every job once it is available, and each metric once."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from shared.database import sqlite_driver
from shared.jobs import mlflow_sync, queries
from tests.box_driver import BoxDriver
from tests.faults.conftest import LONG, SHORT, SPEC

pytestmark = pytest.mark.faults

UNREACHABLE = "http://127.0.0.1:9"


class MlflowStore:
    """MLflow's tables, read without MLflow."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        if not self.path.exists():
            return []
        connection = sqlite_driver().connect(f"file:{self.path}?mode=ro", uri=True, timeout=60)
        try:
            return connection.execute(query, values).fetchall()
        except sqlite_driver().OperationalError:
            return []  # the tables are being created
        finally:
            connection.close()

    def runs(self, job_id: str) -> list[str]:
        query = "SELECT run_uuid FROM tags WHERE key = 'trainshed.job_id' AND value = ?"
        return [run for (run,) in self.rows(query, job_id)]

    def points(self, run: str) -> list[tuple[str, int, float, int]]:
        query = "SELECT key, step, value, timestamp FROM metrics WHERE run_uuid = ?"
        return sorted(self.rows(query, run))

    def status(self, run: str) -> str:
        return self.rows("SELECT status FROM runs WHERE run_uuid = ?", run)[0][0]

    def parameters(self, run: str) -> dict[str, str]:
        return dict(self.rows("SELECT key, value FROM params WHERE run_uuid = ?", run))

    def data(self, run: str) -> list[tuple[str, str]]:
        query = (
            "SELECT name, digest FROM datasets JOIN inputs ON source_id = dataset_uuid "
            "WHERE destination_id = ?"
        )
        return self.rows(query, run)

    def files(self, run: str) -> Path:
        uri = self.rows("SELECT artifact_uri FROM runs WHERE run_uuid = ?", run)[0][0]
        return Path(unquote(urlsplit(uri).path))


@pytest.fixture
def store(box: BoxDriver) -> MlflowStore:
    return MlflowStore(box.settings.home / "mlflow" / "mlflow.db")


def _recorded(box: BoxDriver, job_id: str) -> list[tuple[str, int, float, int]]:
    with box.database.read() as connection:
        rows = queries.list_metrics(connection, job_id)
    return sorted((r.name, r.step, r.value, int(r.at.timestamp() * 1000)) for r in rows)


def _is_complete(box: BoxDriver, job_id: str) -> bool:
    with box.database.read() as connection:
        return job_id not in mlflow_sync.list_incomplete(connection)


def test_a_job_runs_without_mlflow_and_is_copied_later(box: BoxDriver, store: MlflowStore) -> None:
    box.start("tracking", TRAINSHED_MLFLOW_URL=UNREACHABLE)
    try:
        job_id = box.submit(SPEC)
        job = box.finish(job_id)
        assert job.state == "succeeded", job.failure
        assert job.mlflow_run_id is None
        box.wait_until(
            lambda: "MLflow away" in box.log("tracking").read_text(), "a warning in the log"
        )
    finally:  # the next test must not find tracking without an MLflow
        box.end("tracking")
    box.start("tracking")
    box.wait_until(lambda: _is_complete(box, job_id), "MLflow's copy")
    (run,) = store.runs(job_id)
    assert box.job(job_id).mlflow_run_id == run
    assert store.points(run) == _recorded(box, job_id)
    assert store.status(run) == "FINISHED"
    parameters = store.parameters(run)
    assert parameters["architecture.name"] == "vgg_small"
    assert parameters["regularizers.l2.weight"] == "0.0001"
    used = job.result["dataset"] if job.result else {}
    digest = used["content_hash"].removeprefix("sha256:")[:32]
    assert store.data(run) == [(used["name"], digest)]
    _check_files(box, job_id, store.files(run))


def _check_files(box: BoxDriver, job_id: str, files: Path) -> None:
    """Check top-k, confusion matrices, and that checkpoints are hard links to the job's files."""
    for row in box.checkpoints(job_id):
        if row.kind == "previous":
            continue
        name = f"best_{row.monitor}" if row.monitor else row.kind
        source = box.storage.path(f"{row.directory}/weights.safetensors")
        linked = files / "checkpoints" / name / "weights.safetensors"
        assert linked.stat().st_ino == source.stat().st_ino, name
        results = json.loads((files / "top-k" / f"{name}.json").read_text())
        assert set(results["top_k"]) == {"1", "5"}
        assert len(results["confusion"]) == 10


@pytest.mark.long
def test_metrics_that_are_sent_twice_appear_once(box: BoxDriver, store: MlflowStore) -> None:
    """After a kill, tracking sends again whatever it has not recorded as sent."""
    if not box.is_running("tracking"):
        box.start("tracking")
    job_id = box.submit(LONG)
    box.wait_until(lambda: len(store.runs(job_id)) == 1, "a run")
    (run,) = store.runs(job_id)
    box.wait_until(lambda: len(store.points(run)) > 0, "metrics while it trains")
    box.kill("tracking")
    with box.database.write() as connection:
        mlflow_sync.forget_run(connection, job_id)
    box.cancel(job_id)
    box.finish(job_id)
    box.start("tracking")
    box.wait_until(lambda: _is_complete(box, job_id), "MLflow's copy")
    assert store.runs(job_id) == [run]
    assert store.points(run) == _recorded(box, job_id)
    assert store.status(run) == "KILLED"
    assert len(store.data(run)) == 1


def test_metrics_that_a_resumed_attempt_may_repeat_are_not_sent(
    box: BoxDriver, store: MlflowStore
) -> None:
    if not box.is_running("tracking"):
        box.start("tracking")
    job_id = box.submit(LONG)
    box.wait_until(lambda: len(store.runs(job_id)) == 1, "a run")
    (run,) = store.runs(job_id)
    for _ in range(200):
        sent = max((step for _, step, _, _ in store.points(run)), default=0)
        previous = [row.step for row in box.checkpoints(job_id) if row.kind == "previous"]
        assert sent <= max(previous, default=0), (
            "an attempt resumed from the previous checkpoint would repeat it"
        )
    box.cancel(job_id)
    box.finish(job_id)


@pytest.mark.long
def test_a_job_that_mlflow_refuses_does_not_block_other_jobs(
    box: BoxDriver, store: MlflowStore
) -> None:
    """The job's run is deleted from the store by hand, and is created again."""
    if not box.is_running("tracking"):
        box.start("tracking")
    first = box.submit(LONG)
    box.wait_until(lambda: len(store.runs(first)) == 1, "a run")
    (lost,) = store.runs(first)
    with sqlite_driver().connect(store.path, timeout=60) as connection:
        for table in ("tags", "params", "metrics", "latest_metrics", "runs"):
            connection.execute(f"DELETE FROM {table} WHERE run_uuid = ?", (lost,))  # noqa: S608
    box.wait_until(lambda: "MLflow refused" in box.log("tracking").read_text(), "a refusal")
    second = box.submit(SHORT)
    box.finish(second)
    box.wait_until(lambda: _is_complete(box, second), "the other job's copy")
    box.cancel(first)
    box.finish(first)
    box.wait_until(lambda: _is_complete(box, first), "the first job's new copy")
    (created,) = store.runs(first)
    assert created != lost
    assert store.points(created) == _recorded(box, first)
