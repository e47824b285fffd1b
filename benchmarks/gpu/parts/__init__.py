"""The parts of the check, in the order in which they run: the most telling first."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.gpu.parts import analyses, devices, exactness, latency, memory, options, training
from benchmarks.gpu.result import Result
from benchmarks.gpu.subject import Subject


@dataclass(frozen=True)
class Part:
    """A part of the check, which runs in a process of its own."""

    measure: Callable[[Subject], Iterator[Result]]
    #: It is stopped after this many seconds; what it has measured is kept.
    limit_seconds: float
    needs_gpu: bool = False


PARTS = {
    "training": Part(training.measure, 130),
    "exactness": Part(exactness.measure, 120),
    "latency": Part(latency.measure, 60),
    "devices": Part(devices.measure, 90, needs_gpu=True),
    "memory": Part(memory.measure, 70, needs_gpu=True),
    "analyses": Part(analyses.measure, 60),
    "options": Part(options.measure, 70),
}
