"""Predicted memory against what the card saw, and how a job ends for which it is too small."""

import gc
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import torch

from benchmarks.boxes import Box, started
from benchmarks.gpu import card
from benchmarks.gpu.experiments import experiment
from benchmarks.gpu.jobs import wait_until
from benchmarks.gpu.result import Result
from benchmarks.gpu.subject import Subject
from worker.training.experiment import Experiment
from worker.training.fit import fit
from worker.training.reports import Stepped
from worker.training.step_graph import EAGER_STEPS

PART = "memory"
NETWORKS = ("vgg16", "resnet50", "densenet121", "mobilenet_v2", "xception", "efficientnet_b0")
BATCH_SIZES = (32, 64)
#: Networks whose steps are captured as a CUDA graph, and sizes of their batches.
SMALL = (("vgg_small", 32), ("vgg_small", 512), ("resnet50", 32))
LARGE_SIZE, SMALL_SIZE = 224, 32
#: More than the steps that are taken before the capture.
STEPS = EAGER_STEPS + 3
#: Left free on the card for a job that needs more.
FREE_MIB = 3000


def measure(subject: Subject) -> Iterator[Result]:
    """Yield the predicted memory of networks over the measured, and the end of a job without."""
    torch.cuda.init()
    with started() as box:
        yield from _out_of_memory(box)
        for name in NETWORKS:
            for batch_size in BATCH_SIZES:
                yield _prediction(box, name, batch_size, LARGE_SIZE)
        for name, batch_size in SMALL:
            yield _prediction(box, name, batch_size, SMALL_SIZE)


def _spec(name: str, batch_size: int, image_size: int) -> dict[str, Any]:
    images = STEPS * batch_size
    return {
        "dataset": {"name": "synthetic", "train": images, "validation": 8, "test": 8}
        | {"image_size": image_size, "channels": 3},
        "architecture": name,
        "training": {"epochs": 1, "batch_size": batch_size},
    }


def _prediction(box: Box, name: str, batch_size: int, image_size: int) -> Result:
    """Return the predicted memory of training over the allocator's highest."""
    spec = _spec(name, batch_size, image_size)
    predicted = box.http.post("/v1/jobs/validate", json=spec).json()["device_memory_mib"]
    training = experiment(box, spec, "cuda")
    torch.cuda.reset_peak_memory_stats()
    used_before = card.used_mib()
    _take_steps(training)
    torch.cuda.synchronize()
    allocated = torch.cuda.max_memory_allocated() / 2**20
    reserved = torch.cuda.max_memory_reserved() / 2**20
    seen = card.used_mib() - used_before
    del training
    gc.collect()
    torch.cuda.empty_cache()
    return Result(
        PART,
        f"{name}, {image_size} px, batch {batch_size}: predicted / allocated at most",
        predicted / allocated,
        note=f"{predicted:.0f} / {allocated:.0f} MiB; reserved {reserved:.0f}, NVML + {seen:.0f}",
    )


def _take_steps(training: Experiment) -> None:
    for count, _ in enumerate(r for r in fit(training) if isinstance(r, Stepped)):
        if count + 1 == STEPS:
            return


def _out_of_memory(box: Box) -> Iterator[Result]:
    """Yield how a job ends on a card that is almost full, and when its memory is free again."""
    free_mib = torch.cuda.mem_get_info()[0] / 2**20
    ballast = torch.empty(int(free_mib - FREE_MIB) * 2**20, dtype=torch.uint8, device="cuda")
    before = card.used_mib()
    job = box.finish(box.submit(_spec("vgg16", 128, LARGE_SIZE))["id"], any_state=True)
    kind = (job["failure"] or {}).get("kind", job["state"])
    yield Result(
        PART, f"out of memory ends as {kind}", float(kind == "out_of_memory"), target="= 1"
    )
    wait_until(lambda: card.used_mib() <= before + card.SLACK_MIB, seconds=15, what="freeing")
    seconds = max(0.0, time.time() - datetime.fromisoformat(job["finished_at"]).timestamp())
    yield Result(PART, "seconds until its memory is free", seconds, "s", target="≤ 5")
    del ballast
    torch.cuda.empty_cache()
