"""Latency of an idle box with cached data: its start, and from submission to the first step."""

import time
from collections.abc import Iterator
from datetime import datetime

from benchmarks.boxes import Box, started
from benchmarks.measurement import Measurement, against_limit

SPEC = {
    "dataset": {
        "name": "fashion-mnist",
        "train": 320,
        "validation": 100,
        "test": 100,
        "image_size": 32,
        "channels": 3,
    },
    "architecture": "vgg_small",
    "training": {"epochs": 1},
}
LIMIT_SECONDS = 0.3


def first_step(box: Box, *, rounds: int = 9) -> Measurement:
    """Measure the time from the client's request to the event of the first step."""
    box.finish(box.submit(SPEC)["id"])
    seconds = []
    for _ in range(rounds):
        time.sleep(5)  # until the next spare is ready, as on an idle box
        began = time.time()
        job = box.submit(SPEC)
        box.finish(job["id"])
        first = next(e for e in box.events(job["id"]) if e["type"] == "first_step")
        seconds.append(datetime.fromisoformat(first["at"]).timestamp() - began)
    return against_limit(
        "submission to first step", seconds, LIMIT_SECONDS, ratio_of="seconds / 0.3 s", unit="s"
    )


def start_and_memory(*, rounds: int = 5) -> Iterator[Measurement]:
    """Measure the time from `box up` to `/readyz`, and the API's resident memory after one job."""
    seconds, mib = [], []
    for _ in range(rounds):
        with started() as box:
            seconds.append(box.ready_seconds)
            box.finish(box.submit(SPEC)["id"])
            mib.append(box.resident_mib("api"))
    yield against_limit("box ready", seconds, 10, ratio_of="seconds / 10 s", unit="s")
    yield against_limit("API resident", mib, 200e6 / 2**20, ratio_of="MiB / 200 MB", unit="MiB")
