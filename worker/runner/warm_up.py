"""Trains a tiny network once, because torch loads many of its parts on first use."""

import torch

from shared.spec import JobSpec
from worker.build import build
from worker.data.job_data import Data
from worker.registry import SLOTS, architectures
from worker.runner import attempt as _  # noqa: F401 - imported here and not at the first job
from worker.training.experiment import Split, Splits
from worker.training.fit import fit

#: A filled specification, without the architecture.
SPEC = {
    "dataset": {"name": "synthetic", "normalization": "standardize"},
    "optimizer": {
        "name": "sgd",
        "momentum": 0.9,
        "nesterov": False,
        "schedule": {"name": "constant", "warmup": 0},
    },
    "training": {"epochs": 1, "batch_size": 4},
    "metrics": {"top_k": [1]},
}
ARCHITECTURE = "vgg_small"
PARAMETERS = {"widths": [4], "hidden_units": [8]}


def warm_up() -> None:
    """Train a network of a few weights for two steps, on the CPU.

    No GPU gets a context or allocates memory. But the backward pass makes torch query the driver
    for the visible GPUs, and from then on this process can use no others.
    """
    for registry in SLOTS.values():
        registry.entries()
    images = torch.zeros(8, 3, 8, 8, dtype=torch.uint8)
    labels = torch.arange(8) % 2
    split = Split(images, labels, torch.arange(8))
    defaults = architectures.get(ARCHITECTURE).defaults
    architecture = {"name": ARCHITECTURE, **defaults, **PARAMETERS}
    spec = JobSpec.model_validate({**SPEC, "architecture": architecture})
    experiment = build(spec, Data(("a", "b"), Splits(split, split, split)))
    for report in fit(experiment):
        if hasattr(report, "snapshot"):
            report.snapshot()  # pyright: ignore[reportAttributeAccessIssue]
