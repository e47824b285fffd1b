"""Predicted memory compared with the peak resident memory of real steps on the CPU."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.worker.filled import filled, parameters
from worker.regularizers.norms import add_l1_gradient, l1_value
from worker.regularizers.regularizer import Penalty
from worker.sidecar.memory import predict_mib
from worker.training.memory import LiveMemory, Update, measure_penalty, predict_memory_mib

#: Trains for two steps and prints by how many MiB the peak exceeds the memory before them.
TWO_STEPS = """
import json, sys
from pathlib import Path
import torch
from tests.worker.filled import filled
from worker.build import build
from worker.data.job_data import Data
from worker.training.experiment import Split, Splits
from worker.training.device_split import DeviceSplit
from worker.training.step import Stepper

def mib(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024

def steps(size, count, **spec):
    images = torch.zeros(count, 3, size, size, dtype=torch.uint8)
    split = Split(images, torch.arange(count) % 10, torch.arange(count))
    data = Data(tuple("abcdefghij"), Splits(split, split, split))
    experiment = build(filled({"dataset": "any", **spec}), data)
    on_device = DeviceSplit(images, split.labels, experiment.normalization, experiment.device)
    stepper = Stepper(experiment, experiment.stages[0], on_device)
    for step in (1, 2):
        stepper.step(torch.arange(count), step=step, updates=step - 1)

torch.set_num_threads(1)
request = json.loads(sys.argv[1])
small = {"name": "vgg_small", "widths": [2], "hidden_units": [2]}
steps(8, 2, **{**request["spec"], "architecture": small})
before = mib("VmRSS")
steps(request["size"], request["batch"], **request["spec"])
print(mib("VmHWM") - before)
"""
#: Makes malloc return large blocks at once, so that the peak is that of live memory.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "65536"}


def _measured(size: int, batch: int, spec: dict[str, Any]) -> float:
    request = json.dumps({"size": size, "batch": batch, "spec": spec})
    done = subprocess.run(
        [sys.executable, "-c", TWO_STEPS, request],
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


def _predicted(size: int, batch: int, spec: dict[str, Any]) -> float:
    job = filled({"dataset": "any", **spec})
    question = {
        "architecture": job.architecture.model_dump(),
        "regularizers": job.regularizers,
        "image": [3, size, size],
        "classes": 10,
        "batch_size": batch,
        "optimizers": [{"name": job.optimizer.name, **job.optimizer.parameters}],
    }
    return predict_mib(question, job.architecture.parameters, None)


WIDE = {"name": "mlp", "hidden_units": [4096, 4096]}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are read from /proc")
@pytest.mark.parametrize(
    ("size", "batch", "architecture", "regularizers", "optimizer"),
    [
        (32, 256, {"name": "vgg_small"}, {}, {"name": "sgd"}),
        (32, 64, {"name": "vgg_small"}, {"vat": {}}, {"name": "sgd"}),
        (32, 8, WIDE, {}, {"name": "rmsprop", "momentum": 0.9}),
        (32, 8, WIDE, {"l1": {}}, {"name": "sgd", "momentum": 0}),
        (64, 64, {"name": "mobilenet_v2"}, {}, {"name": "adam"}),
    ],
    ids=["plain", "vat", "rmsprop with momentum", "l1 without momentum", "zoo"],
)
def test_real_step_takes_the_predicted_memory(
    size: int,
    batch: int,
    architecture: dict[str, Any],
    regularizers: dict[str, Any],
    optimizer: dict[str, Any],
) -> None:
    spec = {"architecture": architecture, "regularizers": regularizers, "optimizer": optimizer}
    predicted, measured = _predicted(size, batch, spec), _measured(size, batch, spec)
    assert abs(predicted - measured) < 0.1 * measured + 60


class TestPrediction:
    def _mib(self, **fields: Any) -> float:
        arguments = {"batch_size": 32, "updates": [Update(slots=1)], **fields}
        return predict_memory_mib(
            "vgg_small", parameters("architectures", "vgg_small"), (3, 32, 32), 10, **arguments
        )

    def test_activations_grow_with_the_batch(self) -> None:
        small, medium, large = (self._mib(batch_size=size) for size in (32, 64, 96))
        assert large - medium == pytest.approx(medium - small)

    def test_largest_of_several_updates_counts(self) -> None:
        small, large = Update(slots=1), Update(slots=2)
        assert self._mib(updates=[small, large, small]) == self._mib(updates=[large])
        weights = 4 * 2_169_770 / 2**20
        assert self._mib(updates=[large]) - self._mib() == pytest.approx(weights)

    def test_temporaries_are_in_use_after_activations_are_freed(self) -> None:
        update = Update(slots=1, temporaries=2)
        assert self._mib(batch_size=64, updates=[update]) == self._mib(batch_size=64)
        assert self._mib(batch_size=2, updates=[update]) > self._mib(batch_size=2)

    def test_slots_and_temporaries_of_different_updates_do_not_add_up(self) -> None:
        arguments = {"batch_size": 2, "updates": [Update(slots=2), Update(slots=1, temporaries=1)]}
        assert self._mib(**arguments) < self._mib(batch_size=2, updates=[Update(2, 1)])

    def test_half_precision_takes_less(self) -> None:
        assert self._mib(precision="bfloat16") < self._mib()


def test_l1_takes_a_temporary_for_the_signs() -> None:
    penalty = Penalty(partial(l1_value, weight=0.1), partial(add_l1_gradient, weight=0.1))
    assert measure_penalty(penalty) == Update(temporaries=1)


def test_storage_is_counted_once_and_until_it_is_freed() -> None:
    before = torch.zeros(8)
    with LiveMemory(ignored=[before]) as live:
        view = before.view(2, 4)
        tensor = torch.zeros(4)
        part = tensor[:2]
        assert live.now == 16
        del tensor
        assert live.now == 16
        del part
        assert live.now == 0
        view.add_(1)
    assert live.peak == 16
