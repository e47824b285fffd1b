"""MLflow gets its copy of every job, whenever it is there, and each point once."""

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

NOBODY = "http://127.0.0.1:9"


class Store:
    """MLflow's own tables, read without MLflow."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        if not self.path.exists():
            return []
        connection = sqlite_driver().connect(f"file:{self.path}?mode=ro", uri=True, timeout=60)
        try:
            return connection.execute(query, values).fetchall()
        except sqlite_driver().OperationalError:
            return []  # it is being made
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

    def files(self, run: str) -> Path:
        uri = self.rows("SELECT artifact_uri FROM runs WHERE run_uuid = ?", run)[0][0]
        return Path(unquote(urlsplit(uri).path))


@pytest.fixture
def store(box: BoxDriver) -> Store:
    return Store(box.settings.home / "mlflow" / "mlflow.db")


def _recorded(box: BoxDriver, job_id: str) -> list[tuple[str, int, float, int]]:
    with box.database.read() as connection:
        rows = queries.metrics(connection, job_id)
    return sorted((r.name, r.step, r.value, int(r.at.timestamp() * 1000)) for r in rows)


def _is_complete(box: BoxDriver, job_id: str) -> bool:
    with box.database.read() as connection:
        return job_id not in mlflow_sync.behind(connection)


def test_a_job_goes_on_without_mlflow_and_arrives_later_once(box: BoxDriver, store: Store) -> None:
    box.start("tracking", TRAINSHED_MLFLOW_URL=NOBODY)
    try:
        job_id = box.submit(SPEC)
        job = box.finish(job_id)
        assert job.state == "succeeded", job.failure
        assert job.mlflow_run_id is None
        box.until(lambda: "MLflow away" in box.log("tracking").read_text(), "a complaint")
    finally:  # else the next test would take it for one that has an MLflow
        box.end("tracking")
    box.start("tracking")
    box.until(lambda: _is_complete(box, job_id), "MLflow's copy")
    (run,) = store.runs(job_id)
    assert box.job(job_id).mlflow_run_id == run
    assert store.points(run) == _recorded(box, job_id)
    assert store.status(run) == "FINISHED"
    parameters = store.parameters(run)
    assert parameters["architecture.name"] == "vgg_small"
    assert parameters["regularizers.l2.weight"] == "0.0001"
    _check_files(box, job_id, store.files(run))


def _check_files(box: BoxDriver, job_id: str, files: Path) -> None:
    """Top-k, confusion, and each checkpoint: the very file that the job keeps, not a copy."""
    for row in box.checkpoints(job_id):
        if row.kind == "previous":
            continue
        name = f"best_{row.monitor}" if row.monitor else row.kind
        ours = box.storage.path(row.directory) / "weights.safetensors"
        theirs = files / "checkpoints" / name / "weights.safetensors"
        assert theirs.stat().st_ino == ours.stat().st_ino, name
        results = json.loads((files / "top-k" / f"{name}.json").read_text())
        assert set(results["top_k"]) == {"1", "5"}
        assert len(results["confusion"]) == 10


def test_what_is_sent_twice_is_there_once(box: BoxDriver, store: Store) -> None:
    """Killed at any moment, tracking sends again what it had not noted as sent."""
    if not box.is_running("tracking"):
        box.start("tracking")
    job_id = box.submit(LONG)
    box.until(lambda: len(store.runs(job_id)) == 1, "a run")
    (run,) = store.runs(job_id)
    box.until(lambda: len(store.points(run)) > 0, "points while it trains")
    box.kill("tracking")
    with box.database.write() as connection:
        mlflow_sync.forgotten(connection, job_id)
    box.cancel(job_id)
    box.finish(job_id)
    box.start("tracking")
    box.until(lambda: _is_complete(box, job_id), "MLflow's copy")
    assert store.runs(job_id) == [run]
    assert store.points(run) == _recorded(box, job_id)
    assert store.status(run) == "KILLED"


def test_only_what_a_resumed_attempt_cannot_take_back_is_sent(box: BoxDriver, store: Store) -> None:
    if not box.is_running("tracking"):
        box.start("tracking")
    job_id = box.submit(LONG)
    box.until(lambda: len(store.runs(job_id)) == 1, "a run")
    (run,) = store.runs(job_id)
    for _ in range(200):
        sent = max((step for _, step, _, _ in store.points(run)), default=0)
        kept = [row.step for row in box.checkpoints(job_id) if row.kind == "previous"]
        assert sent <= max(kept, default=0), "a damaged last checkpoint would repeat it"
    box.cancel(job_id)
    box.finish(job_id)


def test_a_job_that_mlflow_refuses_does_not_hold_the_others_up(
    box: BoxDriver, store: Store
) -> None:
    """Its run is deleted from the store by hand: it is made anew, and others come meanwhile."""
    if not box.is_running("tracking"):
        box.start("tracking")
    first = box.submit(LONG)
    box.until(lambda: len(store.runs(first)) == 1, "a run")
    (lost,) = store.runs(first)
    with sqlite_driver().connect(store.path, timeout=60) as connection:
        for table in ("tags", "params", "metrics", "latest_metrics", "runs"):
            connection.execute(f"DELETE FROM {table} WHERE run_uuid = ?", (lost,))  # noqa: S608
    box.until(lambda: "MLflow refused" in box.log("tracking").read_text(), "a refusal")
    second = box.submit(SHORT)
    box.finish(second)
    box.until(lambda: _is_complete(box, second), "the other job's copy")
    box.cancel(first)
    box.finish(first)
    box.until(lambda: _is_complete(box, first), "its copy, made anew")
    (anew,) = store.runs(first)
    assert anew != lost
    assert store.points(anew) == _recorded(box, first)
