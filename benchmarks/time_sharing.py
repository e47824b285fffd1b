"""What it costs a job to give way three times, compared with the same job undisturbed."""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import httpx

from benchmarks.boxes import Box, started
from benchmarks.measurement import Measurement

YIELDS, ROUNDS = 3, 3
TICK_SECONDS = 0.05
EPOCHS_PER_CHECKPOINT = 5
#: Ends by a cancel, since a job that is nearly finished does not give way.
SPEC: dict[str, Any] = {
    "dataset": {"name": "digits", "image_size": 16},
    "architecture": {"name": "vgg_small", "widths": [8, 16], "hidden_units": [32]},
    "checkpoints": [{"every_epochs": EPOCHS_PER_CHECKPOINT}],
    "training": {"epochs": 100_000, "batch_size": 8},
    "diagnostics": "off",
}
SHORT: dict[str, Any] = {
    "dataset": "digits",
    "architecture": "linear",
    "training": {"epochs": 1, "batch_size": 256},
}
SETTINGS = {
    "TRAINSHED_CPU_SLOTS": "1",
    "TRAINSHED_THREADS": "1",
    # It becomes 19 times what a switch takes, which is longer.
    "TRAINSHED_QUANTUM_SECONDS": "5",
    # Not all checkpoints of a job that never ends are ever written.
    "TRAINSHED_DISK_RESERVE_MIB": "0",
}


@contextmanager
def _person(box: Box, name: str) -> Iterator[httpx.Client]:
    """Yield a client with the key of a new person."""
    box.http.post("/v1/users", json={"name": name, "role": "member"}).raise_for_status()
    body = {"name": "of the benchmark", "scopes": ["submit"], "user": name}
    key = box.http.post("/v1/keys", json=body).json()["key"]
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=box.http.base_url, headers=headers, timeout=90) as client:
        yield client


def _epochs(box: Box, job_id: str) -> dict[int, datetime]:
    """Return when each epoch of a job ended."""
    query = {"name": "val_loss", "split": "validation"}
    data = box.http.get(f"/v1/jobs/{job_id}/metrics", params=query).json()["data"]
    points = data[0]["points"] if data else []
    return {point["epoch"]: datetime.fromisoformat(point["at"]) for point in points}


def _checkpoint(box: Box, job_id: str, epoch: int) -> str | None:
    """Return the digest of the weights after an epoch; None before it."""
    rows = box.http.get(f"/v1/jobs/{job_id}/checkpoints", params={"limit": 100}).json()["data"]
    # The first: a later checkpoint may be within the next epoch.
    found = sorted((row["step"], row["sha256"]) for row in rows if row["epoch"] == epoch)
    return found[0][1] if found else None


def _train(box: Box, job_id: str, epoch: int) -> tuple[float, str]:
    """Train a job to the end of an epoch and cancel it; return its device time and weights."""
    while (digest := _checkpoint(box, job_id, epoch)) is None or epoch not in _epochs(box, job_id):
        time.sleep(TICK_SECONDS)
    *earlier, last = box.job(job_id)["attempts"]
    ended_at = _epochs(box, job_id)[epoch]
    box.http.post(f"/v1/jobs/{job_id}/cancel").raise_for_status()
    box.finish(job_id, any_state=True)
    attempts = [(row["started_at"], row["ended_at"]) for row in earlier]
    seconds = sum((_time(end) - _time(start)).total_seconds() for start, end in attempts)
    return seconds + (ended_at - _time(last["started_at"])).total_seconds(), digest


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _wait_for_attempt(box: Box, job_id: str, number: int) -> None:
    while len(box.job(job_id)["attempts"]) < number:
        time.sleep(TICK_SECONDS)


def _pair(box: Box, other: httpx.Client) -> tuple[float, float, float]:
    """Return the device time of a job that gives way, of the same undisturbed, and of a switch.

    Raises:
        RuntimeError: the weights differ, or an attempt ended for another reason.
    """
    job_id = box.submit(SPEC)["id"]
    for number in range(1, YIELDS + 1):
        _wait_for_attempt(box, job_id, number)
        response = other.post("/v1/jobs", json=SHORT)
        response.raise_for_status()
        box.finish(response.json()["id"])
    _wait_for_attempt(box, job_id, YIELDS + 1)
    attempts = box.job(job_id)["attempts"]
    outcomes = [row["outcome"] for row in attempts[:YIELDS]]
    if outcomes != ["yielded"] * YIELDS:
        raise RuntimeError(f"the attempts of {job_id} ended {outcomes}")
    after = max(_epochs(box, job_id), default=0) + 1
    epoch = -(-after // EPOCHS_PER_CHECKPOINT) * EPOCHS_PER_CHECKPOINT
    ours, weights = _train(box, job_id, epoch)
    theirs, expected = _train(box, box.submit(SPEC)["id"], epoch)
    if weights != expected:
        raise RuntimeError(f"after epoch {epoch} the weights differ from the undisturbed job's")
    return ours, theirs, statistics.mean(row["switch_seconds"] for row in attempts[:YIELDS])


def measure() -> Iterator[Measurement]:
    """Compare both, each pair by the same epoch."""
    with started(kept_home=None, **SETTINGS) as box, _person(box, "ben") as ben:
        box.finish(box.submit(SHORT)["id"])
        pairs = list[tuple[float, float, float]]()
        for _ in range(ROUNDS):
            pairs.append(_pair(box, ben))
            print(
                "<!-- s with three yields, undisturbed, of a switch:", pairs[-1], "-->", flush=True
            )
    ours, theirs, switches = zip(*pairs, strict=True)
    ratios = tuple(mine / other for mine, other in zip(ours, theirs, strict=True))
    yield Measurement(
        f"a job that gives way three times, {statistics.median(switches):.2f} s a switch",
        "device seconds / undisturbed",
        ratios,
        "≤ 1.05",
        statistics.median(ours),
        statistics.median(theirs),
        "s",
    )
