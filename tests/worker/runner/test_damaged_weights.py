"""Damaged files that a job needs: at the start of fine-tuning, and for its test results."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import torch
from safetensors.torch import save_file

from shared import tables
from shared.spec import JobSpec
from shared.storage import WEIGHTS, sha256_of_file
from tests.worker.jobs import RECORDED_AT
from tests.worker.runner.installation import SPEC
from tests.worker.runner.jobs import Jobs
from worker.registry import SpecError
from worker.runner import attempt
from worker.runner.attempt import evaluate_checkpoints
from worker.runner.failures import failure_of
from worker.runner.weights import load_initial_weights
from worker.training.checkpoint import CheckpointCorrupt


def flip_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def fine_tuning(source: dict[str, str]) -> JobSpec:
    stages = [{"name": "all", "train": "all", "epochs": 1}]
    return JobSpec.model_validate({**SPEC, "fine_tuning": {"weights": source, "stages": stages}})


def damage_before_test(jobs: Jobs, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Flip a byte of a checkpoint after the training, before it is tested."""

    def damage(*arguments: Any) -> Any:
        (job_id,) = {row.job_id for row in rows()}
        row = next(row for row in jobs.checkpoints(job_id) if row.kind == kind)
        flip_byte(jobs.storage.root / row.directory / WEIGHTS)
        return evaluate_checkpoints(*arguments)

    def rows() -> list[Any]:
        with jobs.database.read() as connection:
            return list(connection.execute(sa.select(tables.checkpoints.c.job_id)))

    monkeypatch.setattr(attempt, "evaluate_checkpoints", damage)


def test_fine_tuning_from_a_damaged_checkpoint_is_refused(jobs: Jobs) -> None:
    job_id = jobs.submit()
    jobs.run()
    flip_byte(jobs.storage.root / jobs.last(job_id).directory / WEIGHTS)
    spec = fine_tuning({"job": job_id, "checkpoint": "last"})
    with pytest.raises(SpecError, match=f"'last' of job {job_id} is damaged.*another checkpoint"):
        load_initial_weights(spec, jobs.database, jobs.storage)


def test_fine_tuning_from_a_damaged_upload_is_refused(jobs: Jobs) -> None:
    path = jobs.storage.weights("weights_1")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"a": torch.ones(2)}, path)
    row = {"id": "weights_1", "owner": "admin", "name": "a", "bytes": path.stat().st_size}
    row |= {"sha256": sha256_of_file(path), "tensors": 1, "parameters": 2}
    with jobs.database.write() as connection:
        connection.execute(sa.insert(tables.weights), {**row, "created_at": RECORDED_AT})
    spec = fine_tuning({"upload": "weights_1"})
    weights = load_initial_weights(spec, jobs.database, jobs.storage)
    assert weights is not None
    assert weights.tensors["a"].tolist() == [1, 1]
    flip_byte(path)
    with pytest.raises(SpecError, match=r"weights_1 is damaged.*Upload the file again"):
        load_initial_weights(spec, jobs.database, jobs.storage)


def test_a_damaged_best_checkpoint_is_left_out_of_the_test_with_a_note(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The best by this metric is the first epoch; the last checkpoint has another file.
    monitored = [{"monitor": "learning_rate", "mode": "max"}]
    job_id = jobs.submit({**SPEC, "checkpoints": monitored})
    damage_before_test(jobs, monkeypatch, "best")
    jobs.run()
    assert set(jobs.job(job_id).result["test"]) == {"last"}
    (note,) = jobs.notes(job_id)
    assert note.startswith("The checkpoint best_learning_rate is damaged and was not tested.")


def test_a_damaged_last_checkpoint_fails_the_test_with_a_clear_message(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.submit()
    damage_before_test(jobs, monkeypatch, "last")
    with pytest.raises(CheckpointCorrupt) as caught:
        jobs.run()
    failure = failure_of(caught.value, {})
    assert failure.message.startswith("The last checkpoint is damaged, so it cannot be tested.")
    assert failure.hint.startswith("Retry the job")
