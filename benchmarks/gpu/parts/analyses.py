"""Analyses of a trained network on the device, and its largest eigenvalue against the CPU's."""

import time
from collections.abc import Iterator
from typing import Any

from benchmarks.boxes import FINAL_STATES, Box, started
from benchmarks.gpu.experiments import experiment
from benchmarks.gpu.result import Result
from benchmarks.gpu.subject import Subject
from worker.analyses.subject import Subject as Analysed
from worker.registry import analyses

PART = "analyses"
TRAIN = 2000
#: Parameters with which each kind is short.
SHORT: dict[str, dict[str, Any]] = {
    "curvature": {"samples": 512, "iterations": 10, "probes": 2},
    "loss_surface": {"samples": 500, "directions": 2, "points": 11, "grid": 7},
    "loss_path": {"samples": 500, "points": 11},
    "loss_estimate": {"resamples": 200},
    "label_errors": {},
}
#: Few weights, which are analysed in float64.
SMALL = {"name": "mlp", "hidden_units": [16], "activation": "tanh"}
EIGENVALUE = {"samples": 256, "iterations": 10, "tolerance": 0, "probes": 0}
MAX_DIFFERENCE = 1e-6


def measure(subject: Subject) -> Iterator[Result]:
    """Yield the seconds of each kind, and how far the device's eigenvalue is from the CPU's."""
    with started() as box:
        spec = subject.spec(train=min(subject.train, TRAIN), epochs=1)
        if not subject.is_gpu:
            spec["architecture"] = SMALL
        job = box.finish(box.submit(spec)["id"])
        is_on_device = True
        for kind, parameters in SHORT.items():
            analysis = _analyse(box, job["id"], kind, "last", parameters)
            is_on_device &= analysis["device"].startswith(subject.device)
            seconds, memory_mib = analysis["seconds"], analysis["predicted_memory_mib"]
            note = f"predicted {memory_mib:.0f} MiB"
            yield Result(PART, f"{kind}, from request to result", seconds, "s", note=note)
        name = f"all kinds ran on {subject.device}"
        yield Result(PART, name, float(is_on_device), target="= 1")
        yield _difference(box, subject)


def _difference(box: Box, subject: Subject) -> Result:
    """Return how far the largest eigenvalue of the device is from that of this process's CPU."""
    small = subject.spec(train=min(subject.train, TRAIN), epochs=1)
    small |= {"architecture": SMALL, "checkpoints": [{"epoch": 0}]}
    job = box.finish(box.submit(small)["id"])
    found = _analyse(box, job["id"], "curvature", "initial", EIGENVALUE)["result"]
    training = experiment(box, small, "cpu")
    entry = analyses.get("curvature")
    bound = analyses.bind("curvature", {**entry.defaults, **EIGENVALUE})
    expected = bound(Analysed(training, training.stages[-1])).result
    device, cpu = (each["lambda_max"]["value"] for each in (found, expected))
    return Result(
        PART,
        f"largest eigenvalue on {subject.device} / on the CPU − 1",
        abs(device / cpu - 1),
        target=f"≤ {MAX_DIFFERENCE}",
        note=f"{device:.9g} / {cpu:.9g}, {found['precision']}",
    )


def _analyse(
    box: Box, job_id: str, kind: str, checkpoint: str, parameters: dict[str, Any]
) -> dict[str, Any]:
    """Request an analysis; return it at its end, with the seconds that it took."""
    body = {"kind": kind, "checkpoint": checkpoint, **parameters}
    response = box.http.post(f"/v1/jobs/{job_id}/analyses", json=body)
    response.raise_for_status()
    began = time.monotonic()
    analysis = response.json()
    while analysis["state"] not in FINAL_STATES:
        path = f"/v1/analyses/{analysis['id']}"
        analysis = box.http.get(path, params={"wait": 30}).json()
    if analysis["state"] != "succeeded":
        raise RuntimeError(f"{kind} has {analysis['state']}: {analysis['failure']}")
    return {**analysis, "seconds": time.monotonic() - began}
