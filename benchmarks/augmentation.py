"""Augmentation compared with kornia, and its cost in an epoch of `vgg_small`.

Both sides run in this process with the same number of threads. Only the benchmarks need kornia, so
it is installed into a separate folder.
"""

import importlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.bare_loop import photographs
from benchmarks.boxes import ROOT
from benchmarks.measurement import Measurement, in_turn
from benchmarks.training import KERAS, prepare_keras
from shared.spec import JobSpec
from worker.augmentations.compose import compose
from worker.build import build
from worker.data.job_data import Data
from worker.registry import architectures
from worker.training.experiment import Split, Splits
from worker.training.fit import fit
from worker.training.reports import EpochEnded

KORNIA = ROOT / ".venv-bench" / "kornia"
KORNIA_PACKAGES = ("kornia==0.9.0", "kornia_rs==0.2.0")
MIN_SECONDS = 1.0  # of a measurement
BATCH_SIZES = {32: 128, 224: 16}  # by image size in pixels
IMAGES, VALIDATION = 1000, 100

AUGMENTATION: dict[str, Any] = {
    "rotation": {"degrees": 10},
    "width_shift": {"fraction": 0.1},
    "height_shift": {"fraction": 0.1},
    "shear": {"degrees": 5},
    "zoom": {"fraction": 0.1},
    "horizontal_flip": {"probability": 0.5},
}
SGD = {"name": "sgd", "momentum": 0.9, "nesterov": False}


def kornia() -> Callable[[Tensor], Tensor]:
    """Return kornia's version of the same augmentation; it takes float images in 0–1."""
    if not KORNIA.exists():
        uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps"]
        subprocess.run([*uv, "--target", str(KORNIA), *KORNIA_PACKAGES], check=True)
    if str(KORNIA) not in sys.path:
        sys.path.append(str(KORNIA))
    augmentation = importlib.import_module("kornia.augmentation")
    return torch.nn.Sequential(
        augmentation.RandomAffine(10, (0.1, 0.1), (0.9, 1.1), 5, padding_mode="border", p=1.0),
        augmentation.RandomHorizontalFlip(p=0.5),
    )


def images_per_second(transform: Callable[[Tensor], Tensor], images: Tensor) -> float:
    """Return how many images a second a transform handles, after one batch that is not counted."""
    transform(images)
    batches, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < MIN_SECONDS:
        transform(images)
        batches += 1
    return batches * len(images) / elapsed


def against_kornia(size: int, *, rounds: int = 7) -> Measurement:
    """Compare with kornia: at least as fast."""
    ours, theirs = compose(AUGMENTATION), kornia()
    assert ours is not None
    unit = torch.rand(BATCH_SIZES[size], 3, size, size)
    pixels = unit.mul(255).contiguous(memory_format=torch.channels_last)
    threads = torch.get_num_threads()
    return in_turn(
        f"augmentation, {size} px, batch {BATCH_SIZES[size]}, {threads} threads",
        "images per second / kornia 0.9.0 RandomAffine + RandomHorizontalFlip",
        lambda: images_per_second(ours, pixels),
        lambda: images_per_second(theirs, unit),
        target="≥ 1",
        unit="images/s",
        rounds=rounds,
    )


def epoch_seconds(data: Data, augmentation: dict[str, Any]) -> float:
    """Return the seconds of the second of two epochs."""
    spec = JobSpec.model_validate(
        {
            "dataset": {"name": "fashion-mnist", "normalization": "standardize"},
            "architecture": {"name": "vgg_small", **architectures.get("vgg_small").defaults},
            "augmentation": augmentation,
            "optimizer": {**SGD, "schedule": {"name": "constant", "warmup": 0}},
            "training": {"epochs": 2, "batch_size": 32},
            "metrics": {"top_k": [1, 5]},
        }
    )
    epochs = [report for report in fit(build(spec, data)) if isinstance(report, EpochEnded)]
    return IMAGES / epochs[-1].metrics["images_per_second"]


def _data() -> tuple[Tensor, Tensor, Data]:
    images, labels = photographs(IMAGES)
    train = Split(images, labels, torch.arange(IMAGES))
    validation = Split(images[:VALIDATION], labels[:VALIDATION], torch.arange(VALIDATION))
    return images, labels, Data(tuple("0123456789"), Splits(train, validation, validation))


def epoch_overhead(*, rounds: int = 9) -> Measurement:
    """Compare an epoch with and without augmentation."""
    *_, data = _data()
    return in_turn(
        f"vgg_small with augmentation, {torch.get_num_threads()} threads",
        "seconds of an epoch / without",
        lambda: epoch_seconds(data, AUGMENTATION),
        lambda: epoch_seconds(data, {}),
        target="≤ 1.25",
        unit="s",
        rounds=rounds,
    )


def keras_epoch_seconds(images: Tensor, labels: Tensor) -> float:
    """Return the seconds of the second of two epochs with Keras's ImageDataGenerator."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "images.npz"
        np.savez(path, images=images.numpy(), labels=labels.numpy())
        command = [KERAS / "bin/python", "benchmarks/keras_fit.py", path, "2", "0", "augmented"]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])["seconds"][-1]


def against_keras(*, rounds: int = 5) -> Measurement:
    """Compare an epoch with augmentation with Keras's own generator."""
    prepare_keras()
    images, labels, data = _data()
    return in_turn(
        f"vgg_small with augmentation, {torch.get_num_threads()} threads",
        "seconds of an epoch / Keras 3 with ImageDataGenerator",
        lambda: epoch_seconds(data, AUGMENTATION),
        lambda: keras_epoch_seconds(images, labels),
        target="≤ 1",
        unit="s",
        rounds=rounds,
    )


def measure() -> Iterator[Measurement]:
    """Yield all measurements of augmentation."""
    for size in BATCH_SIZES:
        yield against_kornia(size)
    yield epoch_overhead()
    yield against_keras()
