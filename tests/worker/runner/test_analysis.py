"""Attempts of analyses, in this process, of a job that was trained here."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image

from shared import tables
from shared.jobs import attempts
from shared.storage import sha256_of_file
from tests.worker.runner.analysed_jobs import Heartbeat, failure_of, files_of, run, submit, trained
from tests.worker.runner.jobs import Jobs
from worker.analyses import curvature as module
from worker.assignment import ExitCode
from worker.runner import process

__all__ = ["trained"]


def _train_process(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run the claimed analysis as the runner's process does."""
    monkeypatch.setattr(process, "_redirect_output", lambda _: None)
    return process.train(jobs.assignment(), jobs.settings)


def test_an_analysis_ends_with_a_result_and_itsfiles_of(trained: Jobs) -> None:
    analysis_id = submit(trained)
    code, attempt = run(trained)
    assert code == ExitCode.DONE
    row = trained.job(analysis_id)
    assert row.state == "succeeded"
    assert row.result is not None
    assert row.result["parameters"] == 610
    reports = attempt.heartbeat.reports  # pyright: ignore[reportAttributeAccessIssue]
    assert 0 < reports[0]["fraction"] < reports[-1]["fraction"] <= 1

    files = files_of(trained, analysis_id)
    assert files.keys() == {"curvature.npz", "spectrum.png", "spectrum.svg"}
    for file in files.values():
        path = trained.storage.path(file.path)
        assert (file.bytes, file.sha256) == (path.stat().st_size, sha256_of_file(path))
    with np.load(trained.storage.path(files["curvature.npz"].path)) as arrays:
        assert arrays["ritz_values"][-1] == row.result["lambda_max"]["value"]
    with Image.open(trained.storage.path(files["spectrum.png"].path)) as picture:
        assert picture.size == (960, 720)
    assert trained.storage.path(files["spectrum.svg"].path).read_bytes().startswith(b"<?xml")


def test_the_trained_job_keeps_every_bit(trained: Jobs) -> None:
    (job_id,) = {row.job_id for row in _rows(trained, tables.checkpoints)}
    before = {
        path: path.read_bytes() for path in trained.storage.job(job_id).rglob("*") if path.is_file()
    }
    row = trained.job(job_id)
    submit(trained)
    run(trained)
    assert trained.job(job_id) == row
    assert all(path.read_bytes() == content for path, content in before.items())


def _rows(jobs: Jobs, table: sa.Table) -> list[Any]:
    with jobs.database.read() as connection:
        return list(connection.execute(sa.select(table)))


def test_equal_analyses_have_equalfiles_of(trained: Jobs) -> None:
    digests: list[dict[str, str]] = []
    for _ in range(2):
        analysis_id = submit(trained)
        run(trained)
        digests.append({name: row.sha256 for name, row in files_of(trained, analysis_id).items()})
        with trained.database.write() as connection:
            jobs = tables.jobs
            connection.execute(sa.delete(jobs).where(jobs.c.id == analysis_id))
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    ("first", "code"), [("cancel", ExitCode.CANCELLED), ("drain", ExitCode.DRAINED)]
)
def test_a_cancel_or_a_drain_ends_it_without_a_result(
    trained: Jobs, monkeypatch: pytest.MonkeyPatch, first: str, code: ExitCode
) -> None:
    monkeypatch.setattr(Heartbeat, "first", first)
    analysis_id = submit(trained)
    assert run(trained)[0] == code
    assert trained.job(analysis_id).result is None
    assert files_of(trained, analysis_id) == {}


def test_an_attempt_that_was_lost_is_taken_up_again(trained: Jobs) -> None:
    analysis_id = submit(trained)
    lost = trained.claim()
    with trained.database.write() as connection:
        assert attempts.stop(connection, lost.lease, "worker_lost") == "queued"
    assert run(trained)[0] == ExitCode.DONE
    row = trained.job(analysis_id)
    assert (row.state, row.attempt) == ("succeeded", 2)


def test_a_checkpoint_that_was_replaced_is_a_failure_that_says_so(
    trained: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysis_id = submit(trained)
    with trained.database.write() as connection:
        connection.execute(sa.delete(tables.checkpoints))
    assert _train_process(trained, monkeypatch) == ExitCode.DONE
    assert "no longer exists" in failure_of(trained.job(analysis_id))["message"]


def test_a_damaged_checkpoint_is_a_failure_that_says_so(
    trained: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysis_id = submit(trained)
    for path in trained.storage.root.rglob("weights.safetensors"):
        path.write_bytes(b"damaged")
    assert _train_process(trained, monkeypatch) == ExitCode.DONE
    failure = failure_of(trained.job(analysis_id))
    assert failure["message"].startswith("The checkpoint is damaged.")
    assert str(Path.cwd()) not in failure["message"]


def test_an_error_of_the_method_is_afailure_of(
    trained: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(module, "lanczos", fail)
    analysis_id = submit(trained)
    assert _train_process(trained, monkeypatch) == ExitCode.DONE
    assert failure_of(trained.job(analysis_id))["kind"] == "internal"
