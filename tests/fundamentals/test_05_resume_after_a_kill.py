"""5. Kill the process that trains: the job resumes and ends with the same weights."""

import os
import signal
from contextlib import suppress

from tests.fundamentals.conftest import Box

SPEC = {
    "seed": 5,
    "dataset": "digits",
    "architecture": {"name": "mlp", "dropout": 0.2},
    "training": {"epochs": 8, "batch_size": 4},
}


def _digest_of_last_weights(box: Box, job_id: str) -> str:
    checkpoints = box.http.get(f"/v1/jobs/{job_id}/checkpoints").json()["data"]
    return next(row["sha256"] for row in checkpoints if row["name"] == "last")


def test_killed_job_resumes_bit_for_bit(box: Box) -> None:
    undisturbed = box.submit(SPEC)
    assert box.wait(undisturbed["id"])["state"] == "succeeded"

    job = box.submit(SPEC)
    box.wait_for_epoch(job["id"], 2)
    for process in box.processes("worker.runner"):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)

    ended = box.wait(job["id"])
    assert ended["state"] == "succeeded"
    assert len(ended["attempts"]) == 2
    assert ended["result"]["resumed_inexact"] is False
    assert _digest_of_last_weights(box, job["id"]) == _digest_of_last_weights(
        box, undisturbed["id"]
    )
