"""Copies from the device, and training time where the device works while the host is elsewhere."""

import time
from typing import Any

import pytest
import torch

from tests.worker.experiments import experiment
from worker.training import trainer
from worker.training.device_work import copy_to_cpu, is_busy
from worker.training.fit import fit
from worker.training.reports import EpochEnded, Stepped

PAUSE_SECONDS = 0.3


def test_copies_keep_values_and_layout_and_share_nothing() -> None:
    images_NCHW = torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last)
    steps = torch.tensor(3.0, requires_grad=True)
    copies = copy_to_cpu({"images": images_NCHW, "steps": steps})
    assert copies["images"].equal(images_NCHW)
    assert copies["images"].stride() == images_NCHW.stride()
    assert not copies["steps"].requires_grad
    images_NCHW.zero_()
    assert copies["images"].any()


def test_cpu_is_never_busy_between_calls() -> None:
    assert not is_busy(torch.device("cpu"))


@pytest.mark.parametrize("busy", [False, True])
def test_time_of_the_caller_counts_only_while_the_device_is_busy(
    busy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "is_busy", lambda _: busy)
    seconds: Any = None
    for report in fit(experiment(training={"epochs": 1, "batch_size": 32})):
        if isinstance(report, Stepped):
            time.sleep(PAUSE_SECONDS)
        if isinstance(report, EpochEnded):
            seconds = report.metrics["seconds"]
    assert (seconds > PAUSE_SECONDS) is busy
