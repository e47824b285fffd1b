"""Whether `deterministic` jobs end in the same bits, after a kill too, and what that costs."""

import os
import signal
import warnings
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from benchmarks.boxes import Box, started
from benchmarks.gpu.experiments import experiment
from benchmarks.gpu.jobs import epoch_rate, last_weights, runner_pid, wait_for_event, wait_until
from benchmarks.gpu.result import Result
from benchmarks.gpu.subject import Subject
from worker.registry import SLOTS
from worker.training import step_graph
from worker.training.determinism import nondeterministic_operations
from worker.training.fit import fit

PART = "exactness"
#: What a job of the lecture combines.
METHODS = {
    "augmentation": {"rotation": {}, "horizontal_flip": {}},
    "regularizers": {"l2": 0.0001, "mixup": {}},
}
PRECISIONS = ("float32", "bfloat16", "float16")
#: Networks whose operations are searched for such without a deterministic implementation.
NETWORKS = ("vgg_small", "mlp", "vgg16", "resnet50", "densenet121", "mobilenet_v2", "xception")


def measure(subject: Subject) -> Iterator[Result]:
    """Yield whether bits are equal between runs, and after SIGKILL in mid-epoch."""
    with started(TRAINSHED_CHECKPOINT_SECONDS="1") as box:
        images = min(subject.train, 10_000)
        spec = {**subject.spec(train=images, epochs=3, deterministic=True), **METHODS}
        first, again = (box.finish(box.submit(spec)["id"])["id"] for _ in range(2))
        yield _is_equal("two runs end in the same weights", box, first, again)
        killed = _kill_in_mid_epoch(box, spec)
        note = f"attempts began at step {_first_steps(box, killed)}"
        yield _is_equal(
            "killed in mid-epoch and resumed: the same weights", box, first, killed, note
        )
        on_host = {**spec, "dataset": {**spec["dataset"], "residency": "host"}}
        host = box.finish(box.submit(on_host)["id"])["id"]
        yield _is_equal("residency host ends in the same weights", box, first, host)
        yield Result(
            PART,
            "images per second with residency host / device",
            epoch_rate(box, host, images) / epoch_rate(box, again, images),
        )
        free = {**spec, "training": {**spec["training"], "deterministic": False}}
        other = box.finish(box.submit(free)["id"])["id"]
        with_it, without = (epoch_rate(box, job, images) for job in (again, other))
        yield Result(
            PART,
            "images per second with deterministic / without",
            with_it / without,
            note=f"{with_it:.0f} / {without:.0f}",
        )
        yield from _graphs(box, subject)
        yield from _operations(box, subject)


def _is_equal(name: str, box: Box, first: str, second: str, note: str = "") -> Result:
    is_equal = last_weights(box, first) == last_weights(box, second)
    return Result(PART, name, float(is_equal), target="= 1", note=note)


def _kill_in_mid_epoch(box: Box, spec: dict[str, Any]) -> str:
    """Run a job whose process is killed in its second epoch, and return it once it has ended."""
    job_id = box.submit(spec)["id"]
    wait_for_event(box, job_id, "epoch")

    def is_in_second_epoch() -> bool:
        progress = box.http.get(f"/v1/jobs/{job_id}").json()["progress"] or {}
        return (progress.get("step") or 0) % _steps(spec) > _steps(spec) // 4

    wait_until(is_in_second_epoch, seconds=30, what="the second epoch")
    pid = runner_pid(job_id)
    if pid is None:
        raise RuntimeError(f"{job_id} has no process")
    os.kill(pid, signal.SIGKILL)
    return box.finish(job_id)["id"]


def _steps(spec: dict[str, Any]) -> int:
    return spec["dataset"]["train"] // spec["training"]["batch_size"]


def _first_steps(box: Box, job_id: str) -> str:
    attempts = box.http.get(f"/v1/jobs/{job_id}").json()["attempts"]
    return ", ".join(str(attempt["first_step"]) for attempt in attempts)


def _graphs(box: Box, subject: Subject) -> Iterator[Result]:
    """Yield, by precision, whether steps end in the same weights with CUDA graphs as without."""
    for precision in PRECISIONS if subject.is_gpu else PRECISIONS[:1]:
        spec = subject.spec(train=min(subject.train, 3000), epochs=2, precision=precision)
        optimizer = {"name": "adam", "learning_rate": 0.001, "schedule": {"name": "cosine"}}
        for name, change in (("", {}), (", adam, mixup", METHODS | {"optimizer": optimizer})):
            with_graphs, without = (_trained(box, spec | change, subject, n) for n in (None, 0))
            yield Result(
                PART,
                f"{precision}{name}: the same weights with CUDA graphs as without",
                float(all(torch.equal(with_graphs[key], without[key]) for key in without)),
                target="= 1",
            )


def _trained(
    box: Box, spec: dict[str, Any], subject: Subject, max_step_bytes: int | None
) -> dict[str, Tensor]:
    """Return the weights after training, with another bound on the memory of a graph."""
    training = experiment(box, spec, subject.device)
    bound = step_graph.MAX_STEP_BYTES if max_step_bytes is None else max_step_bytes
    with patch.object(step_graph, "MAX_STEP_BYTES", bound):
        for _ in fit(training):
            pass
    return training.model.state_dict()


def _operations(box: Box, subject: Subject) -> Iterator[Result]:
    """Yield the number of operations without a deterministic implementation, and their names."""
    size = 64 if subject.is_gpu else 32
    base = {
        "dataset": {"name": "synthetic", "train": 16, "validation": 8, "test": 8}
        | {"image_size": size},
        "training": {"epochs": 1, "batch_size": 8},
    }
    networks = NETWORKS if subject.is_gpu else NETWORKS[:1]
    specs = {name: base | {"architecture": name} for name in networks}
    slots = {"augmentation": "augmentations", "regularizers": "regularizers"}
    for field, slot in slots.items() if subject.is_gpu else ():
        for name in SLOTS[slot].entries():
            specs[name] = base | {"architecture": "vgg_small", field: {name: {}}}
    found: dict[str, list[str]] = {}
    for name, spec in specs.items():
        for operation in _nondeterministic(box, spec, subject.device):
            found.setdefault(operation, []).append(name)
    note = "; ".join(f"{operation} in {', '.join(names)}" for operation, names in found.items())
    name = f"operations without a deterministic implementation, in {len(specs)} jobs"
    yield Result(PART, name, len(found), note=note)


def _nondeterministic(box: Box, spec: dict[str, Any], device: str) -> set[str]:
    training = experiment(box, spec, device)
    with warnings.catch_warnings(), nondeterministic_operations() as operations:
        warnings.simplefilter("always")
        for report in fit(training):
            for note in getattr(report, "notes", ()):
                if "deterministic implementation of" in note:
                    names = note.split("implementation of ")[1].split(" on this device")[0]
                    operations.update(names.split(", "))
    return operations
