"""Two processes with one thread each, compared with one process with two threads."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.boxes import ROOT
from benchmarks.measurement import Measurement, MissingRequirement, in_turn

CORES = 2
#: Memory is allocated and kernels are chosen during it.
UNCOUNTED_EPOCHS = 1


def images_per_second(processes: int) -> float:
    """Return the images per second of processes that train together on two cores."""
    threads = CORES // processes
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "benchmarks.rank_loop", str(Path(directory) / "ranks")]
        ranks = [
            subprocess.Popen(
                [*command, str(rank), str(processes), str(threads)],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
            )
            for rank in range(processes)
        ]
        outputs = [rank.communicate()[0] for rank in ranks]
    return statistics.harmonic_mean(json.loads(outputs[0])[UNCOUNTED_EPOCHS:])


def measure() -> Iterator[Measurement]:
    """Compare both: at least 0.8 of the speed."""
    cores = len(os.sched_getaffinity(0))
    if cores < CORES:
        raise MissingRequirement(f"{CORES} cores; this machine has {cores}")
    yield in_turn(
        "vgg_small, 2 processes with 1 thread each",
        "images per second / 1 process with 2 threads",
        lambda: images_per_second(2),
        lambda: images_per_second(1),
        target="≥ 0.8",
        unit="images/s",
        rounds=3,
    )
