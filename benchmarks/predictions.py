"""Predictions of one picture while a training runs: with the network loaded, and loaded first."""

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.boxes import Box, started
from benchmarks.measurement import Measurement, against_limit

SIZE, WIDTH, HEIGHT = 224, 500, 375
LOADED_SECONDS, UNLOADED_SECONDS = 0.15, 1.0
REQUESTS, CHECKPOINTS = 40, 7
#: Few images, since only the size of the network matters here: 411 MB.
PREDICTING: dict[str, Any] = {
    "dataset": {"name": "synthetic", "image_size": SIZE, "train": 8, "validation": 4, "test": 4},
    "architecture": "vgg_small",
    "training": {"epochs": CHECKPOINTS, "batch_size": 8},
    "metrics": {"top_k": [1, 5]},
    "checkpoints": [{"every_epochs": 1}],
    "diagnostics": "off",
}
TRAINING: dict[str, Any] = {
    "dataset": {"name": "digits", "image_size": 32, "channels": 3},
    "architecture": "vgg_small",
    "training": {"epochs": 100_000, "batch_size": 32},
}


def measure() -> Iterator[Measurement]:
    """Yield the time of a prediction from the request to the response, of a picture like a photo."""
    with started() as box:
        job_id = box.finish(box.submit(PREDICTING)["id"])["id"]
        listed = box.http.get(f"/v1/jobs/{job_id}/checkpoints", params={"limit": 100}).json()
        checkpoints = [row["id"] for row in listed["data"] if row["monitor"] is None]
        pictures = [_jpeg(seed) for seed in range(8)]
        with _training(box):
            first, *others = checkpoints
            _seconds(box, job_id, first, pictures[0])  # the process imports what it needs
            unloaded = [_seconds(box, job_id, other, pictures[0]) for other in others]
            loaded = [
                _seconds(box, job_id, others[-1], pictures[turn % len(pictures)])
                for turn in range(REQUESTS)
            ]
    what = (
        f"prediction of one {WIDTH} × {HEIGHT} JPEG at {SIZE} px while a training runs, vgg_small"
    )
    for values, limit, state in (
        (loaded, LOADED_SECONDS, "network loaded"),
        (unloaded, UNLOADED_SECONDS, "a network of 411 MB loaded first"),
    ):
        ratio_of = f"seconds / {limit} s"
        yield against_limit(f"{what}, {state}", values, limit, ratio_of=ratio_of, unit="s")


def _jpeg(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (HEIGHT // 5, WIDTH // 5, 3), np.uint8)
    image, file = Image.fromarray(pixels).resize((WIDTH, HEIGHT)), io.BytesIO()
    image.save(file, "JPEG", quality=85)
    return file.getvalue()


@contextmanager
def _training(box: Box) -> Iterator[None]:
    """Run a training until the end of the block."""
    job_id = box.submit(TRAINING)["id"]
    while not (job := box.http.get(f"/v1/jobs/{job_id}").json())["metrics"]:
        if job["state"] not in {"queued", "running"}:
            raise RuntimeError(f"{job_id} has {job['state']}: {job['failure']}")
        time.sleep(0.2)
    yield
    state = box.http.get(f"/v1/jobs/{job_id}").json()["state"]
    if state != "running":
        raise RuntimeError(f"{job_id} has {state} before the end of the measurement")
    box.http.post(f"/v1/jobs/{job_id}/cancel")


def _seconds(box: Box, job_id: str, checkpoint: str, picture: bytes) -> float:
    start = time.perf_counter()
    response = box.http.post(
        f"/v1/jobs/{job_id}/predictions",
        params={"checkpoint": checkpoint},
        files=[("files", ("photo.jpg", picture, "image/jpeg"))],
    )
    seconds = time.perf_counter() - start
    response.raise_for_status()
    [prediction] = response.json()["data"]
    assert len(prediction["top_k"]) == 5
    return seconds
