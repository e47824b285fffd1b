"""How fast jobs leave their device: cancel, pause and drain."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from math import ceil
from pathlib import Path
from threading import Thread
from typing import Any

from benchmarks.boxes import Box, started
from benchmarks.measurement import Measurement, against_limit

REQUESTS = 100
#: The jobs never end by themselves, so that not all of their checkpoints are ever written.
NO_RESERVE = {"TRAINSHED_DISK_RESERVE_MIB": "0"}
DRAINS = 5
#: With steps, evaluations and checkpoints of several kinds, so that a request comes in each.
SPEC: dict[str, Any] = {
    "dataset": {"name": "digits", "image_size": 32},
    "architecture": "vgg_small",
    "checkpoints": [{"every_epochs": 1}],
    "training": {"epochs": 10_000, "batch_size": 32},
}
#: Between two looks at a process, and between two requests. More of them would take the processor
#: from the jobs.
TICK_SECONDS, REQUEST_SECONDS = 0.005, 0.1


def processes(box: Box, module: str) -> dict[int, set[str]]:
    """Return the processes of the box that run a module, with the jobs whose lock they hold."""
    variable, found = f"TRAINSHED_HOME={box.home}".encode(), dict[int, set[str]]()
    for directory in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (directory / "cmdline").read_bytes().split(b"\0")
            environment = (directory / "environ").read_bytes().split(b"\0")
            if module.encode() in command and variable in environment:
                found[int(directory.name)] = _locked_jobs(directory / "fd")
    return found


def _locked_jobs(directory: Path) -> set[str]:
    jobs = set[str]()
    for descriptor in directory.iterdir():
        with suppress(OSError):  # closed since it was listed
            path = descriptor.readlink()
            if path.name.startswith("job_"):
                jobs.add(path.stem)
    return jobs


def _exists(pid: int) -> bool:
    """Return whether a process has memory: a zombie has none."""
    try:
        return "VmRSS" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def _wait_until_gone(pids: list[int]) -> float:
    """Return the seconds until no process exists."""
    began = time.perf_counter()
    while any(map(_exists, pids)):
        time.sleep(TICK_SECONDS)
    return time.perf_counter() - began


def _wait_for_step(box: Box, job_id: str, step: int = 0) -> None:
    """Wait until a job runs and has taken more steps than these."""
    while _step(box, job_id) <= step:
        time.sleep(REQUEST_SECONDS)


def _step(box: Box, job_id: str) -> int:
    """Return the step of a job that runs; 0 while it does not."""
    job = box.job(job_id)
    return (job["progress"] or {}).get("step", 0) if job["state"] == "running" else 0


def _runner(box: Box, job_id: str) -> int:
    while True:
        for pid, jobs in processes(box, "worker.runner").items():
            if job_id in jobs:
                return pid
        time.sleep(REQUEST_SECONDS)


def _request(box: Box, job_id: str, action: str, state: str, moment: float) -> float:
    """Return the seconds from the answer to a request until the job's process is gone.

    Args:
        box: that runs the job.
        job_id: the job.
        action: `cancel` or `pause`.
        state: of the job afterwards.
        moment: how many seconds after a step the request comes.
    """
    pid = _runner(box, job_id)
    time.sleep(moment)
    box.http.post(f"/v1/jobs/{job_id}/{action}").raise_for_status()
    seconds = _wait_until_gone([pid])
    print(f"<!-- {action}: {seconds:.3f} s -->", flush=True)  # kept where the run is stopped
    while box.job(job_id)["state"] != state:
        time.sleep(REQUEST_SECONDS)
    return seconds


def _cancels(box: Box, moments: list[float]) -> list[float]:
    found: list[float] = []
    for moment in moments:
        job_id = box.submit(SPEC)["id"]
        _wait_for_step(box, job_id)
        found.append(_request(box, job_id, "cancel", "cancelled", moment))
    return found


def _pauses(box: Box, moments: list[float]) -> list[float]:
    found, step, job_id = list[float](), 0, box.submit(SPEC)["id"]
    for moment in moments:
        _wait_for_step(box, job_id, step)
        found.append(_request(box, job_id, "pause", "paused", moment))
        step = box.job(job_id)["progress"]["step"]
        box.http.post(f"/v1/jobs/{job_id}/resume").raise_for_status()
    _cancel(box, job_id)
    return found


def _cancel(box: Box, job_id: str) -> None:
    box.http.post(f"/v1/jobs/{job_id}/cancel").raise_for_status()
    box.finish(job_id, any_state=True)


def _of_two_jobs(box: Box, run: Callable[[Box, list[float]], list[float]]) -> list[float]:
    """Return the seconds of requests to two jobs that train at the same time."""
    rest = random.Random(0)
    # Any moment of a step, an evaluation or a checkpoint.
    moments = [[rest.random() for _ in range(REQUESTS // 2)] for _ in range(2)]
    found: list[float] = []
    # Daemons, so that a signal ends the benchmark and stops its box.
    threads = [
        Thread(target=lambda each=each: found.extend(run(box, each)), daemon=True)
        for each in moments
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(found) < REQUESTS:
        raise RuntimeError(f"only {len(found)} of {REQUESTS} requests were measured")
    return found


def _drain(box: Box, jobs: list[str]) -> float:
    """Return the seconds from SIGTERM to the worker until it and the jobs' processes are gone."""
    steps = {job_id: _step(box, job_id) for job_id in jobs}
    (worker,) = processes(box, "worker")
    pids = [_runner(box, job_id) for job_id in jobs]
    os.kill(worker, signal.SIGTERM)
    seconds = _wait_until_gone([worker, *pids])
    for job_id, step in steps.items():  # the box starts the worker again
        _wait_for_step(box, job_id, step)
    return seconds


def measure() -> Iterator[Measurement]:
    """Measure how long jobs that are cancelled, paused or drained hold their device."""
    settings = {"TRAINSHED_CPU_SLOTS": "2", "TRAINSHED_THREADS": "1", **NO_RESERVE}
    with started(kept_home=None, **settings) as box:
        cancels = _of_two_jobs(box, _cancels)
        yield against_limit("cancel: memory free", cancels, 2.5, ratio_of="s / 2.5 s", unit="s")
        pauses = _of_two_jobs(box, _pauses)
        yield against_limit("pause: memory free", pauses, 2.5, ratio_of="s / 2.5 s", unit="s")
        both = sorted([*cancels, *pauses])
        high = [both[ceil(0.99 * len(both)) - 1]]
        yield against_limit(
            f"cancel and pause: p99 of {len(both)}", high, 15, ratio_of="s / 15 s", unit="s"
        )
        jobs = [box.submit(SPEC)["id"] for _ in range(2)]
        for job_id in jobs:
            _wait_for_step(box, job_id)
        drains = [_drain(box, jobs) for _ in range(DRAINS)]
        yield against_limit(
            "drain of a worker with two jobs", drains, 20, ratio_of="s / 20 s", unit="s"
        )
        for job_id in jobs:
            _cancel(box, job_id)
