"""Jobs of a box as the parts use them: waiting for events, epochs' speed, the process of a job."""

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.boxes import Box

POLL_SECONDS = 0.01


def wait_until(condition: Callable[[], bool], *, seconds: float, what: str) -> float:
    """Wait for a condition and return how long that took.

    Raises:
        RuntimeError: it did not hold in time.
    """
    began = time.perf_counter()
    while not condition():
        if time.perf_counter() - began > seconds:
            raise RuntimeError(f"{what} took more than {seconds:g} s")
        time.sleep(POLL_SECONDS)
    return time.perf_counter() - began


def wait_for_event(box: Box, job_id: str, kind: str, *, seconds: float = 60) -> dict[str, Any]:
    """Return the first event of a kind.

    Raises:
        RuntimeError: the job ended without it, or it did not come in time.
    """
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        for event in box.events(job_id):
            if event["type"] == kind:
                return event
            if event["type"] == "state" and event["data"].get("state") == "failed":
                raise RuntimeError(f"{job_id} failed before its event {kind}: {event['data']}")
        time.sleep(0.05)
    raise RuntimeError(f"{job_id} has no event {kind} after {seconds:g} s")


def at(event: dict[str, Any]) -> float:
    """Return the time of an event, in seconds since the epoch."""
    return datetime.fromisoformat(event["at"]).timestamp()


def epoch_rate(box: Box, job_id: str, images: int) -> float:
    """Return training images per second of wall time, over whole epochs after the first."""
    ends = [at(event) for event in box.events(job_id) if event["type"] == "epoch"]
    return images * (len(ends) - 1) / (ends[-1] - ends[0])


def last_weights(box: Box, job_id: str) -> str:
    """Return the digest of the weights in a job's last checkpoint."""
    rows = box.http.get(f"/v1/jobs/{job_id}/checkpoints").json()["data"]
    return next(row["sha256"] for row in rows if row["name"] == "last")


def runner_pid(job_id: str) -> int | None:
    """Return the process that trains a job, by the log that it writes to; None if there is none."""
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            is_runner = b"worker.runner" in (directory / "cmdline").read_bytes()
            if is_runner and job_id in str((directory / "fd" / "1").readlink()):
                return int(directory.name)
        except OSError:
            continue
    return None


def cancel(box: Box, job_id: str) -> None:
    """Cancel a job and wait for its end."""
    box.http.post(f"/v1/jobs/{job_id}/cancel").raise_for_status()
    box.finish(job_id, any_state=True)
