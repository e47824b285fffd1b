"""Trains a tiny network once, because torch loads many of its parts on first use."""

import torch

from shared.spec import JobSpec
from worker.build import build
from worker.data.job_data import Data
from worker.registry import SLOTS, architectures
from worker.runner import attempt as _  # noqa: F401 - imported here and not at the first job
from worker.training.experiment import Experiment, Split, Splits
from worker.training.fit import fit

#: A filled specification, without the architecture and the training.
SPEC = {
    "dataset": {"name": "synthetic", "normalization": "standardize"},
    "optimizer": {
        "name": "sgd",
        "momentum": 0.9,
        "nesterov": False,
        "schedule": {"name": "constant", "warmup": 0},
    },
    "metrics": {"top_k": [1]},
}
ARCHITECTURE = "vgg_small"
PARAMETERS = {"widths": [4], "hidden_units": [8]}
IMAGE_SHAPE = (3, 8, 8)
CLASSES = ("a", "b")
IMAGES, BATCH_SIZE = 8, 4


def warm_up() -> None:
    """Train a network of a few weights for two steps, on the CPU.

    No GPU gets a context or allocates memory. But the backward pass makes torch query the driver
    for the visible GPUs, and from then on this process can use no others.
    """
    for registry in SLOTS.values():
        registry.entries()
    _train("cpu")


def warm_up_gpu(index: int) -> None:
    """Train the same network on a GPU, which creates the context and loads cuDNN and kernels.

    Args:
        index: the GPU's position among the GPUs visible to this process.

    Raises:
        RuntimeError: the GPU does not work or has no memory left.
    """
    torch.cuda.set_device(index)
    _train("cuda")
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(index)


def _train(device: str) -> None:
    for report in fit(tiny_experiment(epochs=1, device=device)):
        if hasattr(report, "snapshot"):
            report.snapshot()  # pyright: ignore[reportAttributeAccessIssue]


def tiny_experiment(epochs: int, device: str = "cpu") -> Experiment:
    """Build a network of a few weights, with eight images in each split and batches of four."""
    images = torch.zeros(IMAGES, *IMAGE_SHAPE, dtype=torch.uint8)
    labels = torch.arange(IMAGES) % len(CLASSES)
    split = Split(images, labels, torch.arange(IMAGES))
    defaults = architectures.get(ARCHITECTURE).defaults
    architecture = {"name": ARCHITECTURE, **defaults, **PARAMETERS}
    training = {"epochs": epochs, "batch_size": BATCH_SIZE}
    spec = JobSpec.model_validate({**SPEC, "architecture": architecture, "training": training})
    return build(spec, Data(CLASSES, Splits(split, split, split)), device=device)
