"""From submission to the first training step, on an idle box with the data in the cache."""

import statistics
import time
from datetime import datetime

from benchmarks.boxes import Box
from benchmarks.measuring import Figure

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
    """Seconds from `created_at` to the event of the first step, both by the machine's clock."""
    box.finish(box.submit(SPEC)["id"])
    seconds = []
    for _ in range(rounds):
        time.sleep(5)  # the next spare has to be ready: an idle box
        job = box.submit(SPEC)
        box.finish(job["id"])
        first = next(one for one in box.events(job["id"]) if one["type"] == "first_step")
        began, stepped = (datetime.fromisoformat(at) for at in (job["created_at"], first["at"]))
        seconds.append((stepped - began).total_seconds())
    return Figure(
        "submission to first step",
        "seconds / 0.3 s",
        tuple(one / LIMIT_SECONDS for one in seconds),
        "≤ 1",
        statistics.median(seconds),
        LIMIT_SECONDS,
        "s",
    )


def ready(box: Box) -> Figure:
    """From `box up` to `/readyz`."""
    return Figure(
        "box ready", "seconds / 10 s", (box.ready_seconds / 10,), "≤ 1", box.ready_seconds, 10, "s"
    )


def resident(box: Box) -> Figure:
    """Resident memory of the API after it has served."""
    mib = box.resident_mib("api")
    limit = 200e6 / 2**20
    return Figure("API resident", "MiB / 200 MB", (mib / limit,), "≤ 1", mib, limit, "MiB")
