"""One process of a training: `python -m benchmarks.rank_loop FILE RANK COUNT THREADS`.

It trains `vgg_small` on noise, and prints the images per second of each epoch.
"""

import json
import sys
from pathlib import Path

import torch

from shared.spec import JobSpec
from worker.build import build
from worker.data.job_data import Data
from worker.registry import SLOTS, architectures
from worker.runner.warm_up import SPEC
from worker.training.experiment import Experiment, Split, Splits
from worker.training.fit import fit
from worker.training.ranks import join
from worker.training.reports import EpochEnded

IMAGES, VALIDATION, SIZE, CLASSES = 4000, 256, 32, 10
EPOCHS, BATCH_SIZE = 4, 128


def experiment() -> Experiment:
    """Return the training of `vgg_small`, with its batch norm and dropout."""
    for registry in SLOTS.values():
        registry.entries()
    generator = torch.Generator().manual_seed(0)
    shape = (IMAGES, 3, SIZE, SIZE)
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    labels = torch.arange(IMAGES) % CLASSES
    train = Split(images, labels, torch.arange(IMAGES))
    rest = Split(images[:VALIDATION], labels[:VALIDATION], torch.arange(VALIDATION))
    architecture = {"name": "vgg_small", **architectures.get("vgg_small").defaults}
    training = {"epochs": EPOCHS, "batch_size": BATCH_SIZE}
    spec = JobSpec.model_validate({**SPEC, "architecture": architecture, "training": training})
    names = tuple(map(str, range(CLASSES)))
    return build(spec, Data(names, Splits(train, rest, rest)))


def main() -> None:
    """Train, and print the images per second of each epoch as JSON."""
    file, rank, count, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    training = experiment()
    with join(int(rank), int(count), Path(file), training.device) as ranks:
        reports = [r for r in fit(training, ranks=ranks) if isinstance(r, EpochEnded)]
    print(json.dumps([report.metrics["images_per_second"] for report in reports]))


if __name__ == "__main__":
    main()
