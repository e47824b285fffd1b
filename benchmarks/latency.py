"""An idle box with the data in its cache: how soon it is there, and how soon it trains."""

import time
from collections.abc import Iterator
from datetime import datetime

from benchmarks.boxes import Box, started
from benchmarks.measuring import Figure, against_limit

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


def first_step(box: Box, *, rounds: int = 9) -> Figure:
    """Seconds from the client's call to the event of the first step, by the machine's clock."""
    box.finish(box.submit(SPEC)["id"])
    seconds = []
    for _ in range(rounds):
        time.sleep(5)  # the next spare has to be ready: an idle box
        began = time.time()
        job = box.submit(SPEC)
        box.finish(job["id"])
        first = next(one for one in box.events(job["id"]) if one["type"] == "first_step")
        seconds.append(datetime.fromisoformat(first["at"]).timestamp() - began)
    return against_limit(
        "submission to first step", seconds, LIMIT_SECONDS, of="seconds / 0.3 s", unit="s"
    )


def start_and_memory(*, rounds: int = 5) -> Iterator[Figure]:
    """From `box up` to `/readyz`, and the API's resident memory when a job has gone through it."""
    seconds, mib = [], []
    for _ in range(rounds):
        with started() as box:
            seconds.append(box.ready_seconds)
            box.finish(box.submit(SPEC)["id"])
            mib.append(box.resident_mib("api"))
    yield against_limit("box ready", seconds, 10, of="seconds / 10 s", unit="s")
    yield against_limit("API resident", mib, 200e6 / 2**20, of="MiB / 200 MB", unit="MiB")
