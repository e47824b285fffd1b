"""What it costs a job to give way three times, compared with the same job undisturbed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from math import ceil
from typing import Any

import httpx

from benchmarks.boxes import Box, started
from benchmarks.measurement import Measurement, in_turn

YIELDS, ROUNDS = 3, 3
TICK_SECONDS = 0.05
#: Of an undisturbed job: longer than three quanta of 19 switches.
SECONDS = 85.0
SPEC: dict[str, Any] = {
    "dataset": {"name": "digits", "image_size": 16},
    "architecture": {"name": "vgg_small", "widths": [8, 16], "hidden_units": [32]},
    "training": {"epochs": 20, "batch_size": 8},
    "diagnostics": "off",
}
SHORT: dict[str, Any] = {
    "dataset": "digits",
    "architecture": "linear",
    "training": {"epochs": 1, "batch_size": 256},
}
#: It becomes 19 times what a switch takes, which is longer.
QUANTUM_SECONDS = "5"


@contextmanager
def _person(box: Box, name: str) -> Iterator[httpx.Client]:
    """Yield a client with the key of a new person."""
    box.http.post("/v1/users", json={"name": name, "role": "member"}).raise_for_status()
    body = {"name": "of the benchmark", "scopes": ["submit"], "user": name}
    key = box.http.post("/v1/keys", json=body).json()["key"]
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=box.http.base_url, headers=headers, timeout=90) as client:
        yield client


def _device_seconds(job: dict[str, Any]) -> float:
    return sum(
        (_time(attempt["ended_at"]) - _time(attempt["started_at"])).total_seconds()
        for attempt in job["attempts"]
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _digests(box: Box, job_id: str) -> dict[int, str]:
    """Return the digests of the job's weights, by step."""
    rows = box.http.get(f"/v1/jobs/{job_id}/checkpoints", params={"limit": 100}).json()["data"]
    return {row["step"]: row["sha256"] for row in rows}


class _Side:
    """One side of the comparison, which remembers the weights of its last job."""

    def __init__(self, box: Box, spec: dict[str, Any], other: httpx.Client | None = None) -> None:
        self.box, self.spec, self.other = box, spec, other
        self.digests = dict[int, str]()

    def seconds(self) -> float:
        """Train, and return the device time; somebody else's short jobs come while it trains."""
        job_id = self.box.submit(self.spec)["id"]
        if self.other is not None:
            for number in range(1, YIELDS + 1):
                while len(self.box.job(job_id)["attempts"]) < number:
                    time.sleep(TICK_SECONDS)
                response = self.other.post("/v1/jobs", json=SHORT)
                response.raise_for_status()
                self.box.finish(response.json()["id"])
        job = self.box.finish(job_id)
        outcomes = [attempt["outcome"] for attempt in job["attempts"]]
        expected = ["yielded"] * (YIELDS if self.other else 0) + ["completed"]
        if outcomes != expected:
            raise RuntimeError(f"the attempts of {job_id} ended {outcomes}, not {expected}")
        self.digests = _digests(self.box, job_id)
        return _device_seconds(job)


def measure() -> Iterator[Measurement]:
    """Compare both, in turn.

    Raises:
        RuntimeError: the weights differ, or the job did not give way three times.
    """
    settings = {"TRAINSHED_CPU_SLOTS": "1", "TRAINSHED_THREADS": "1"}
    settings["TRAINSHED_QUANTUM_SECONDS"] = QUANTUM_SECONDS
    with started(kept_home=None, **settings) as box, _person(box, "ben") as ben:
        seconds = _Side(box, SPEC).seconds()
        epochs = ceil(SPEC["training"]["epochs"] * SECONDS / seconds)
        spec = {**SPEC, "training": {**SPEC["training"], "epochs": epochs}}
        sides = _Side(box, spec, ben), _Side(box, spec)
        yield in_turn(
            f"a job of {epochs} epochs that gives way three times",
            "device seconds / undisturbed",
            sides[0].seconds,
            sides[1].seconds,
            target="≤ 1.05",
            unit="s",
            rounds=ROUNDS,
        )
        if sides[0].digests != sides[1].digests:
            raise RuntimeError("the weights differ from those of the undisturbed job")
