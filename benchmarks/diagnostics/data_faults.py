"""Faults that are put into the data of a case."""

from collections.abc import Callable
from dataclasses import replace

import torch

from worker.training.experiment import Split, Splits

#: Of digits.
CLASSES = 10


def _mislabelled(splits: Splits, generator: torch.Generator) -> Splits:
    """Give 20 % of the samples of each split another label."""

    def changed(split: Split) -> Split:
        labels = split.labels.clone()
        chosen = torch.randperm(len(labels), generator=generator)[: len(labels) // 5]
        moves = torch.randint(1, CLASSES, (len(chosen),), generator=generator)
        labels[chosen] = (labels[chosen] + moves) % CLASSES
        return Split(split.images, labels, split.indices)

    return Splits(changed(splits.train), changed(splits.validation), changed(splits.test))


def _permuted(splits: Splits, generator: torch.Generator) -> Splits:
    """Deal out the labels of each split in a random order."""

    def changed(split: Split) -> Split:
        order = torch.randperm(len(split.labels), generator=generator)
        return Split(split.images, split.labels[order], split.indices)

    return Splits(changed(splits.train), changed(splits.validation), changed(splits.test))


def _duplicated(splits: Splits, generator: torch.Generator) -> Splits:
    """Put training images in the place of 30 % of the validation images."""
    train, validation = splits.train, splits.validation
    count = int(0.3 * len(validation.labels))
    chosen = torch.randperm(len(train.labels), generator=generator)[:count]
    images, labels = validation.images[:], validation.labels.clone()
    images[:count], labels[:count] = train.images[chosen], train.labels[chosen]
    return replace(splits, validation=Split(images, labels, validation.indices))


def _imbalanced(splits: Splits, generator: torch.Generator) -> Splits:
    """Keep every fiftieth image of class 0."""
    del generator
    train = splits.train
    of_class = torch.nonzero(train.labels == 0).flatten()
    kept = torch.ones(len(train.labels), dtype=torch.bool)
    kept[of_class] = False
    kept[of_class[::50]] = True
    part = Split(train.images[kept], train.labels[kept], train.indices[kept])
    return replace(splits, train=part)


def _shifted(splits: Splits, generator: torch.Generator) -> Splits:
    """Invert the test images."""
    del generator
    test = splits.test
    return replace(splits, test=Split(255 - test.images[:], test.labels, test.indices))


def _blank(splits: Splits, generator: torch.Generator) -> Splits:
    """Make a tenth of the training images black."""
    train = splits.train
    images = train.images[:].clone()
    chosen = torch.randperm(len(images), generator=generator)[: len(images) // 10]
    images[chosen] = 0
    return replace(splits, train=Split(images, train.labels, train.indices))


#: What is done to the data of a case, with a generator seeded by the seed of the case.
CHANGES: dict[str, Callable[[Splits, torch.Generator], Splits]] = {
    "F22": _mislabelled,
    "F23": _permuted,
    "F24": _duplicated,
    "F25": _imbalanced,
    "F26": _shifted,
    "F27": _blank,
}
#: Faults of data need not lower the accuracy, and no patch cures them.
OF_DATA = frozenset(CHANGES)
