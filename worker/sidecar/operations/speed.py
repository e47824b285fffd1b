"""`speed`: how long this machine's CPU takes for each part of the work of a step."""

import time
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch.nn import functional

from worker.registry import architectures
from worker.runner import warm_up
from worker.sidecar.request import Operation
from worker.training.fit import fit
from worker.training.memory import Update, predict_memory_mib
from worker.training.reports import EpochEnded
from worker.training.work import Work, WorkCounter

#: The shortest measurement counts, since other processes can only make one longer.
REPETITIONS = 5
#: An epoch of the tiny network, in its training steps: it trains on all images, and evaluates the
#: training and the validation images, which takes a third of the time each.
STEPS = (1 + 2 / 3) * warm_up.IMAGES / warm_up.BATCH_SIZE


def speed(_: dict[str, Any]) -> dict[str, Any]:
    """Return the seconds for an operation, a byte and a floating point operation (`Work`).

    They are measured at the first request.
    """
    return _seconds()


@cache
def _seconds() -> dict[str, float]:
    values = torch.zeros(2**22)
    images_NCHW, weights = torch.zeros(16, 64, 32, 32), torch.zeros(64, 64, 3, 3)
    flops = 2 * images_NCHW.numel() * weights[0].numel()
    return {
        # With few and small tensors, an operation takes the time that Python needs for it.
        "operations": _shortest_epoch() / STEPS / _work_of_tiny_network().operations,
        "bytes": _shortest(lambda: torch.relu(values)) / (2 * values.numel() * 4),
        "flops": _shortest(lambda: functional.conv2d(images_NCHW, weights, padding=1)) / flops,
    }


def _shortest(run: Callable[[], object]) -> float:
    """Return the seconds of the fastest run."""
    durations: list[float] = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        run()
        durations.append(time.perf_counter() - start)
    return min(durations)


def _shortest_epoch() -> float:
    """Return the seconds of the fastest epoch of the tiny network."""
    reports = fit(warm_up.tiny_experiment(REPETITIONS))
    return min(report.metrics["seconds"] for report in reports if isinstance(report, EpochEnded))


def _work_of_tiny_network() -> Work:
    counter, name = WorkCounter(), warm_up.ARCHITECTURE
    predict_memory_mib(
        name,
        architectures.get(name).defaults | warm_up.PARAMETERS,
        warm_up.IMAGE_SHAPE,
        len(warm_up.CLASSES),
        batch_size=warm_up.BATCH_SIZE,
        updates=[Update()],
        work=counter,
    )
    return counter.work


#: Kept, since it remembers its measurement.
SPEED = Operation(speed, processes=1, is_kept=True)
