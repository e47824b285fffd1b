"""Augmentation against kornia, and what it costs an epoch of `vgg_small`.

Both sides run in this process with the same number of threads. kornia is of no use to Trainshed
and lies in the folder that only the benchmarks need.
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
from benchmarks.measuring import Figure, in_turn
from benchmarks.training import KERAS, prepare_keras
from shared.spec import JobSpec
from worker.augmentations.compose import compose
from worker.build import Data, build
from worker.registry import architectures
from worker.training.experiment import Split, Splits
from worker.training.fit import fit
from worker.training.reports import EpochEnded

KORNIA = ROOT / ".venv-bench" / "kornia"
KORNIA_PACKAGES = ("kornia==0.9.0", "kornia_rs==0.2.0")
SECONDS = 1.0  # a measurement takes at least
BATCHES = {32: 128, 224: 16}  # images of a batch, by their size
IMAGES, VALIDATION = 1000, 100

GIVEN: dict[str, Any] = {
    "rotation": {"degrees": 10},
    "width_shift": {"fraction": 0.1},
    "height_shift": {"fraction": 0.1},
    "shear": {"degrees": 5},
    "zoom": {"fraction": 0.1},
    "horizontal_flip": {"probability": 0.5},
}
SGD = {"name": "sgd", "momentum": 0.9, "nesterov": False}


def kornia() -> Callable[[Tensor], Tensor]:
    """The same augmentation of kornia, which takes float images in 0–1 as it likes them."""
    if not KORNIA.exists():
        uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps"]
        subprocess.run([*uv, "--target", str(KORNIA), *KORNIA_PACKAGES], check=True)
    if str(KORNIA) not in sys.path:
        sys.path.append(str(KORNIA))
    made = importlib.import_module("kornia.augmentation")
    return torch.nn.Sequential(
        made.RandomAffine(10, (0.1, 0.1), (0.9, 1.1), 5, padding_mode="border", p=1.0),
        made.RandomHorizontalFlip(p=0.5),
    )


def images_per_second(change: Callable[[Tensor], Tensor], images: Tensor) -> float:
    """How many images are made in a second, after one batch that is not counted."""
    change(images)
    batches, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < SECONDS:
        change(images)
        batches += 1
    return batches * len(images) / passed


def against_kornia(size: int, *, rounds: int = 7) -> Figure:
    """At least as fast as the library that does most of this."""
    ours, theirs = compose(GIVEN), kornia()
    assert ours is not None
    unit = torch.rand(BATCHES[size], 3, size, size)
    pixels = unit.mul(255).contiguous(memory_format=torch.channels_last)
    threads = torch.get_num_threads()
    return in_turn(
        f"augmentation, {size} px, batch {BATCHES[size]}, {threads} threads",
        "images per second / kornia 0.9.0 RandomAffine + RandomHorizontalFlip",
        lambda: images_per_second(ours, pixels),
        lambda: images_per_second(theirs, unit),
        target="≥ 1",
        unit="images/s",
        rounds=rounds,
    )


def epoch_seconds(data: Data, given: dict[str, Any]) -> float:
    """Seconds of the second epoch of two."""
    spec = JobSpec.model_validate(
        {
            "dataset": {"name": "fashion-mnist", "normalization": "standardize"},
            "architecture": {"name": "vgg_small", **architectures.get("vgg_small").defaults},
            "augmentation": given,
            "optimizer": {**SGD, "schedule": {"name": "constant", "warmup": 0}},
            "training": {"epochs": 2, "batch_size": 32},
            "metrics": {"top_k": [1, 5]},
        }
    )
    ended = [one for one in fit(build(spec, data)) if isinstance(one, EpochEnded)]
    return IMAGES / ended[-1].metrics["images_per_second"]


def _data() -> tuple[Tensor, Tensor, Data]:
    images, labels = photographs(IMAGES)
    train = Split(images, labels, torch.arange(IMAGES))
    few = Split(images[:VALIDATION], labels[:VALIDATION], torch.arange(VALIDATION))
    return images, labels, Data(tuple("0123456789"), Splits(train, few, few))


def of_an_epoch(*, rounds: int = 9) -> Figure:
    """What augmentation adds to an epoch."""
    *_, data = _data()
    return in_turn(
        f"vgg_small with augmentation, {torch.get_num_threads()} threads",
        "seconds of an epoch / without",
        lambda: epoch_seconds(data, GIVEN),
        lambda: epoch_seconds(data, {}),
        target="≤ 1.25",
        unit="s",
        rounds=rounds,
    )


def keras_epoch_seconds(images: Tensor, labels: Tensor) -> float:
    """Seconds of the second epoch of two with Keras's ImageDataGenerator, training alone."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "images.npz"
        np.savez(path, images=images.numpy(), labels=labels.numpy())
        command = [KERAS / "bin/python", "benchmarks/keras_fit.py", path, "2", "0", "augmented"]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])["seconds"][-1]


def against_keras(*, rounds: int = 5) -> Figure:
    """An epoch with augmentation beside that of Keras's own generator."""
    prepare_keras()
    images, labels, data = _data()
    return in_turn(
        f"vgg_small with augmentation, {torch.get_num_threads()} threads",
        "seconds of an epoch / Keras 3 with ImageDataGenerator",
        lambda: epoch_seconds(data, GIVEN),
        lambda: keras_epoch_seconds(images, labels),
        target="≤ 1",
        unit="s",
        rounds=rounds,
    )


def figures() -> Iterator[Figure]:
    """All figures of augmentation."""
    for size in BATCHES:
        yield against_kornia(size)
    yield of_an_epoch()
    yield against_keras()
