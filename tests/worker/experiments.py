"""Small experiments that train in a moment, on images whose class is easy to see."""

from typing import Any

import torch

from shared.spec import JobSpec
from tests.worker.filled import filled
from worker.build import build
from worker.data.job_data import Data
from worker.training.experiment import Experiment, Split, Splits
from worker.training.fit import fit
from worker.training.reports import EpochEnded

CLASSES = 6


def split(samples: int, *, seed: int, size: int = 8, channels: int = 3) -> Split:
    """Return images of noise with one bright row, whose index is the class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(samples) % CLASSES
    images = torch.randint(
        0, 128, (samples, channels, size, size), dtype=torch.uint8, generator=generator
    )
    images[torch.arange(samples), :, labels] += 120
    return Split(images, labels, torch.arange(samples) + 1000 * seed)


def data(*, train: int = 32, validation: int = 18, size: int = 8, channels: int = 3) -> Data:
    return Data(
        class_names=tuple("abcdef"),
        splits=Splits(
            train=split(train, seed=1, size=size, channels=channels),
            validation=split(validation, seed=2, size=size, channels=channels),
            test=split(20, seed=3, size=size, channels=channels),
        ),
    )


def spec(**fields: Any) -> JobSpec:
    """Return a filled specification of a small network, by default with three short epochs."""
    training = {"epochs": 3, "batch_size": 8, **fields.pop("training", {})}
    return filled({"dataset": "any", "architecture": "mlp", **fields, "training": training})


def experiment(*, bundle: Data | None = None, **fields: Any) -> Experiment:
    return build(spec(**fields), bundle or data())


def ended_epochs(training: Experiment) -> list[EpochEnded]:
    """Train, and return the report of each epoch."""
    return [report for report in fit(training) if isinstance(report, EpochEnded)]


def vgg(**fields: Any) -> dict[str, Any]:
    """Return a narrow VGG with dropout, batch norm and two blocks."""
    return {"name": "vgg_small", "widths": [4, 4], "hidden_units": [8], **fields}
