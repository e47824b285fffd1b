"""Trainings on digits whose splits were changed, for rules that no specification can show."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from benchmarks.diagnostics.runs import Run, experiment_of, filled, run_filled
from worker.diagnostics.demos import on_digits
from worker.training.experiment import Experiment, Split, Splits

Change = Callable[[Splits], Splits]


def train(change: Change, *, mode: str = "standard", epochs: int = 2, **parts: Any) -> Run:
    """Train on changed digits, and return what the watch found."""
    spec = filled(on_digits(diagnostics=mode, training={"epochs": epochs}, **parts))
    experiment = experiment_of(spec)
    return run_filled(spec, replace(experiment, splits=change(experiment.splits)))


def picked(split: Split, chosen: torch.Tensor) -> Split:
    """Return some samples of a split."""
    return Split(split.images[chosen], split.labels[chosen], split.indices[chosen])


def joined(first: Split, second: Split) -> Split:
    """Return the samples of both splits."""
    assert isinstance(first.images, torch.Tensor)
    assert isinstance(second.images, torch.Tensor)
    return Split(
        torch.cat([first.images, second.images]),
        torch.cat([first.labels, second.labels]),
        torch.cat([first.indices, second.indices]),
    )


def rare_class(splits: Splits) -> Splits:
    """Leave two training samples of the class 3."""
    labels = splits.train.labels
    is_kept = (labels != 3) | ((labels == 3).cumsum(0) <= 2)
    return replace(splits, train=picked(splits.train, is_kept.nonzero().flatten()))


def shared_images(splits: Splits) -> Splits:
    """Put thirty training samples into the validation split."""
    copies = picked(splits.train, torch.arange(30))
    return replace(splits, validation=joined(splits.validation, copies))


def conflicting(splits: Splits) -> Splits:
    """Repeat twenty training images with another label."""
    copies = picked(splits.train, torch.arange(20))
    other = replace(copies, labels=(copies.labels + 1) % 10)
    return replace(splits, train=joined(splits.train, other))


def blank(splits: Splits) -> Splits:
    """Make a twentieth of the training images black."""
    assert isinstance(splits.train.images, torch.Tensor)
    images = splits.train.images.clone()
    images[::20] = 0
    return replace(splits, train=replace(splits.train, images=images))


def inverted_test(splits: Splits) -> Splits:
    """Invert the pixels of the test split."""
    assert isinstance(splits.test.images, torch.Tensor)
    return replace(splits, test=replace(splits.test, images=255 - splits.test.images))


def noisy(share: float, *, train: bool = True) -> Change:
    """Return a change that gives some samples another label."""

    def flipped(split: Split) -> Split:
        generator = torch.Generator().manual_seed(0)
        chosen = torch.rand(len(split.labels), generator=generator) < share
        offsets = torch.randint(1, 10, (len(split.labels),), generator=generator)
        return replace(split, labels=(split.labels + chosen * offsets) % 10)

    def change(splits: Splits) -> Splits:
        validation = flipped(splits.validation)
        changed = flipped(splits.train) if train else splits.train
        return replace(splits, train=changed, validation=validation)

    return change


def unrelated_labels(splits: Splits) -> Splits:
    """Give every training and validation sample the label of another."""

    def permuted(split: Split) -> Split:
        generator = torch.Generator().manual_seed(0)
        return replace(
            split, labels=split.labels[torch.randperm(len(split.labels), generator=generator)]
        )

    return replace(splits, train=permuted(splits.train), validation=permuted(splits.validation))


def unchanged(splits: Splits) -> Splits:
    """Leave the splits as they are."""
    return splits


def experiment(**parts: Any) -> tuple[dict[str, Any], Experiment]:
    """Return a filled specification and its experiment on digits."""
    spec = filled(on_digits(**parts))
    return spec, experiment_of(spec)
